"""Write a MAILERS setting that has the same effect as the EMAIL_* settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from urllib.parse import quote

from django_mailers.emailsettings import DEFAULTS, OPTIONS, default_port
from django_mailers.wording import listed

from . import files
from .backends import Backend, quoted
from .configuration import Configuration
from .django_api import SHORT_BACKENDS
from .expressions import may_hold_secret
from .project import Place

SECRET = "EMAIL_HOST_PASSWORD"  # noqa: S105  (the name of the setting)


@dataclass
class Block:
    """The setting as source code: `imports` and `text`.

    `lost` lists what could not be carried over, and `notes` what the user should know, each a
    sentence without its full stop; `replaced` are the settings to delete.
    """

    text: str
    imports: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)

    @property
    def source(self) -> str:
        """The text for the settings file."""
        return "".join(
            f"{line}\n" for line in [*self.imports, *[""] * bool(self.imports), self.text]
        )


def render(configuration: Configuration, *, show_secrets: bool = False) -> Block:
    """Return MAILERS for `configuration`, with a password from a literal if `show_secrets`."""
    return _Writer(configuration, show_secrets).block()


class _Writer:
    def __init__(self, configuration: Configuration, show_secrets: bool) -> None:
        self.values = configuration.values
        self.explicit = configuration.explicit
        self.names = configuration.names
        self.source = configuration.source
        self.show_secrets = show_secrets
        self.backend = Backend(self._backend_path())
        self.lost: list[str] = []
        self.notes: list[str] = []
        self.imports: list[str] = []

    def block(self) -> Block:
        self._judge_backend()
        options = dict(self._options())
        lines = [
            "MAILERS = {",
            '    "default": {',
            f'        "BACKEND": {quoted(self.backend.path)},',
        ]
        if options:
            lines.append('        "OPTIONS": {')
            lines += [f'            "{name}": {text},' for name, text in options.items()]
            lines.append("        },")
        lines += ["    },", "}"]
        self._judge_source()
        if not self.names:
            self.notes.append(
                "no EMAIL_* setting is defined: this is Django's default, a mail server on "
                "localhost"
            )
        return Block("\n".join(lines), self.imports, self.lost, self.notes, sorted(self.names))

    # The backend.

    def _backend_path(self) -> str:
        path = str(self.values["EMAIL_BACKEND"])
        return SHORT_BACKENDS.get(path, path)

    def _judge_backend(self) -> None:
        given = self.values["EMAIL_BACKEND"]
        if given in SHORT_BACKENDS:
            self.notes.append(
                f"EMAIL_BACKEND is {given!r}, a short name that was removed before Django 1.2; the "
                "block has the backend that it meant"
            )
        if self.backend.error is not None:
            self.notes.append(
                "EMAIL_BACKEND cannot be imported, so its options are unknown: "
                f"{files.shortened(self.backend.error)}"
            )
        elif not self.backend.takes_alias:
            self.notes.append(
                f"{self.backend.path} cannot be used in MAILERS yet: its __init__() does not take "
                "'alias'; let it take **kwargs and pass them to super().__init__()"
            )
        expression = self._expression("EMAIL_BACKEND")
        if expression is not None:
            self._only_now(f"reads {expression}")
        elif self._is_ambiguous("EMAIL_BACKEND"):
            self._only_now(self._where("EMAIL_BACKEND"))

    def _only_now(self, why: str) -> None:
        self.notes.append(
            f"EMAIL_BACKEND {why}: the block is for its present value; another backend has other "
            "options, so let the settings choose between complete entries of MAILERS"
        )

    def _judge_source(self) -> None:
        if self.source is None:
            return
        if self.source.unseen:
            self.notes.append(
                f"{_places(self.source.unseen)} may define settings that the command does not see: "
                "the block has the values in force now"
            )
        if self.source.made_by:
            self.notes.append(
                f"the settings are attributes of {self.source.made_by}: MAILERS belongs there"
            )

    # Its options.

    def _options(self) -> Iterator[tuple[str, str]]:
        if self.values["EMAIL_USE_TLS"] and self.values["EMAIL_USE_SSL"]:
            self.notes.append(
                "EMAIL_USE_TLS and EMAIL_USE_SSL are both true, so that no mail can be sent"
            )
        for name, option in OPTIONS.items():
            if self.backend.error is not None or not self.backend.takes(option):
                if name in self.names and not self._is_default(name):
                    where = f", which {self._where(name)}" if self._varies(name) else ""
                    self.lost.append(f"{name}{where}: {self._untaken(option)}")
                continue
            text = self._text(name)
            if text is not None:
                yield option, text

    def _untaken(self, option: str) -> str:
        if self.backend.error is not None:
            return f"it is unknown whether the backend takes {option!r}"
        return f"{self.backend.path} does not take {option!r}"

    def _is_default(self, name: str) -> bool:
        """Whether `name` has its default here and everywhere else."""
        return self.values[name] == DEFAULTS[name] and not self._is_ambiguous(name)

    def _text(self, name: str) -> str | None:
        """Return the source of the option that replaces `name`, or None to leave it out."""
        value = self.values[name]
        expression = self._expression(name)
        if name == SECRET:
            return self._secret(str(value or ""), expression)
        if expression is not None:
            return expression
        if name == "EMAIL_PORT" and self.backend.is_smtp:
            return self._port(value)
        if name == "EMAIL_HOST" and value is None and self.backend.is_smtp:
            self.lost.append("EMAIL_HOST: it is None, and a mailer requires a host")
            return None
        if self._is_default(name) and not (name == "EMAIL_HOST" and self.backend.is_smtp):
            return None
        text = self._literal(value)
        if text is None:
            self.lost.append(f"{name}: a {type(value).__name__} cannot be written down")
        elif self._is_ambiguous(name):
            self._note_present_value(name)
        return text

    def _port(self, value: object) -> str | None:
        """The default port of a mailer depends on TLS, the default of EMAIL_PORT does not."""
        if not value:
            if self._is_ambiguous("EMAIL_PORT"):
                self._note_present_value("EMAIL_PORT")
            return "0"  # smtplib uses its default for 0; None would be 587 or 465 here
        security = {name: self.values[name] for name in ("EMAIL_USE_TLS", "EMAIL_USE_SSL")}
        default = default_port(use_tls=security["EMAIL_USE_TLS"], use_ssl=security["EMAIL_USE_SSL"])
        varies = any(self._expression(name) or self._is_ambiguous(name) for name in security)
        if value == default and not varies and not self._is_ambiguous("EMAIL_PORT"):
            return None
        if self._is_ambiguous("EMAIL_PORT"):
            self._note_present_value("EMAIL_PORT")
        return self._literal(value)

    def _secret(self, value: str, expression: str | None) -> str | None:
        assignment = self.source.assignment(SECRET) if self.source else None
        if self.source and expression is not None and assignment and assignment.value is not None:
            if self.show_secrets or not may_hold_secret(
                assignment.value, value, self.source.module
            ):
                return expression
        elif not value and not self._is_ambiguous(SECRET):
            return None
        elif self._varies(SECRET) and value:
            self.notes.append(f"{SECRET} {self._where(SECRET)}: compare them")
        elif self._varies(SECRET):
            self._note_present_value(SECRET)
        if self.show_secrets or (not value and expression is None):
            return quoted(value)
        if "os" not in (vars(self.source.module) if self.source else ()):
            self.imports = ["import os"]
        self.notes.append(
            "the password is not shown: put it into the environment, or use --show-secrets"
        )
        return f'os.environ["{SECRET}"]'

    # The source of the settings.

    def _expression(self, name: str) -> str | None:
        if self.source is None or name not in self.explicit:
            return None
        text = self.source.expression(name)
        secret = str(self.values[SECRET] or "")
        if name == SECRET or not text or not secret or self.show_secrets:
            return text
        # As it is, and as a URL contains it.
        return None if secret in text or quote(secret, safe="") in text else text

    def _is_ambiguous(self, name: str) -> bool:
        """Whether the value of `name` may be different elsewhere, as the settings files show."""
        if self.source is None or name not in self.names:
            return False
        assignment = self.source.assignment(name)
        if assignment is None or not assignment.is_constant:
            return True
        return not self.source.has_value(name, self.values[name])

    def _varies(self, name: str) -> bool:
        """Whether `name` is assigned in several places, or only under a condition."""
        if self.source is None or not self.source.places(name):
            return False
        return self.source.assignment(name) is None

    def _note_present_value(self, name: str) -> None:
        value = "present value" if name in self.explicit else "default"
        self.notes.append(f"{name} {self._where(name)}: the block has its {value}")

    def _where(self, name: str) -> str:
        places = self.source.places(name) if self.source else []
        if not places and self.source and self.source.unseen:
            return f"is perhaps assigned at {_places(self.source.unseen)}"
        if not places:
            return "is assigned nowhere"
        now = "" if name in self.explicit else ", and not in force now"
        return f"is assigned at {_places(places)}{now}"

    def _literal(self, value: object) -> str | None:
        if value is None or type(value) in {bool, float, int, str}:
            return quoted(value)
        if isinstance(value, PurePath | str):
            return quoted(str(value))
        return None


def _places(places: Iterable[Place]) -> str:
    return listed(f"{files.shown(place.path)}:{place.line}" for place in places)
