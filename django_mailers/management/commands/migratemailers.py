"""`migratemailers`: write the EMAIL_* settings as MAILERS, and find and change code for it."""

from __future__ import annotations

import difflib
import errno
import io
import os
import tokenize
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from django_mailers.migrate import audit, block, configuration, files, rewrite
from django_mailers.migrate.findings import AuditResult, Finding
from django_mailers.wording import listed

DESCRIPTION = (
    "Prints a MAILERS setting with the same effect as the EMAIL_* settings of this project, and "
    "lists the code that has to change. Changes files only with --write."
)
NO_SETTINGS = (
    "There are no settings. Name their module with --settings, or in the environment variable "
    "DJANGO_SETTINGS_MODULE."
)
NEEDS_LIBCST = '--diff and --write need LibCST: python -m pip install "django-mailers[migrate]"'


class Command(BaseCommand):
    help = DESCRIPTION
    # The checks are for projects that have finished the migration.
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "paths",
            nargs="*",
            type=Path,
            help="files and folders to audit, instead of the project's apps and settings",
        )
        parser.add_argument(
            "--installed",
            action="store_true",
            help="also audit the installed packages that use Django",
        )
        parser.add_argument(
            "--show-secrets",
            action="store_true",
            help="print the password; otherwise the printed setting reads it from the environment",
        )
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument(
            "--check",
            action="store_true",
            help="only list the places to change; the exit status is 1 if there are any, and 2 if "
            "a file cannot be read",
        )
        mode.add_argument(
            "--diff", action="store_true", help="show what --write would change, as a patch"
        )
        mode.add_argument("--write", action="store_true", help="make the changes that are safe")

    def handle(self, *args: Any, **options: Any) -> None:
        for stream in (self.stdout, self.stderr):
            stream._out = Pipe(stream._out)  # type: ignore[attr-defined]
        try:
            self._handle(options)
        finally:
            self.stdout.flush()
            self.stderr.flush()

    def _handle(self, options: dict[str, Any]) -> None:
        if options["diff"] or options["write"]:
            if not rewrite.is_available():
                raise CommandError(NEEDS_LIBCST, returncode=2)
            if options["installed"]:
                raise CommandError(
                    "--installed cannot be combined with --diff or --write.", returncode=2
                )
        current, failed = _configuration()
        name = current.module_name if current is not None else None
        if failed is not None:
            name = failed.name
        paths = self._paths(current, name, options)
        result = audit.audit(
            paths,
            name,
            current.places if current is not None else (),
            current.source.files if current is not None and current.source is not None else (),
        )
        if failed is not None:
            result.unreadable.append(str(failed))
        if options["check"]:
            self._check(result)
        elif options["diff"] or options["write"]:
            self._rewrite(result, write=options["write"])
        else:
            if current is not None:
                self._print_block(current, result, show_secrets=options["show_secrets"])
            self._print_findings(result)
        if result.unreadable:
            raise CommandError("Not audited:\n" + "\n".join(result.unreadable), returncode=2)

    def _paths(
        self,
        current: configuration.Configuration | None,
        settings_module: str | None,
        options: dict[str, Any],
    ) -> list[Path]:
        missing = [str(path) for path in options["paths"] if not os.path.lexists(path)]
        if missing:
            raise CommandError(f"No such file or folder: {', '.join(missing)}", returncode=2)
        if apps.ready:
            folders = [Path(config.path) for config in apps.get_app_configs()]
        else:
            folders = files.app_folders(current.installed_apps if current is not None else ())
        paths = options["paths"] or files.own_paths(settings_module, folders)
        found = files.python_files(paths)
        if options["installed"]:
            found += [path for path in files.installed_paths(folders) if path not in found]
        return [files.shown(path) for path in found]

    # The setting.

    def _print_block(
        self, current: configuration.Configuration, result: AuditResult, *, show_secrets: bool
    ) -> None:
        if current.has_mailers and not current.explicit:
            left = ", and no EMAIL_* setting is left."
            if current.names:
                names = listed(sorted(current.names))
                left = f". Also delete the assignments that are not in force now: {names}."
            self._say(f"MAILERS is defined{left}\n\n")
            return
        rendered = block.render(current, show_secrets=show_secrets)
        path = current.source.path if current.source is not None else None
        where = f"Put this at the end of {files.shown(path)}" if path else "Define this"
        delete = f", and delete {listed(rendered.replaced)}" if rendered.replaced else ""
        self._comment(f"{where}{delete}.")
        if current.error is not None:
            error = files.shortened(str(current.error))
            self._comment(f"Django cannot load the settings as they are: {error}")
        elif current.has_mailers:
            self._comment(
                "MAILERS is already defined, and Django does not allow EMAIL_* settings with it: "
                "compare the two."
            )
        self.stdout.write(f"\n{rendered.source}")
        notes = rendered.notes + [
            f"{name} also defines some of these settings: run the command with --settings {name}"
            for name in result.other_settings
        ]
        for title, lines in [("Not carried over:", rendered.lost), ("Notes:", notes)]:
            if lines:
                self._comment(title)
                for line in lines:
                    self._comment(f"- {line}.")
        self.stdout.write("")

    def _comment(self, text: str) -> None:
        self.stdout.write(self.style.HTTP_INFO(f"# {text}"))

    # The code.

    def _print_findings(self, result: AuditResult) -> None:
        for finding in result.findings:
            self.stdout.write(self._line(finding))
        places = len(result.findings)
        if not places and result.unreadable:
            return
        if not places:
            self._say("Nothing in the code has to change.", self.style.SUCCESS)
            return
        sure = sum(bool(finding.fixes) for finding in result.findings)
        of_files = len({finding.path for finding in result.findings})
        found = f"{_count(places, 'place')} in {_count(of_files, 'file')}"
        self._say(f"\n{found}; --write changes {sure} of them.")

    def _line(self, finding: Finding) -> str:
        place = f"{finding.path}:{finding.line}:{finding.column}:"
        text = (
            f"{place} {self.style.WARNING(finding.code)}: {finding.problem}; {finding.replacement}"
        )
        if finding.fixes:
            return f"{text} {self.style.SUCCESS('[--write]')}"
        if finding.refusal:
            return f"{text} [not by --write: {finding.refusal}]"
        return text

    def _check(self, result: AuditResult) -> None:
        self._print_findings(result)
        if result.findings and not result.unreadable:
            # Not a CommandError, which would repeat the output on stderr.
            raise SystemExit(1)

    def _rewrite(self, result: AuditResult, *, write: bool) -> None:
        """Print a patch to stdout, or write; the places that are left go to stderr."""
        left = [finding for finding in result.findings if not finding.fixes]
        changed = 0
        for path, changes in result.fixes().items():
            before = path.read_bytes()
            try:
                after = rewrite.rewritten(before, changes)
            except rewrite.Unfaithful as error:
                left += [
                    replace(finding, fixes=(), refusal=str(error))
                    for finding in result.findings
                    if finding.path == path and finding.fixes
                ]
                continue
            changed += 1
            if write:
                path.write_bytes(after)
                self._say(f"{path}: {_count(len(changes), 'change')}", self.style.SUCCESS)
            else:
                self.stdout.write(_patch(path, before, after), ending="")
        if write and not changed:
            self._say("Nothing to write.")
        for finding in left:
            self.stderr.write(self._line(finding), _plain)
        if left:
            self.stderr.write(f"{_count(len(left), 'place')} left for you to change.", _plain)

    def _say(self, text: str, style: Any = None) -> None:
        self.stdout.write(text, style)


class Pipe:
    """A stream that drops the rest of the output if its reader has left, as `head` does."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> None:
        self._try(lambda: self._stream.write(text))

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            # Windows raises EINVAL.
            if error.errno not in {errno.EPIPE, errno.EINVAL}:
                raise
            # The buffer needs a place to go, or Python complains when it exits.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def _configuration() -> tuple[
    configuration.Configuration | None, configuration.Unimportable | None
]:
    """Return the configuration, or the error if the settings cannot be imported."""
    try:
        return configuration.current(), None
    except ImproperlyConfigured as error:
        raise CommandError(NO_SETTINGS, returncode=2) from error
    except configuration.Unimportable as error:
        # At the end of a command Django closes the databases, for which it needs settings.
        settings.configure()
        return None, error


def _plain(text: str) -> str:
    """A style for stderr that is not the style of an error."""
    return text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _patch(path: Path, before: bytes, after: bytes) -> str:
    encoding, _ = tokenize.detect_encoding(io.BytesIO(before).readline)
    # Not splitlines(), which ends a line at a form feed.
    old, new = (list(io.StringIO(text.decode(encoding), newline="")) for text in (before, after))
    lines = difflib.unified_diff(old, new, f"a/{path}", f"b/{path}")
    ended = (
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
    return "".join(ended)
