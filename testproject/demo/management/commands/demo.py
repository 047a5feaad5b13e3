import platform
import secrets
import tempfile
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import django
from django.core.mail import mailers
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.test import override_settings
from django.test.utils import setup_databases, teardown_databases

import django_mailers
from demo import background
from demo.destinations import ACCOUNTS, configured_mailers
from demo.letters import (
    letters_for_composed_mailers,
    letters_for_other_mailers,
    letters_in_the_background,
    letters_of_the_site,
)
from django_mailers import SendReport


@contextmanager
def temporary_database():
    """Use the database that Django's tests would use. With SQLite it is a file, for the worker.

    Only the database: the rest of Django's test environment would replace the mailers.
    """
    with tempfile.TemporaryDirectory() as folder:
        if background.IS_INSTALLED and connection.vendor == "sqlite":
            connection.settings_dict["TEST"]["NAME"] = str(Path(folder, "demo.sqlite3"))
        before = setup_databases(verbosity=0, interactive=False)
        try:
            yield
        finally:
            teardown_databases(before, verbosity=0)


class Command(BaseCommand):
    help = "Sends mail through mailers of every kind, and shows what arrived where."

    def handle(self, **options):
        try:
            from demo.server import running_server
        except ModuleNotFoundError as error:
            if error.name != "trustme":
                raise
            raise CommandError(
                "The demo's SMTP server needs trustme, which is not installed. "
                'Install it with: pip install "django-mailers[demo]"'
            ) from None

        passwords = {account: secrets.token_urlsafe() for account in ACCOUNTS.values()}
        with (
            running_server(passwords) as server,
            configured_mailers(server) as arrivals,
            temporary_database(),
            # Error reports are mailed in production only.
            override_settings(DEBUG=False),
        ):
            self.stdout.write(
                f"django_mailers {django_mailers.__version__}, Django {django.__version__}, "
                f"Python {platform.python_version()}\n"
                f"SMTP server on {server.host}:{server.port}: STARTTLS and AUTH required\n\n"
            )
            letters = [
                *letters_of_the_site(),
                *letters_for_other_mailers(),
                *letters_for_composed_mailers(),
                *letters_in_the_background(),
            ]
            missing = self.send(letters, arrivals)
        if missing:
            raise CommandError(f"Missing: {', '.join(missing)}.")
        self.stdout.write("" if background.IS_INSTALLED else f"\n{background.NOT_INSTALLED}")
        self.stdout.write(self.style.SUCCESS("Everything arrived."))

    def send(self, all_letters, arrivals):
        """Send the letters, look for them, print the table; return the names of those missing."""
        table = [("What", "API", "Alias", "Backend", "Via", "Arrived", "ms")]
        missing = []
        for letters in all_letters:
            notes = []
            report = None
            start = perf_counter()
            try:
                report = letters.send()
            except Exception as error:
                notes.append(f"{type(error).__name__}: {error}")
            milliseconds = f"{(perf_counter() - start) * 1000:.0f}"

            found = [arrival for arrival in arrivals() if arrival.subject in letters.subjects]
            expected = [(letters.via or letters.alias, subject) for subject in letters.subjects]
            held_back = self.errors(report)
            if (
                not notes
                and [(a.alias, a.subject) for a in found] == expected
                and held_back == letters.held_back
            ):
                errors = [f"1 held back ({name})" for name in held_back]
                result = ", ".join([f"{len(found)} {found[0].how}", *errors])
            else:
                notes += [f"found {arrival.how}" for arrival in found]
                result = "; ".join(["MISSING", *notes])
                missing.append(letters.what)
            backend = type(mailers[letters.alias]).__module__.rpartition(".")[2]
            via = ", ".join({arrival.alias: None for arrival in found})
            row = (letters.what, letters.api, letters.alias, backend, via, result, milliseconds)
            table.append(row)
        self.print_table(table)
        return missing

    def errors(self, report):
        """Return the names of the errors in what send_many() has returned."""
        if not isinstance(report, SendReport):
            return ()
        return tuple(type(result.error).__name__ for result in report.failures)

    def print_table(self, table):
        """Print rows in columns of the width that they need, the last one right-aligned."""
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        for row in table:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            cells[-1] = row[-1].rjust(widths[-1])
            self.stdout.write("  ".join(cells))
