"""`manage.py mailers`: what is in MAILERS, and whether it works."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.mail import MailerDoesNotExist, mailers
from django.core.management.base import BaseCommand, CommandError

from django_mailers.diagnosis.steps import Step

if TYPE_CHECKING:
    from django_mailers.diagnosis.queued import QueuedMessage


class Command(BaseCommand):
    help = "Shows the mailers in MAILERS, and finds out whether they work."
    # It reports the same problems, and has to work if the checks fail.
    requires_system_checks = []  # noqa: RUF012  (Django's own)

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", metavar="VERB")
        verify = verbs.add_parser(
            "verify",
            help="Connect, log in and try addresses, without sending.",
            description="Exits with 0 if everything is well, 1 if a step failed, and 2 if the "
            "arguments are wrong.",
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
        from django_mailers.diagnosis.overview import overview

        rows = overview()
        if not rows:
            self.stdout.write("There are no mailers: MAILERS is empty or not defined.")
            return
        table = [("Alias", "Backend", "Server", "Security", "Login")]
        for row in rows:
            login = {True: "yes", False: "no", None: ""}[row.login]
            alias = f"{'  ' * row.depth}{row.alias}"
            table.append((alias, row.backend, row.server, row.security, login))
        for line in _columns(table):
            self.stdout.write(line)
        problems = [problem for row in rows for problem in row.problems]
        if problems:
            self.stdout.write("")
        for text in dict.fromkeys(f"{problem.id}: {problem.msg}" for problem in problems):
            self.stdout.write(self.style.WARNING(text))

    def verify(self, **options: Any) -> None:
        from django_mailers.diagnosis import verify
        from django_mailers.diagnosis.overview import roots

        sender = options["sender"] or settings.DEFAULT_FROM_EMAIL
        if options["send"] and not options["to"]:
            raise CommandError("--send needs --to.", returncode=2)
        if options["timeout"] <= 0:
            raise CommandError("--timeout must be greater than 0.", returncode=2)
        # Mailers that others send through are verified together with those.
        aliases = options["aliases"] or roots()
        for alias in aliases:
            if alias not in mailers:
                text = str(MailerDoesNotExist(alias=alias).args[0])
                raise CommandError(text, returncode=2)
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
        ok = all(verification.ok for verification in found)
        records = self.look_up(sender, aliases, options) if options["dns"] else []
        if not options["json"]:
            self.wait_on_terminal("   ")
        ok = ok and all(step.ok for step in records)
        if options["json"]:
            shown = {
                "ok": ok,
                "mailers": [verification.as_dict() for verification in found],
                "dns": [vars(step) for step in records],
            }
            self.stdout.write(json.dumps(shown, indent=2))
        if not ok:
            raise SystemExit(1)

    def queued(self) -> None:
        from django_mailers.diagnosis.queued import find_queues

        queues = find_queues()
        if not queues:
            self.stdout.write("No mailer in MAILERS sends in the background.")
        for queue in queues:
            self.stdout.write(self.style.MIGRATE_HEADING(f"TASKS[{queue.engine!r}]"))
            if queue.problem:
                self.stdout.write(f"  {queue.problem}")
            elif queue.messages is None:
                self.stdout.write("  This engine cannot list its tasks. Use its own tools.")
            else:
                self.list_messages(queue.messages)

    def list_messages(self, messages: Iterator[QueuedMessage]) -> None:
        """Print one line for each of `messages`, as they come: there may be many."""
        count = doubtful = 0
        for message in messages:
            count += 1
            doubtful += message.may_have_been_sent
            remark = "  may have been sent" if message.may_have_been_sent else ""
            self.stdout.write(
                f"  {message.id or '(unreadable)':32}  {message.alias!s:12}  {message.state:7}  "
                f"{_age(message.age):>10}  attempts: {message.attempts}  task {message.task}"
                f"{self.style.WARNING(remark)}"
            )
        doubts = f", {doubtful} of which may have been sent" if doubtful else ""
        self.stdout.write(f"  {count} messages{doubts}")

    def look_up(
        self, sender: str, aliases: Sequence[str], options: Mapping[str, Any]
    ) -> list[Step]:
        """Look up the records of the sender's domain, and of the keys that mailers sign with."""
        from django_mailers.diagnosis.dns import Records, examine
        from django_mailers.dkim import domain_of

        try:
            records = Records(_nameservers(options["nameserver"]), options["timeout"])
        except ImportError as error:
            raise CommandError(str(error), returncode=2) from None
        domain = domain_of(sender)
        show = None if options["json"] else self.print_step()
        steps = []
        for step in examine(domain, _selectors(aliases), records):
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
                self.stdout.write(self.style.MIGRATE_HEADING(alias))
            style = self.style.SUCCESS if step.ok else self.style.ERROR
            ms = "" if step.ms is None else f"  {step.ms:.0f} ms"
            mark = style("ok  " if step.ok else "FAIL")
            self.stdout.write(f"  {mark} {step.name:13} {step.detail}{ms}".rstrip())
            if step.hint:
                self.stdout.write(f"       {'':13} -> {step.hint}")
            # The next step may take as long as the timeout.
            self.wait_on_terminal("  …")

        return show

    def wait_on_terminal(self, mark: str) -> None:
        """Write `mark`, which the next line overwrites, if the output is a terminal."""
        if self.stdout.isatty():
            self.stdout.write(mark, ending="\r")
        self.stdout.flush()


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


def _nameservers(given: str | None) -> list[tuple[str, int]] | None:
    if given is None:
        return None
    host, _, port = given.rpartition(":") if given.count(":") == 1 else (given, "", "")
    if port and not port.isdecimal():
        text = f"--nameserver must be ADDRESS or ADDRESS:PORT, not {given!r}."
        raise CommandError(text, returncode=2)
    return [(host, int(port or 53))]


def _selectors(aliases: Sequence[str]) -> list[tuple[str, str]]:
    """Return the selectors and domains of the DKIM keys in the options of the mailers."""
    from django_mailers.dkim import Signing

    found = []
    for alias in aliases:
        option = getattr(mailers[alias], "dkim", None)
        if option is not None:
            found += [(signer.selector, signer.domain) for signer in Signing(option).signers()]
    return [*dict.fromkeys(found)]
