"""`manage.py mailers`: what is in MAILERS, and whether it works."""

from __future__ import annotations

import ipaddress
import json
import re
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.mail import MailerDoesNotExist, mailers
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from django_mailers.diagnosis.steps import Step, Verification
from django_mailers.smtp.interrupts import is_injected

if TYPE_CHECKING:
    from django_mailers.diagnosis.dns import Records
    from django_mailers.diagnosis.queued import QueuedMessage

NO_MAILERS = "There are no mailers: MAILERS is empty or not defined."


class Command(BaseCommand):
    help = "Shows the mailers in MAILERS, and finds out whether they work."
    # It reports the same problems, and has to work if the checks fail.
    requires_system_checks = []  # noqa: RUF012  (Django's own)

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", metavar="VERB")
        verify = verbs.add_parser(
            "verify",
            help="Connect, log in and try addresses, without sending.",
            description="Exits with 0 if everything is well, 1 if a step failed or there are no "
            "mailers, and 2 if the arguments are wrong.",
        )
        verify.add_argument("aliases", nargs="*", metavar="alias", help="By default all of them.")
        verify.add_argument(
            "--from", dest="sender", help="The sender; by default DEFAULT_FROM_EMAIL."
        )
        verify.add_argument("--to", action="append", default=[], help="A recipient to try.")
        verify.add_argument("--send", action="store_true", help="Send a message to --to.")
        verify.add_argument("--dns", action="store_true", help="Look up the sender's records, too.")
        verify.add_argument(
            "--nameserver", metavar="ADDRESS[:PORT]", help="With --dns: the name server to ask."
        )
        verify.add_argument("--json", action="store_true", help="Print JSON.")
        verify.add_argument(
            "--timeout", type=float, default=10, help="Seconds for each operation (10)."
        )

        verbs.add_parser(
            "queued",
            help="List the messages in the queues of background mailers.",
            description="Lists the messages that background mailers have queued, and that are not "
            "sent yet, or have failed. A task that has been running for more than an hour has "
            "probably lost its worker: its message may have been sent.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["verb"] == "verify":
            self.verify(**options)
        elif options["verb"] == "queued":
            self.queued()
        else:
            self.show()

    def show(self) -> None:
        from django_mailers.diagnosis.overview import overview, problems

        rows = overview()
        if not rows:
            self.say(NO_MAILERS)
        else:
            table = [("Alias", "Backend", "Server", "Security", "Login")]
            for row in rows:
                login = {True: "yes", False: "no", None: ""}[row.login]
                alias = f"{'  ' * row.depth}{row.alias}"
                table.append((alias, row.backend, row.server, row.security, login))
            for line in _columns(table):
                self.say(line)
        found = problems()
        if found:
            self.say("")
        for problem in found:
            self.say(self.style.WARNING(f"{problem.id}: {problem.msg}"))
            if problem.hint:
                self.say(f"  -> {problem.hint}")

    def verify(self, **options: Any) -> None:
        from django_mailers.diagnosis import verify
        from django_mailers.diagnosis.overview import roots

        sender = str(options["sender"] or settings.DEFAULT_FROM_EMAIL)
        _check_arguments(sender, options)
        # Mailers that others send through are verified together with those.
        aliases = options["aliases"] or roots()
        # Before anything is tried, as it may be missing.
        records = _records(options) if options["dns"] else None
        found = []
        for alias in aliases:
            # JSON is printed as a whole, at the end.
            quiet = options["json"]
            found.append(
                verify(
                    alias,
                    sender=sender,
                    recipients=options["to"],
                    send=options["send"],
                    timeout=options["timeout"],
                    on_step=None if quiet else self.print_step(),
                )
            )
        steps = [] if records is None else self.look_up(sender, found, records, options["json"])
        # Without a mailer nothing can be sent.
        are_ok = [*(verification.ok for verification in found), *(step.ok for step in steps)]
        ok = bool(found) and all(are_ok)
        if options["json"]:
            shown = {
                "ok": ok,
                "mailers": [verification.as_dict() for verification in found],
                "dns": [vars(step) for step in steps],
            }
            # A backend's own steps may have anything in them.
            self.stdout.write(json.dumps(shown, indent=2, default=str))
        elif not found:
            self.say(NO_MAILERS)
        else:
            self.wait_on_terminal("   ")
        if not ok:
            raise SystemExit(1)

    def queued(self) -> None:
        from django_mailers.diagnosis.queued import find_queues

        queues = find_queues()
        if not queues:
            self.say("No mailer in MAILERS sends in the background.")
        for queue in queues:
            self.say(self.style.MIGRATE_HEADING(f"TASKS[{queue.engine!r}]"))
            if queue.problem:
                self.say(f"  {queue.problem}")
            elif queue.messages is None:
                self.say("  This engine cannot list its tasks. Use its own tools.")
            else:
                try:
                    self.list_messages(queue.messages)
                except DatabaseError as error:
                    text = f"The tasks of {queue.engine!r} cannot be read: {error}"
                    raise CommandError(f"{text} Has the table been made, by `migrate`?") from error

    def list_messages(self, messages: Iterator[QueuedMessage]) -> None:
        """Print one line for each of `messages`, as they come: there may be many."""
        count = doubtful = 0
        for message in messages:
            count += 1
            doubtful += message.may_have_been_sent
            remark = "  may have been sent" if message.may_have_been_sent else ""
            self.say(
                f"  {message.id or '(unreadable)':32}  {message.alias!s:12}  {message.state:7}  "
                f"{_age(message.age):>10}  attempts: {message.attempts}  task {message.task}"
                f"{self.style.WARNING(remark)}"
            )
        self.say(f"  {count} message{'' if count == 1 else 's'}{_doubts(doubtful, count)}")

    def look_up(
        self, sender: str, found: Sequence[Verification], records: Records, quiet: bool
    ) -> list[Step]:
        """Look up the records of the sender's domain, and of the keys that mailers sign with."""
        from django_mailers.diagnosis.dns import examine
        from django_mailers.dkim import domain_of

        domain = domain_of(sender)
        show = None if quiet else self.print_step()
        steps = []
        for step in examine(domain, _selectors(found), records):
            steps.append(step)
            if show is not None:
                show(f"DNS of {domain}", step)
        return steps

    def print_step(self) -> Callable[[str, Step], None]:
        """Return a function that prints a step as soon as it is done, below its mailer."""
        headings: list[str] = []

        def show(alias: str, step: Step) -> None:
            if headings[-1:] != [alias]:
                headings.append(alias)
                # As wide as the mark of waiting, which it overwrites.
                self.say(
                    self.style.MIGRATE_HEADING(f"{alias:3}" if self.stdout.isatty() else alias)
                )
            style = self.style.SUCCESS if step.ok else self.style.ERROR
            ms = "" if step.ms is None else f"  {step.ms:.0f} ms"
            mark = style("ok  " if step.ok else "FAIL")
            self.say(f"  {mark} {step.name:13} {step.detail}{ms}".rstrip())
            if step.hint:
                self.say(f"       {'':13} -> {step.hint}")
            # The next step may take as long as the timeout.
            self.wait_on_terminal("  …")

        return show

    def wait_on_terminal(self, mark: str) -> None:
        """Write `mark`, which the next line overwrites, if the output is a terminal."""
        if self.stdout.isatty():
            self.say(mark, ending="\r")
        self.stdout.flush()

    def say(self, text: str, ending: str = "\n") -> None:
        """Write `text`; what the terminal, or the file, cannot take is written as an escape."""
        encoding = getattr(self.stdout, "encoding", None) or "utf-8"
        self.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding), ending=ending)


def _doubts(doubtful: int, count: int) -> str:
    if not doubtful:
        return ""
    return ", which may have been sent" if count == 1 else f", {doubtful} may have been sent"


def _age(age: timedelta) -> str:
    """Return `age` in the largest unit that it has, and the next one."""
    minutes, seconds = divmod(max(0, int(age.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    while len(units) > 1 and not units[0][0]:
        del units[0]
    return " ".join(f"{number} {unit}" for number, unit in units[:2])


def _columns(table: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield lines with the cells in columns of the width that they need."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _check_arguments(sender: str, options: Mapping[str, Any]) -> None:
    """Raise CommandError, with the exit status 2, for arguments that are wrong."""
    from django_mailers.diagnosis.verifying import MAX_TIMEOUT
    from django_mailers.dkim import domain_of

    problem = ""
    if options["send"] and not options["to"]:
        problem = "--send needs --to."
    elif options["to"] and not sender:
        problem = "--to needs --from, as DEFAULT_FROM_EMAIL is empty."
    elif options["dns"] and not ("@" in sender and domain_of(sender)):
        problem = "--dns needs --from, with an address that has a domain."
    elif not 0 < options["timeout"] <= MAX_TIMEOUT:
        problem = f"--timeout must be greater than 0, and at most {MAX_TIMEOUT}."
    for alias in options["aliases"]:
        if not _is_configured(alias):
            problem = problem or str(MailerDoesNotExist(alias=alias).args[0])
    if problem:
        raise CommandError(problem, returncode=2)


def _is_configured(alias: str) -> bool:
    from django_mailers.diagnosis.overview import configured

    # Not `in mailers`: MAILERS may be something that has no aliases.
    if getattr(settings, "MAILERS", None) is None:
        # Django 2028: the mailer of the EMAIL_* settings.
        return alias in mailers
    return alias in configured()


def _records(options: Mapping[str, Any]) -> Records:
    from django_mailers.diagnosis.dns import Records

    try:
        return Records(_nameservers(options["nameserver"]), options["timeout"])
    except (ImportError, ValueError) as error:
        raise CommandError(str(error), returncode=2) from None


def _nameservers(given: str | None) -> list[tuple[str, int]] | None:
    if given is None:
        return None
    host, port = given, None
    found = re.fullmatch(r"\[(.+)\](?::(\d+))?|([^:]+):(\d+)", given)
    if found is not None:
        host, port = found[1] or found[3], found[2] or found[4]
    try:
        address = str(ipaddress.ip_address(host))
    except ValueError:
        address = ""
    if not address or not 0 < int(port or 53) < 2**16:
        text = f"--nameserver must be ADDRESS or ADDRESS:PORT, not {given!r}."
        raise CommandError(text, returncode=2)
    return [(address, int(port or 53))]


def _selectors(found: Sequence[Verification]) -> list[tuple[str, str]]:
    """Return the selectors and domains of the DKIM keys of the mailers, and of those below."""
    from django_mailers.dkim import Signing

    selectors = []
    for verification in found:
        selectors += _selectors(verification.targets)
        try:
            option = getattr(mailers[verification.alias], "dkim", None)
            signers = [] if option is None else [*Signing(option).signers()]
        except Exception as error:
            if is_injected(error):
                raise
            continue  # The steps of the mailer say why.
        selectors += [(signer.selector, signer.domain) for signer in signers]
    return [*dict.fromkeys(selectors)]
