"""`python -m django_mailers.migrate`: the command `migratemailers` for a project that cannot start.

With settings that define both MAILERS and EMAIL_*, manage.py on Django 6.1 finds no command of
an app. This form takes the same arguments. It needs settings that can be imported, named by
DJANGO_SETTINGS_MODULE or by --settings, but none for --help.
"""

from __future__ import annotations

import sys

from django.core.management import load_command_class

if __name__ == "__main__":
    command = load_command_class("django_mailers", "migratemailers")
    command.run_from_argv(["python -m", "django_mailers.migrate", *sys.argv[1:]])
