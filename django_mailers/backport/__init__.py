"""What Django 6.1 has and Django 5.2 and 6.0 lack. (Django 6.0: this whole folder.)

File names are those of Django 6.1. Nothing here changes Django by itself: `django_mailers.polyfill`
holds the table that says which of Django's names get which of these. Code that a project wrote
against it runs on Django's own when the folder is gone. `django52/` is what Django 6.0 has already,
and goes before.

Functions and methods look names up in Django's modules when they are called, never when they are
imported, so that `patch("django.core.mail.get_connection")` means what it means on Django 6.1.
"""

from django_mailers import ownership

ownership.stand_in(__name__)
