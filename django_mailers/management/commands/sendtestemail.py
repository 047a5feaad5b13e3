"""Django's `sendtestemail`, with the `--using` of Django 6.1 where Django's own has none.

The commands of apps come before Django's, so on 6.1 this one is Django's.
"""

from typing import Any

from django.core.management.commands import sendtestemail

from django_mailers import polyfill

Command: Any = sendtestemail.Command

if polyfill.installed():
    from django_mailers.backport import sendtestemail as backport

    Command = backport.Command
