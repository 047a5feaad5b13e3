"""`django.core.mail.backends`, as in Django 6.1. (Django 6.0: this whole folder.)"""
