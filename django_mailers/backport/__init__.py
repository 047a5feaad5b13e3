"""What Django 6.1 has and Django 5.2 and 6.0 lack.

File names are those of Django 6.1. Nothing here changes Django by itself: `django_mailers.polyfill`
holds the table that says which of Django's names get which of these. The whole folder goes the day
Django 6.0 does; code that a project wrote against it then runs on Django's own.

Functions and methods look names up in Django's modules when they are called, never when they are
imported, so that `patch("django.core.mail.get_connection")` means what it means on Django 6.1.
"""
