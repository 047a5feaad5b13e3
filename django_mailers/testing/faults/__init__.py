"""Faults of mail servers: what `smtplib` raises for them, and a mailer that has them."""
