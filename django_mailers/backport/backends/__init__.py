"""`django.core.mail.backends`: what the backends of Django 5.2 and 6.0 lack."""
