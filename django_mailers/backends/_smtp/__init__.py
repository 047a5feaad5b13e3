"""The parts of the SMTP backend that are not about its sessions."""
