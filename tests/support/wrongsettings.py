"""Settings, and the errors that the checks find in them."""

from pathlib import Path
from typing import Any, NamedTuple

from django.core import checks

from django_mailers.checks.table import PROBLEMS

from .checked import DEFAULT, GOOD, HERE, Handler
from .utils import BASE, CONSOLE, DUMMY, FILEBASED, LOCMEM, OURS, SMTP


def message(number, text, hint=None):
    """A message of the app's, by default with the cure of the table as its hint."""
    level = checks.Error if number.startswith("E") else checks.Warning
    cures = {problem.id: problem.hint for problem in PROBLEMS}
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
                "'host' and 'use_tls' are options of SMTP. Change BACKEND and OPTIONS of an entry "
                "together.",
            )
        ],
    ),
    Case(
        {"bulk": {"BACKEND": CONSOLE, "OPTIONS": {"timeout": 1, "steam": 1, "color": 1}}},
        [
            message(
                "E008",
                "MAILERS['bulk']: Unknown options 'timeout', 'steam', 'color'.",
                "Did you mean 'stream' for 'steam'? 'timeout' is an option of SMTP. Change BACKEND "
                "and OPTIONS of an entry together. The backend takes 'stream' and "
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
                "'fail_silently' is an option of SMTP. Change BACKEND and OPTIONS of an entry "
                "together.",
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
                "MAILERS['bulk']: BACKEND 'django.core.mail.backends.smtp' is not a class.",
                f"Did you mean '{SMTP}'?",
            )
        ],
    ),
    Case(
        {"bulk": {"BACKEND": f"{HERE}.factory"}},
        [message("E005", f"MAILERS['bulk']: BACKEND '{HERE}.factory' is not a class.")],
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
                f"MAILERS['bulk']: The __init__() of BACKEND '{HERE}.HandsOnOfOld' passes on "
                f"'fail_silently', which '{BASE}' does not accept.",
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
            ("port", "smtp", "an int from 0 to 65535", "The value is not a number."),
            ("port", "65536", "an int from 0 to 65535", "The value is out of range."),
            ("port", 65536, "an int from 0 to 65535", "The value is out of range."),
            ("port", 25.5, "an int from 0 to 65535", "The value is of type float."),
            ("port", True, "an int from 0 to 65535", "The value is of type bool."),
            (
                "timeout",
                "10",
                "a number of seconds greater than 0",
                "Convert the value, as in float(os.environ['SMTP_TIMEOUT']).",
            ),
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
            ("port", "smtp", "an int from 0 to 65535", "The value is not a number."),
            (
                "pool_size",
                "4",
                "an int, 0 or greater",
                "Convert the value, as in int(os.environ['SMTP_POOL_SIZE']).",
            ),
            ("pool_size", "four", "an int, 0 or greater", "The value is not a number."),
            ("pool_size", -1, "an int, 0 or greater", "The value is out of range."),
            ("parallel", True, "an int greater than 0", "The value is of type bool."),
            ("check_after", -1, "a number of seconds, 0 or greater", "The value is out of range."),
            ("pipelining", "on", "'auto' or False", "No other value is allowed."),
            ("tls_min_version", "1.1", "'1.2' or '1.3'", "No other value is allowed."),
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
                    "Add or change the other option, or remove this one.",
                )
            ],
        )
        for backend, options, problem in [
            (OURS, {"parallel": 5}, "'parallel' must not be greater than 'pool_size'."),
            (OURS, {"ca_file": "ca.pem"}, "'ca_file' needs 'use_tls' or 'use_ssl'."),
            (f"{HERE}.Renamed", {"ssl_keyfile": "k.pem"}, "'ssl_keyfile' needs 'ssl_certfile'."),
            (OURS, {"auth": "xoauth2"}, "'auth' needs 'username' and 'token'."),
            (OURS, {"token": "os.getpid"}, "'token' needs 'auth', which must be 'xoauth2'."),
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
