"""`python -m django_mailers.migrate`: the command `migratemailers` for a project that cannot start.

On Django 6.1 settings with both MAILERS and EMAIL_* keep manage.py from knowing any command of an
app. This way in needs settings that can be imported, named by DJANGO_SETTINGS_MODULE or by
--settings, and takes the arguments of the command.
"""

from __future__ import annotations

import sys

from django.core.management import load_command_class

if __name__ == "__main__":
    command = load_command_class("django_mailers", "migratemailers")
    command.run_from_argv(["python -m", "django_mailers.migrate", *sys.argv[1:]])
