"""How fast django_mailers is, against Django's own: not part of the test run."""

HOST = "127.0.0.1"
# What the servers that want a login are told.
USER = "shop"
PASSWORD = "secret"
