"""The system checks: those of Django 6.1 on every Django, and the app's own."""

from __future__ import annotations

import copy
import functools
import json
import re
import socket
import tempfile
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import registry
from django.core.mail import InvalidMailer, mailers
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.console import EmailBackend as ConsoleBackend
from django.core.mail.backends.smtp import EmailBackend as SMTPBackend
from django.middleware.common import BrokenLinkEmailsMiddleware
from django.test import SimpleTestCase, override_settings, tag
from django.test.utils import extend_sys_path
from django.utils.log import AdminEmailHandler
from django.views.debug import SafeExceptionReporterFilter

from django_mailers import polyfill
from django_mailers.backends.smtp import EmailBackend as FastSMTPBackend
from django_mailers.checks.table import PROBLEMS

from .support.processes import REPOSITORY, run_python
from .support.utils import (
    BASE,
    CONSOLE,
    DUMMY,
    FILEBASED,
    LOCMEM,
    OURS,
    RECORDING,
    SMTP,
    ignore_deprecations,
    legacy_settings,
)

HERE = __name__
GOOD = {"OPTIONS": {"host": "smtp.example.com"}}
DEFAULT = {"BACKEND": LOCMEM}


class Renamed(FastSMTPBackend):
    pass


class AlwaysTLS(FastSMTPBackend):
    def __init__(self, **kwargs):
        super().__init__(use_tls=True, **kwargs)


class Sends:
    """What makes a class a backend: nothing of Django's."""

    def send_messages(self, messages):
        return len(messages)


class Plain(Sends, BaseEmailBackend):
    """Takes what BaseEmailBackend takes: no option at all."""


class WithKey(Plain):
    def __init__(self, api_key, *, region="eu", **kwargs):
        super().__init__(**kwargs)


class BelowWithKey(WithKey):
    def __init__(self, *args, retries=3, **kwargs):
        super().__init__(*args, **kwargs)


class FixedHost(SMTPBackend):
    def __init__(self, **kwargs):
        super().__init__(host="smtp.example.com", **kwargs)


class OwnPort(SMTPBackend):
    """Takes a port by its name, and so of any type."""

    def __init__(self, *, port="submission", **kwargs):
        super().__init__(port=587 if port == "submission" else port, **kwargs)


class Pops(Plain):
    def __init__(self, **kwargs):
        self.key = kwargs.pop("api_key")
        super().__init__(**kwargs)


class Swallows(Plain):
    def __init__(self, alias=None, **kwargs):
        super().__init__(alias=alias)


class KeepsAlias(Plain):
    """Does not tell its base class that it comes from MAILERS, which tolerates much, then."""

    def __init__(self, alias, **kwargs):
        super().__init__(**kwargs)
        self.alias = alias


class ByPosition(SMTPBackend):
    def __init__(self, server, alias=None, **kwargs):
        super().__init__(server, alias=alias, **kwargs)


class ByName(Plain):
    """Calls its base class by name, which need not be the next one."""

    def __init__(self, **kwargs):
        BaseEmailBackend.__init__(self, **{name: kwargs[name] for name in ["alias"]})


class NotDerived(Sends):
    def __init__(self, **kwargs):
        super().__init__()


class Complete(Sends):
    def __init__(self, alias, url):
        pass


class WithoutConstructor(Sends):
    def __new__(cls, **kwargs):
        return super().__new__(cls)


class Meta(type):
    def __call__(cls, **kwargs):
        return super().__call__()


class OfMeta(Sends, metaclass=Meta):
    def __init__(self):
        pass


def takes_anything(init):
    @functools.wraps(init)
    def wrapper(self, alias, **kwargs):
        init(self, alias)

    return wrapper


class Decorated(Sends):
    @takes_anything
    def __init__(self, alias):
        pass


exec_namespace = {"Plain": Plain}
exec(
    "class Sourceless(Plain):\n"
    "    def __init__(self, **kwargs):\n"
    "        super(Sourceless, self).__init__(alias=kwargs['alias'])\n",
    exec_namespace,
)
Sourceless = exec_namespace["Sourceless"]


class WithKeyOfItsOwn(WithKey):
    def __init__(self, api_key="x", **kwargs):
        super().__init__(api_key=api_key, **kwargs)


class NoConstructor(Sends):
    pass


class OfOld(Sends):
    def __init__(self, fail_silently=False):
        pass


class HandsOnOfOld(Plain):
    def __init__(self, fail_silently=False, **kwargs):
        super().__init__(fail_silently=fail_silently, **kwargs)


class Using(Plain):
    def __init__(self, *, using=None, **kwargs):
        super().__init__(**kwargs)


class Several(Plain):
    def __init__(self, *, mailers=(), **kwargs):
        super().__init__(**kwargs)


class OtherUsing(Plain):
    """Its `using` is among what it takes out of **kwargs: anything."""

    def __init__(self, **kwargs):
        self.using = kwargs.pop("using")
        super().__init__(**kwargs)


class NeverMade(SMTPBackend):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        raise AssertionError("The check has made a backend.")


class Abstract(BaseEmailBackend):
    pass


def factory(**kwargs):
    return Plain(**kwargs)


ReexportedConsole = ConsoleBackend


class Handler(AdminEmailHandler):
    pass


class LinkMiddleware(BrokenLinkEmailsMiddleware):
    using = "reports"


class DatabaseMiddleware:
    using = "replica"


def function_middleware(get_response):
    return get_response


class MasksURLs(SafeExceptionReporterFilter):
    hidden_settings = re.compile("URL", re.IGNORECASE)


class MasksAll(SafeExceptionReporterFilter):
    hidden_settings = re.compile("MAILERS")


def message(number, text, hint=None):
    """A message of the app's, by default with the cure of the table as its hint."""
    level = checks.Error if number.startswith("E") else checks.Warning
    cures = {problem.id: problem.cure for problem in PROBLEMS}
    return level(text, hint=hint or cures[f"mailers.{number}"], id=f"mailers.{number}")


class Case(NamedTuple):
    """Entries of MAILERS and other settings, and all that is found."""

    entries: Any
    messages: list[checks.CheckMessage]
    settings: dict[str, Any] = {}

    @property
    def ids(self):
        return {message.id for message in self.messages}


# What is said of it when it is used, too, and in the same words.
SAID_AT_USE = [
    Case(
        {"bulk": {"BACKEND": "mailprovider.EmailBackend"}},
        [
            message(
                "E004",
                "MAILERS['bulk']: Could not find BACKEND 'mailprovider.EmailBackend': No module "
                "named 'mailprovider'",
            )
        ],
    ),
    Case(
        {"bulk": {"BACKEND": "django.core.mail.backend.smtp.EmailBackend", **GOOD}},
        [
            message(
                "E004",
                "MAILERS['bulk']: Could not find BACKEND "
                "'django.core.mail.backend.smtp.EmailBackend': No module named "
                "'django.core.mail.backend'",
                f"Did you mean '{SMTP}'?",
            )
        ],
    ),
    Case(
        {"bulk": {"BACKEND": "smtp"}},
        [
            message(
                "E004",
                "MAILERS['bulk']: Could not find BACKEND 'smtp': smtp doesn't look like a module "
                "path",
            )
        ],
    ),
    Case(
        {"bulk": {"OPTIONS": {"host": "smtp.example.com", "alias": "other"}}},
        [message("E007", "MAILERS['bulk']: OPTIONS must not define 'alias'.")],
    ),
    Case(
        {"bulk": {"OPTIONS": {"host": "smtp.example.com", "user": "shop"}}},
        [message("E008", "MAILERS['bulk']: Unknown options 'user'.", "Did you mean 'username'?")],
    ),
    Case(
        {"bulk": {"OPTIONS": {"host": "smtp.example.com", "user": "shop", "Passwd": "s3cr3t"}}},
        [
            message(
                "E008",
                "MAILERS['bulk']: Unknown options 'user', 'Passwd'.",
                "Did you mean 'username' for 'user' and 'password' for 'Passwd'?",
            )
        ],
    ),
    Case(
        {
            "bulk": {
                "BACKEND": CONSOLE,
                "OPTIONS": {"host": "smtp.example.com", "use_tls": True, "fail_silently": True},
            }
        },
        [
            message(
                "E008",
                "MAILERS['bulk']: Unknown options 'host', 'use_tls'.",
                "'host' and 'use_tls' are options of SMTP. Choose whole entries, BACKEND together "
                "with its OPTIONS.",
            )
        ],
    ),
    Case(
        {"bulk": {"BACKEND": CONSOLE, "OPTIONS": {"timeout": 1, "steam": 1, "color": 1}}},
        [
            message(
                "E008",
                "MAILERS['bulk']: Unknown options 'timeout', 'steam', 'color'.",
                "Did you mean 'stream' for 'steam'? 'timeout' is an option of SMTP. Choose whole "
                "entries, BACKEND together with its OPTIONS. The backend takes 'stream' and "
                "'fail_silently'.",
            )
        ],
    ),
    Case(
        {"bulk": {"BACKEND": DUMMY, "OPTIONS": {"colour": 1}}},
        [
            message(
                "E008",
                "MAILERS['bulk']: Unknown options 'colour'.",
                "The backend takes no options.",
            )
        ],
    ),
    # fail_silently is an option of those that say so, and BaseEmailBackend is none of them.
    Case(
        {"bulk": {"BACKEND": LOCMEM, "OPTIONS": {"fail_silently": True}}},
        [
            message(
                "E008",
                "MAILERS['bulk']: Unknown options 'fail_silently'.",
                "'fail_silently' is an option of SMTP. Choose whole entries, BACKEND together with "
                "its OPTIONS.",
            )
        ],
    ),
    Case(
        {"bulk": {"BACKEND": f"{HERE}.BelowWithKey", "OPTIONS": {"api_key": "x", "retry": 1}}},
        [message("E008", "MAILERS['bulk']: Unknown options 'retry'.", "Did you mean 'retries'?")],
    ),
    Case({"bulk": {}}, [message("E009", "MAILERS['bulk']: OPTIONS must define 'host'.")]),
    Case(
        {"bulk": {"OPTIONS": {"host": None}}},
        [message("E009", "MAILERS['bulk']: OPTIONS must define 'host'.")],
    ),
    Case(
        {"bulk": {"BACKEND": FILEBASED}},
        [message("E009", "MAILERS['bulk']: OPTIONS must define 'file_path'.")],
    ),
    Case(
        {"bulk": {"OPTIONS": {"host": "smtp.example.com", "use_tls": True, "use_ssl": True}}},
        [
            message(
                "E011",
                "MAILERS['bulk']: The 'use_ssl' and 'use_tls' OPTIONS are incompatible. Set at "
                "most one of them to True.",
            )
        ],
    ),
]

# What fails later, with an error that says less, or loses mail without any.
SAID_HERE = [
    *(
        Case(value, [message("E001", f"MAILERS must be a dict, not of type {name}.")])
        for value, name in [(None, "NoneType"), (["default"], "list")]
    ),
    Case(
        {"bulk": None},
        [message("E002", "MAILERS['bulk']: The entry must be a dict, not of type NoneType.")],
    ),
    *(
        Case(
            {"bulk": {"OPTIONS": options}},
            [message("E003", "MAILERS['bulk']: OPTIONS must be a dict whose keys are strings.")],
        )
        for options in [None, ["host"], {1: "smtp.example.com"}]
    ),
    Case(
        {"bulk": {"BACKEND": None}},
        [message("E004", "MAILERS['bulk']: BACKEND must be a dotted path, not of type NoneType.")],
    ),
    Case(
        {"bulk": {"BACKEND": "django.core.mail.backends.smtp", **GOOD}},
        [
            message(
                "E005",
                "MAILERS['bulk']: BACKEND 'django.core.mail.backends.smtp' is no class.",
                f"Did you mean '{SMTP}'?",
            )
        ],
    ),
    Case(
        {"bulk": {"BACKEND": f"{HERE}.factory"}},
        [message("E005", f"MAILERS['bulk']: BACKEND '{HERE}.factory' is no class.")],
    ),
    *(
        Case(
            {"bulk": {"BACKEND": path}},
            [
                message(
                    "E005", f"MAILERS['bulk']: BACKEND '{path}' does not define send_messages()."
                )
            ],
        )
        for path in [f"{HERE}.Abstract", "pathlib.Path", BASE]
    ),
    *(
        Case(
            {"bulk": {"BACKEND": path}},
            [
                message(
                    "E006",
                    f"MAILERS['bulk']: The __init__() of BACKEND '{path}' does not take 'alias'.",
                )
            ],
            {"MAILERS_BRIDGE": False},
        )
        for path in [f"{HERE}.OfOld", f"{HERE}.NoConstructor"]
    ),
    Case(
        {"bulk": {"BACKEND": f"{HERE}.HandsOnOfOld"}},
        [
            message(
                "E006",
                f"MAILERS['bulk']: The __init__() of BACKEND '{HERE}.HandsOnOfOld' hands on "
                f"'fail_silently', which '{BASE}' refuses.",
            )
        ],
        {"MAILERS_BRIDGE": False},
    ),
    Case(
        {"bulk": {"BACKEND": f"{HERE}.Complete", "OPTIONS": {"uri": "x"}}},
        [
            message("E008", "MAILERS['bulk']: Unknown options 'uri'.", "Did you mean 'url'?"),
            message("E009", "MAILERS['bulk']: OPTIONS must define 'url'."),
        ],
    ),
    # Not an option any more: the class gives it to its base class itself.
    Case(
        {"bulk": {"BACKEND": f"{HERE}.FixedHost", "OPTIONS": {"host": "smtp.example.com"}}},
        [
            message(
                "E008",
                "MAILERS['bulk']: Unknown options 'host'.",
                "The backend takes 'port', 'username', 'password', 'use_tls', 'fail_silently', "
                "'use_ssl', 'timeout', 'ssl_keyfile' and 'ssl_certfile'.",
            )
        ],
    ),
    Case(
        {"bulk": {"BACKEND": f"{HERE}.BelowWithKey"}},
        [message("E009", "MAILERS['bulk']: OPTIONS must define 'api_key'.")],
    ),
    *(
        Case(
            {"bulk": {"OPTIONS": {"host": "smtp.example.com", name: value}}},
            [message("E010", f"MAILERS['bulk']: OPTIONS '{name}' must be {expected}.", hint)],
        )
        for name, value, expected, hint in [
            ("port", "smtp", "an int from 0 to 65535", None),
            ("port", 65536, "an int from 0 to 65535", "The value is out of range."),
            ("port", 25.5, "an int from 0 to 65535", "The value is of type float."),
            ("port", True, "an int from 0 to 65535", "The value is of type bool."),
            ("timeout", "10", "a number of seconds greater than 0", None),
            ("timeout", 0, "a number of seconds greater than 0", "The value is out of range."),
            ("username", 7, "a str", "The value is of type int."),
            ("password", b"x", "a str", "The value is of type bytes."),
            ("ssl_certfile", 7, "a str or a Path", "The value is of type int."),
        ]
    ),
    Case(
        {"bulk": {"OPTIONS": {"host": ""}}},
        [
            message(
                "E010",
                "MAILERS['bulk']: OPTIONS 'host' must be a str that is not empty.",
                "The value is empty.",
            )
        ],
    ),
    *(
        Case(
            {"bulk": {"BACKEND": OURS, "OPTIONS": {"host": "localhost", name: value}}},
            [message("E010", f"MAILERS['bulk']: OPTIONS '{name}' must be {expected}.", hint)],
        )
        for name, value, expected, hint in [
            ("port", "smtp", "an int from 0 to 65535", None),
            ("pool_size", "4", "an int, 0 or greater", None),
            ("pool_size", -1, "an int, 0 or greater", "The value is out of range."),
            ("parallel", True, "an int greater than 0", "The value is of type bool."),
            ("check_after", -1, "a number of seconds, 0 or greater", "The value is out of range."),
            ("pipelining", "on", "'auto' or False", "No other value is known."),
            ("tls_min_version", "1.1", "'1.2' or '1.3'", "No other value is known."),
            ("tls_min_version", 1.2, "'1.2' or '1.3'", "The value is of type float."),
            ("auth", "", "'xoauth2'", "The value is empty."),
        ]
    ),
    Case(
        {
            "bulk": {
                "BACKEND": OURS,
                "OPTIONS": {
                    "host": "smtp.example.com",
                    "pool_size": 0,
                    "max_idle": 0.5,
                    "acquire_timeout": None,
                    "chunking": False,
                    "source_address": ("192.0.2.1", 0),
                    "use_tls": True,
                    "ca_file": Path("ca.pem"),
                    "auth": "xoauth2",
                    "username": "shop",
                    "token": len,
                },
            }
        },
        [],
    ),
    *(
        Case(
            {"bulk": {"BACKEND": backend, "OPTIONS": {"host": "localhost", **options}}},
            [
                message(
                    "E016",
                    f"MAILERS['bulk']: OPTIONS {problem}",
                    "Add the other option, or remove this one.",
                )
            ],
        )
        for backend, options, problem in [
            (OURS, {"parallel": 5}, "'parallel' must not be greater than 'pool_size'."),
            (OURS, {"ca_file": "ca.pem"}, "'ca_file' needs 'use_tls' or 'use_ssl'."),
            (f"{HERE}.Renamed", {"ssl_keyfile": "k.pem"}, "'ssl_keyfile' needs 'ssl_certfile'."),
            (OURS, {"auth": "xoauth2"}, "'auth' needs 'username' and 'token'."),
            (OURS, {"token": "a.b"}, "'token' needs 'auth', which must be 'xoauth2'."),
        ]
    ),
    # A subclass may add what is missing.
    Case(
        {
            "bulk": {
                "BACKEND": f"{HERE}.AlwaysTLS",
                "OPTIONS": {"host": "localhost", "ca_file": "ca.pem"},
            }
        },
        [],
    ),
    Case(
        {"bulk": {"BACKEND": OURS, "OPTIONS": {"host": "localhost", "poolsize": 4}}},
        [
            message(
                "E008",
                "MAILERS['bulk']: Unknown options 'poolsize'.",
                "Did you mean 'pool_size'?",
            )
        ],
    ),
    Case(
        {"bulk": {"BACKEND": FILEBASED, "OPTIONS": {"file_path": 7}}},
        [
            message(
                "E010",
                "MAILERS['bulk']: OPTIONS 'file_path' must be a str or a Path.",
                "The value is of type int.",
            )
        ],
    ),
    Case(
        {"bulk": {"BACKEND": CONSOLE, "OPTIONS": {"stream": "stdout"}}},
        [
            message(
                "E010",
                "MAILERS['bulk']: OPTIONS 'stream' must be a text file.",
                "The value is of type str.",
            )
        ],
    ),
    *(
        Case(
            {"bulk": {"BACKEND": f"{HERE}.{backend}", "OPTIONS": {option: value}}},
            [message("E010", f"MAILERS['bulk']: OPTIONS '{option}' must be {expected}.", hint)],
        )
        for backend, option, value, expected, hint in [
            ("Using", "using", 7, "the alias of a mailer", "The value is of type int."),
            ("Several", "mailers", "default", "a list of aliases", "The value is of type str."),
            ("Several", "mailers", [7], "a list of aliases", "The value is of type list."),
        ]
    ),
    Case(
        {
            "default": DEFAULT,
            "one": {"BACKEND": f"{HERE}.Using", "OPTIONS": {"using": "defualt"}},
            "two": {"BACKEND": f"{HERE}.Several", "OPTIONS": {"mailers": ["one", "sms"]}},
        },
        [
            message(
                "E012",
                "MAILERS['one']: OPTIONS 'using' names 'defualt', which is not in MAILERS.",
                "Did you mean 'default'?",
            ),
            message(
                "E012",
                "MAILERS['two']: OPTIONS 'mailers' names 'sms', which is not in MAILERS.",
                "MAILERS defines 'default', 'one' and 'two'.",
            ),
        ],
    ),
    Case(
        {
            "self": {"BACKEND": f"{HERE}.Using", "OPTIONS": {"using": "self"}},
            "before": {"BACKEND": f"{HERE}.Using", "OPTIONS": {"using": "a"}},
            "a": {"BACKEND": f"{HERE}.Several", "OPTIONS": {"mailers": ["default", "b"]}},
            "b": {"BACKEND": f"{HERE}.Using", "OPTIONS": {"using": "a"}},
            "default": DEFAULT,
        },
        [
            message(
                "E013",
                "MAILERS['self']: OPTIONS lead back to the mailer itself: 'self' -> 'self'.",
            ),
            message(
                "E013", "MAILERS['a']: OPTIONS lead back to the mailer itself: 'a' -> 'b' -> 'a'."
            ),
        ],
    ),
    *(
        Case(
            {"default": DEFAULT},
            [
                message(
                    "E014",
                    "LOGGING['handlers']['mail']: 'using' names 'reports', which is not in "
                    "MAILERS.",
                    "MAILERS defines 'default'.",
                )
            ],
            {"LOGGING": {"handlers": {"mail": {**handler, "using": "reports"}}}},
        )
        for handler in [
            {"class": "django.utils.log.AdminEmailHandler"},
            {"class": f"{HERE}.Handler"},
            {"()": Handler},
        ]
    ),
    Case(
        {"default": DEFAULT, "report": DEFAULT},
        [
            message(
                "E015",
                f"MIDDLEWARE: 'using' of '{HERE}.LinkMiddleware' names 'reports', which is not in "
                "MAILERS.",
                "Did you mean 'report'?",
            )
        ],
        {"MIDDLEWARE": [f"{HERE}.LinkMiddleware"]},
    ),
]

# What Django does, but not what was meant.
WARNED_OF = [
    Case(
        {"bulk": {**GOOD, "OPTION": {}, "DEFAULTS": {}, 7: {}}},
        [
            message(
                "W001", "MAILERS['bulk']: The key 'OPTION' is ignored.", "Did you mean 'OPTIONS'?"
            ),
            message("W001", "MAILERS['bulk']: The key 'DEFAULTS' is ignored."),
            message("W001", "MAILERS['bulk']: The key 7 is ignored."),
        ],
    ),
    *(
        Case(
            {"bulk": {"OPTIONS": {"host": "smtp.example.com", name: value}}},
            [
                message(
                    "W002",
                    f"MAILERS['bulk']: OPTIONS '{name}' should be {expected}, and is a str.",
                    hint,
                )
            ],
        )
        for name, value, expected, hint in [
            (
                "port",
                "587",
                "an int",
                "Convert the value, as with int(os.environ['SMTP_PORT']).",
            ),
            ("use_tls", "False", "a bool", None),
            ("fail_silently", "", "a bool", None),
        ]
    ),
    *(
        Case(
            {"bulk": {"OPTIONS": {"host": host, "username": "shop", "password": "s3cr3t"}}},
            [message("W004", "MAILERS['bulk']: The password goes over the network in plain text.")],
        )
        for host in ["smtp.example.com", "192.0.2.1", "2001:db8::1", "localhost.example.com"]
    ),
    *(
        Case(
            {"bulk": {"BACKEND": backend, "OPTIONS": {"host": "smtp.example.com", **options}}},
            [message("W009", f"MAILERS['bulk']: {text}")],
        )
        for backend in [SMTP, OURS]
        for options, text in [
            (
                {"port": 465, "use_tls": True},
                "OPTIONS 'use_tls' is set, but port 465 speaks TLS from the first byte.",
            ),
            (
                {"port": 465},
                "OPTIONS 'use_ssl' is not set, but port 465 speaks TLS from the first byte.",
            ),
            (
                {"port": 587, "use_ssl": True},
                "OPTIONS 'use_ssl' is set, but port 587 speaks TLS only after STARTTLS.",
            ),
        ]
    ),
    *(
        Case(
            {"bulk": {"BACKEND": f"{HERE}.Swallows", "OPTIONS": {name: value}}},
            [
                message(
                    "W005", f"MAILERS['bulk']: Error reports show the secret in OPTIONS '{name}'."
                )
            ],
        )
        for name, value in [
            ("url", "smtp+tls://shop:s3cr3t@smtp.example.com:587/?x=1"),
            ("urls", ["https://example.com", "https://shop:s3cr3t@example.com"]),
            ("transport", {"proxy": "socks5://shop:s3cr3t@example.com"}),
            ("pem", "-----BEGIN RSA PRIVATE KEY-----\nMII"),
            ("smtp_pwd", "s3cr3t"),
            ("credentials", ("shop", "s3cr3t")),
        ]
    ),
    Case(
        {"bulk": {**GOOD, "URL": "smtp://shop:s3cr3t@smtp.example.com"}},
        [
            message("W001", "MAILERS['bulk']: The key 'URL' is ignored."),
            message("W005", "MAILERS['bulk']: Error reports show the secret in 'URL'."),
        ],
    ),
    Case(
        {"default": GOOD},
        [message("W008", "EMAIL_HOST has no effect beside MAILERS.")],
        {"EMAIL_HOST": "smtp.example.com"},
    ),
    Case(
        {"default": GOOD},
        [message("W008", "EMAIL_BACKEND, EMAIL_PORT have no effect beside MAILERS.")],
        {"EMAIL_PORT": 25, "EMAIL_BACKEND": LOCMEM},
    ),
]

# What is as it should be, or cannot be known without making a backend.
FINE = [
    *(
        Case({"bulk": entry}, [])
        for entry in [
            GOOD,
            {
                "OPTIONS": {
                    "host": "smtp.example.com",
                    "port": 587,
                    "username": "shop",
                    "password": "s3cr3t",
                    "use_tls": True,
                    "use_ssl": None,
                    "timeout": 2.5,
                    "ssl_certfile": Path("/srv/cert.pem"),
                    "ssl_keyfile": None,
                    "fail_silently": 0,
                }
            },
            # Nobody logs in, or nobody else listens.
            {"OPTIONS": {"host": "smtp.example.com", "username": "shop", "password": ""}},
            *(
                {"OPTIONS": {"host": host, "username": "shop", "password": "s3cr3t"}}
                for host in ["localhost", "Mail.Localhost.", "127.0.0.2", "::1"]
            ),
            {"BACKEND": CONSOLE, "OPTIONS": {"stream": None, "fail_silently": True}},
            {"BACKEND": LOCMEM},
            {"BACKEND": DUMMY, "OPTIONS": {}},
            {"BACKEND": f"{HERE}.Plain"},
            {"BACKEND": f"{HERE}.BelowWithKey", "OPTIONS": {"api_key": "x", "retries": 1}},
            {"BACKEND": f"{HERE}.WithKeyOfItsOwn", "OPTIONS": {"region": "us"}},
            {"BACKEND": f"{HERE}.FixedHost", "OPTIONS": {"port": 25}},
            {
                "BACKEND": f"{HERE}.OwnPort",
                "OPTIONS": {"host": "smtp.example.com", "port": "submission"},
            },
            {"BACKEND": f"{HERE}.Pops", "OPTIONS": {"api_key": "x"}},
            {"BACKEND": f"{HERE}.Swallows", "OPTIONS": {"anything": "x"}},
            {"BACKEND": f"{HERE}.KeepsAlias", "OPTIONS": {"anything": "x"}},
            {"BACKEND": f"{HERE}.ByPosition", "OPTIONS": {"server": "x"}},
            {"BACKEND": f"{HERE}.ByName", "OPTIONS": {"anything": "x"}},
            {"BACKEND": f"{HERE}.NotDerived", "OPTIONS": {"anything": "x"}},
            {"BACKEND": f"{HERE}.Complete", "OPTIONS": {"url": "x"}},
            {"BACKEND": f"{HERE}.WithoutConstructor", "OPTIONS": {"anything": "x"}},
            {"BACKEND": f"{HERE}.OfMeta", "OPTIONS": {"anything": "x"}},
            {"BACKEND": f"{HERE}.Decorated", "OPTIONS": {"anything": "x"}},
            {"BACKEND": f"{HERE}.Sourceless", "OPTIONS": {"anything": "x"}},
            {"BACKEND": f"{HERE}.OtherUsing", "OPTIONS": {"using": "replica"}},
            {"BACKEND": RECORDING, "OPTIONS": {"log": [], "anything": "x"}},
            {"BACKEND": f"{HERE}.Using", "OPTIONS": {"using": None}},
            {
                "BACKEND": f"{HERE}.Swallows",
                "OPTIONS": {
                    "url": "https://shop@example.com:8025/a:b@c",
                    "api_url": "https://shop:s3cr3t@example.com",
                    "credentials": "/srv/service-account.json",
                    "pwd": "",
                },
            },
        ]
    ),
    Case({}, []),
    Case(
        {
            "default": DEFAULT,
            "a": {"BACKEND": f"{HERE}.Several", "OPTIONS": {"mailers": ("b", "c")}},
            "b": {"BACKEND": f"{HERE}.Several", "OPTIONS": {"mailers": {"c": 3, "default": 1}}},
            "c": {"BACKEND": f"{HERE}.Using", "OPTIONS": {"using": "default"}},
        },
        [],
    ),
    # Mail is turned off, reports included.
    Case(
        {},
        [],
        {
            "LOGGING": {"handlers": {"mail": {"class": f"{HERE}.Handler", "using": "reports"}}},
            "MIDDLEWARE": [f"{HERE}.LinkMiddleware"],
        },
    ),
    Case(
        {"reports": DEFAULT},
        [],
        {
            "LOGGING": {
                "handlers": {
                    "mail": {"class": f"{HERE}.Handler", "using": "reports"},
                    "default": {"class": f"{HERE}.Handler"},
                    "other": {"class": "logging.StreamHandler", "using": "replica"},
                    "missing": {"class": "nowhere.Handler", "using": "replica"},
                    "made": {"()": lambda using: None, "using": "replica"},
                }
            },
            "MIDDLEWARE": [
                "django.middleware.common.BrokenLinkEmailsMiddleware",
                f"{HERE}.LinkMiddleware",
                f"{HERE}.DatabaseMiddleware",
                f"{HERE}.function_middleware",
                "nowhere.Middleware",
            ],
        },
    ),
    *(
        Case(
            {"bulk": {"BACKEND": backend, "OPTIONS": {"host": "smtp.example.com", **options}}},
            [],
        )
        for backend in [SMTP, OURS]
        for options in [
            {"port": 465, "use_ssl": True},
            {"port": 587, "use_tls": True},
            {"port": 587},
            {"use_tls": True},
            {"use_ssl": True},
        ]
    ),
    *(
        Case(
            {"bulk": {"BACKEND": f"{HERE}.Swallows", "OPTIONS": {"url": "smtp://a:b@example.com"}}},
            [],
            {"DEFAULT_EXCEPTION_REPORTER_FILTER": f"{HERE}.{reporter_filter}"},
        )
        for reporter_filter in ["MasksURLs", "MasksAll"]
    ),
    # The bridge makes them work.
    *(
        Case({"bulk": {"BACKEND": f"{HERE}.{backend}"}}, [], {"MAILERS_BRIDGE": True})
        for backend in ["OfOld", "HandsOnOfOld"]
    ),
]
CASES = [*SAID_AT_USE, *SAID_HERE, *WARNED_OF, *FINE]


def run(*, deploy=False):
    """Run the registered checks of the app alone: some of Django's cannot bear a MAILERS that is no
    dict."""
    return [
        message
        for check in registry.registry.get_checks(deploy)
        if check.__module__.startswith("django_mailers.checks")
        for message in check(app_configs=None)
    ]


def settings_of(case):
    # Without LOGGING_CONFIG, or Django would make the handlers.
    return override_settings(MAILERS=case.entries, LOGGING_CONFIG=None, **case.settings)


@ignore_deprecations()
class CheckTests(SimpleTestCase):
    maxDiff = None

    def test_messages(self):
        for case in CASES:
            with self.subTest(entries=case.entries, settings=case.settings), settings_of(case):
                self.assertEqual(run(), case.messages)

    def test_errors_are_those_of_use(self):
        """What the checks say is what Django says, word for word, when it makes the mailer."""
        for case in SAID_AT_USE:
            with (
                self.subTest(entries=case.entries),
                settings_of(case),
                self.assertRaises(InvalidMailer) as caught,
            ):
                mailers["bulk"]
            self.assertEqual([str(caught.exception)], [message.msg for message in case.messages])

    def test_no_error_for_what_works(self):
        """Each mailer that is fine, or no more than warned of, can be made."""
        for case in [*WARNED_OF, *FINE]:
            if case.settings.get("MAILERS_BRIDGE"):
                continue  # on 6.1 it would have to be built when the process starts
            with self.subTest(entries=case.entries), settings_of(case):
                for alias in mailers:
                    self.assertTrue(callable(mailers[alias].send_messages))

    def test_an_exception_of_the_module_is_reported_without_its_text(self):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "failing_backend.py").write_text("raise ValueError('s3cr3t')\n")
            entries = {"bulk": {"BACKEND": "failing_backend.EmailBackend"}}
            with extend_sys_path(folder), self.settings(MAILERS=entries):
                found = run()
        text = (
            "MAILERS['bulk']: Importing BACKEND 'failing_backend.EmailBackend' raised ValueError."
        )
        hint = "Import it in `manage.py shell` to see where."
        self.assertEqual(found, [message("E004", text, hint)])

    def test_values_of_options_are_not_shown(self):
        for case in CASES:
            with self.subTest(entries=case.entries), settings_of(case):
                shown = " ".join(f"{m.msg} {m.hint}" for m in run())
                self.assertEqual(re.findall("s3cr3t|example[.]com|192.0.2.1", shown), [])

    def test_without_mailers(self):
        with legacy_settings(EMAIL_BACKEND=CONSOLE, EMAIL_HOST="smtp.example.com"):
            self.assertEqual(run(deploy=True), [])

    def test_a_deleted_setting_is_not_defined(self):
        with override_settings(MAILERS={"default": GOOD}, EMAIL_PORT=25):
            del settings.EMAIL_PORT
            self.assertEqual(run(), [])

    def test_nothing_is_made_or_touched(self):
        """No backend is made, no folder, no connection. SimpleTestCase forbids any query."""
        with (
            tempfile.TemporaryDirectory() as folder,
            socket.create_server(("127.0.0.1", 0)) as server,
        ):
            server.setblocking(False)
            path = Path(folder, "mail")
            options = {"host": "127.0.0.1", "port": server.getsockname()[1]}
            entries = {
                "default": {"OPTIONS": options},
                "files": {"BACKEND": FILEBASED, "OPTIONS": {"file_path": path}},
                "made": {"BACKEND": f"{HERE}.NeverMade", "OPTIONS": options},
            }
            with self.settings(MAILERS=entries):
                self.assertEqual([m.id for m in run(deploy=True)], ["mailers.W003"])
            self.assertFalse(path.exists())
            with self.assertRaises(BlockingIOError):
                server.accept()

    def test_settings_are_read_at_each_run(self):
        for entries, ids in [({"bulk": {}}, ["mailers.E009"]), ({"bulk": GOOD}, [])] * 2:
            with self.settings(MAILERS=entries):
                self.assertEqual([m.id for m in run()], ids)


class DeploymentTests(SimpleTestCase):
    def test_backends_for_development(self):
        entries = {
            "printed": {"BACKEND": CONSOLE},
            "stored": {"BACKEND": FILEBASED, "OPTIONS": {"file_path": "/srv/mail"}},
            "kept": {"BACKEND": LOCMEM},
            "dropped": {"BACKEND": DUMMY},
            "sent": GOOD,
            "own": {"BACKEND": f"{HERE}.Plain"},
            # The same class by another path.
            "default": {"BACKEND": f"{HERE}.ReexportedConsole"},
            "broken": {"BACKEND": "nowhere.EmailBackend"},
        }
        backends = {
            "printed": CONSOLE,
            "stored": FILEBASED,
            "kept": LOCMEM,
            "dropped": DUMMY,
            "default": CONSOLE,
        }
        with self.settings(MAILERS=entries):
            found = [m for m in run(deploy=True) if m not in run()]
        self.assertEqual(
            found,
            [
                message("W003", f"MAILERS[{alias!r}]: {path} does not send mail.")
                for alias, path in backends.items()
            ],
        )

    def test_the_default_mailer_is_left_to_django(self):
        for path in [CONSOLE, DUMMY, FILEBASED, LOCMEM]:
            options = {"file_path": "/srv/mail"} if path == FILEBASED else {}
            entries = {"default": {"BACKEND": path, "OPTIONS": options}}
            with self.subTest(path=path), self.settings(MAILERS=entries):
                self.assertEqual(run(deploy=True), [])

    def test_what_is_no_dict_is_reported_once(self):
        with self.settings(MAILERS=None):
            self.assertEqual([m.id for m in run(deploy=True)], ["mailers.E001"])


class DjangosChecksTests(SimpleTestCase):
    """mail.W001 and mail.E001: Django's own on 6.1, the backport's on 5.2 and 6.0."""

    def run_djangos(self, *, deploy):
        found = checks.run_checks(tags=["mail"], include_deployment_checks=deploy)
        return [message for message in found if message.id.startswith("mail.")]

    def test_default_alias(self):
        text = (
            "Your MAILERS setting has no 'default' entry. Sending email without a valid mailer "
            "will fail."
        )
        for entries, hint in [
            (
                {"bulk": GOOD},
                "Add a 'default' entry to MAILERS, or pass 'using' when sending email.",
            ),
            ({}, "Add a 'default' entry to MAILERS."),
        ]:
            for deploy in [False, True]:
                with self.subTest(entries=entries, deploy=deploy), self.settings(MAILERS=entries):
                    self.assertEqual(
                        self.run_djangos(deploy=deploy),
                        [checks.Warning(text, hint=hint, id="mail.W001")],
                    )

    def test_production_backend(self):
        hint = (
            "Use a production-ready email backend, such as the SMTP backend, otherwise email will "
            "not be sent."
        )
        for path in [CONSOLE, DUMMY, FILEBASED, LOCMEM]:
            text = (
                "Your MAILERS setting uses a development-only email backend in the 'default' entry "
                f"({path})."
            )
            with self.subTest(path=path), self.settings(MAILERS={"default": {"BACKEND": path}}):
                self.assertEqual(self.run_djangos(deploy=False), [])
                self.assertEqual(
                    self.run_djangos(deploy=True), [checks.Error(text, hint=hint, id="mail.E001")]
                )

    def test_no_message(self):
        for entries in [
            {"default": GOOD},
            {"default": {"BACKEND": SMTP}},
            {"default": {"BACKEND": f"{HERE}.ReexportedConsole"}},
            {"default": {}, "bulk": {"BACKEND": CONSOLE}},
        ]:
            with self.subTest(entries=entries), self.settings(MAILERS=entries):
                self.assertEqual(self.run_djangos(deploy=True), [])

    def test_tag(self):
        self.assertEqual(checks.Tags.mail, "mail")


class RegistrationTests(SimpleTestCase):
    def registered(self):
        found = [
            (check.__name__, check.tags)
            for check in registry.registry.get_checks(include_deployment_checks=True)
            if check.__module__.startswith("django_mailers.checks")
        ]
        return sorted(found)

    def test_once_however_often_the_app_gets_ready(self):
        expected = [("check_deployment", ("mail",)), ("check_mailers", ("mail",))]
        self.assertEqual(self.registered(), expected)
        apps.get_app_config("django_mailers").ready()
        self.assertEqual(self.registered(), expected)


# Modules of a project, the first two imported before the app is installed.
PROJECT = {
    "early": """
        try:
            from django.core.mail import InvalidMailer, MailerDoesNotExist, mailers
        except ImportError:
            mailers = None
            class InvalidMailer(Exception):
                pass
            MailerDoesNotExist = KeyError
    """,
    "replacing": """
        from django.core import mail

        def custom(*args, **kwargs):
            pass

        mail.send_mail = custom
    """,
    "odd": """
        import importlib.util
        import sys
        import types

        class Claimant:
            # As cffi does it.
            __slots__ = ()
            __class__ = types.ModuleType

        sys.modules["claimant"] = Claimant()
        spec = importlib.util.find_spec("early")
        spec.loader = importlib.util.LazyLoader(spec.loader)
        lazy = importlib.util.module_from_spec(spec)
        sys.modules["lazy"] = lazy
        spec.loader.exec_module(lazy)
    """,
    "late": """
        from django.core.mail import InvalidMailer, mailers as mail_senders

        # Something else.
        mailers = {}
    """,
}
REPLACED = message(
    "W006",
    "django.core.mail.send_mail was replaced before django_mailers was installed, by custom "
    "({folder}/replacing.py:4).",
)
EARLY = message(
    "W007",
    "early was imported before django_mailers was installed, and has its own 'InvalidMailer' and "
    "'mailers'.",
)


class InstallationTests(SimpleTestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        for name, source in PROJECT.items():
            (self.folder / f"{name}.py").write_text(textwrap.dedent(source))

    def found_by(self, *parts):
        """What is found in a process that has run these lines."""
        source = "\n".join(
            [
                *parts,
                "import json",
                "from django.core.checks import run_checks",
                "found = run_checks(tags=['mail'])",
                "print(json.dumps([[m.level, m.msg, m.hint, m.id] for m in found]))",
            ]
        )
        process = run_python(source, folder=self.folder)
        self.assertEqual((process.returncode, process.stderr), (0, ""))
        return [
            {checks.WARNING: checks.Warning, checks.ERROR: checks.Error}[level](
                text, hint=hint, id=name
            )
            for level, text, hint, name in json.loads(process.stdout)
        ]

    def test_too_late(self):
        found = self.found_by("import early, replacing", "configure()", "import late")
        replaced = copy.copy(REPLACED)
        replaced.msg = replaced.msg.format(folder=self.folder)
        # Django 6.1 has had these names all along.
        self.assertEqual(found, [replaced, EARLY] if polyfill.installed() else [])

    def test_modules_that_are_none_or_not_loaded_are_left_alone(self):
        found = self.found_by(
            "import odd",
            "configure()",
            "from django.core.checks import run_checks",
            "run_checks(tags=['mail'])",
            "assert 'mailers' not in object.__getattribute__(odd.lazy, '__dict__')",
            "assert isinstance(odd.sys.modules['claimant'], odd.types.ModuleType)",
        )
        self.assertEqual(found, [])

    def test_in_time(self):
        found = self.found_by("configure()", "import early, replacing, late")
        self.assertEqual(found, [])


@tag("slow")
class CommandTests(SimpleTestCase):
    """`manage.py check` in a process of its own."""

    def check(self, *arguments, **settings):
        process = run_python(
            # First of all, for a handler with `using` in LOGGING (H5).
            f"""
            import django_mailers
            django_mailers.install()
            configure(**{settings!r})
            from django.core.management import execute_from_command_line
            execute_from_command_line(["manage.py", "check", *{arguments!r}])
            """
        )
        return process.returncode, process.stdout, process.stderr

    def test_a_clean_project(self):
        clean = {
            "ALLOWED_HOSTS": ["www.example.com"],
            "CSRF_COOKIE_SECURE": True,
            "INSTALLED_APPS": ["django.contrib.auth", "django.contrib.contenttypes"],
            "LOGGING": {
                "version": 1,
                "handlers": {
                    "mail": {"class": "django.utils.log.AdminEmailHandler", "using": "reports"}
                },
            },
            "MAILERS": {"default": GOOD, "reports": GOOD},
            "MIDDLEWARE": [
                "django.middleware.security.SecurityMiddleware",
                "django.middleware.common.BrokenLinkEmailsMiddleware",
                "django.middleware.csrf.CsrfViewMiddleware",
                "django.middleware.clickjacking.XFrameOptionsMiddleware",
            ],
            "SECRET_KEY": "".join(map(chr, range(33, 127))),
            "SECURE_HSTS_INCLUDE_SUBDOMAINS": True,
            "SECURE_HSTS_PRELOAD": True,
            "SECURE_HSTS_SECONDS": 3600,
            "SECURE_SSL_REDIRECT": True,
        }
        clean["INSTALLED_APPS"].append("django_mailers")
        for arguments in [(), ("--deploy", "--fail-level", "DEBUG")]:
            with self.subTest(arguments=arguments):
                self.assertEqual(
                    self.check(*arguments, **clean),
                    (0, "System check identified no issues (0 silenced).\n", ""),
                )

    def test_a_project_without_mailers(self):
        process = run_python(
            """
            from django.conf import settings
            settings.configure(INSTALLED_APPS=["django_mailers"], SECRET_KEY="x", USE_TZ=True)
            from django.core.management import execute_from_command_line
            execute_from_command_line(["manage.py", "check", "--deploy", "--tag", "mail"])
            """
        )
        self.assertEqual(
            (process.returncode, process.stdout, process.stderr),
            (0, "System check identified no issues (0 silenced).\n", ""),
        )

    def test_errors_stop_it_and_can_be_silenced(self):
        mailers = {"default": GOOD, "bulk": {"OPTIONS": {"port": 25}}}
        status, output, errors = self.check(MAILERS=mailers)
        self.assertEqual((status, output), (1, ""))
        self.assertEqual(
            errors,
            "SystemCheckError: System check identified some issues:\n\nERRORS:\n"
            "?: (mailers.E009) MAILERS['bulk']: OPTIONS must define 'host'.\n"
            "\tHINT: Add the option, or the BACKEND that is meant: without one an entry is SMTP."
            "\n\nSystem check identified 1 issue (0 silenced).\n",
        )
        self.assertEqual(
            self.check(MAILERS=mailers, SILENCED_SYSTEM_CHECKS=["mailers.E009"]),
            (0, "System check identified no issues (1 silenced).\n", ""),
        )


class TableTests(SimpleTestCase):
    maxDiff = None

    def test_every_id_is_emitted(self):
        """By these tests, which compare whole messages; and there is no id outside the table."""
        # Those of addresses are in test_checks_addresses.py.
        elsewhere = {"mailers.W003", "mailers.E017", "mailers.W010"}
        emitted = elsewhere.union({REPLACED.id, EARLY.id}, *(case.ids for case in CASES))
        self.assertEqual(sorted(emitted), sorted(problem.id for problem in PROBLEMS))
        self.assertEqual(len(PROBLEMS), len({problem.id for problem in PROBLEMS}))

    def test_documentation(self):
        """docs/checks.rst has the table, in its order and its words."""
        page = (REPOSITORY / "docs" / "checks.rst").read_text()
        sections = re.findall(
            r"^``(mailers\.\w+)``\n~+\n\n(.*?)\n\n\*Cause\*: (.*?)\n\n\*Cure\*: (.*?)\n(?=\n)",
            page + "\n",
            re.MULTILINE | re.DOTALL,
        )
        documented = [
            tuple(" ".join(text.replace("``", "").split()) for text in section)
            for section in sections
        ]
        self.assertEqual(documented, [tuple(problem) for problem in PROBLEMS])
        self.assertEqual(
            re.findall(r"^``(\w+\.[EW]\d+)``$", page, re.MULTILINE),
            ["mail.W001", "mail.E001", *(problem.id for problem in PROBLEMS)],
        )
