"""Settings, and what the checks say of them."""

from pathlib import Path

from django.core.checks import registry
from django.test import override_settings

from .checked import DEFAULT, GOOD, HERE
from .utils import CONSOLE, DUMMY, LOCMEM, OURS, RECORDING, SMTP
from .wrongsettings import SAID_AT_USE, SAID_HERE, Case, message

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
                    f"MAILERS['bulk']: OPTIONS '{name}' should be {expected}, not a str.",
                    hint,
                )
            ],
        )
        for name, value, expected, hint in [
            (
                "port",
                "587",
                "an int",
                "Convert the value, as in int(os.environ['SMTP_PORT']).",
            ),
            ("use_tls", "False", "a bool", None),
            ("fail_silently", "", "a bool", None),
        ]
    ),
    *(
        Case(
            {"bulk": {"OPTIONS": {"host": host, "username": "shop", "password": "s3cr3t"}}},
            [
                message(
                    "W004", "MAILERS['bulk']: The password is sent over the network in plain text."
                )
            ],
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
                "OPTIONS 'use_tls' is set, but on port 465 TLS starts with the first byte.",
            ),
            (
                {"port": 465},
                "OPTIONS 'use_ssl' is not set, but on port 465 TLS starts with the first byte.",
            ),
            (
                {"port": 587, "use_ssl": True},
                "OPTIONS 'use_ssl' is set, but on port 587 TLS only starts after STARTTLS.",
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
        [message("W008", "EMAIL_HOST has no effect because MAILERS is defined.")],
        {"EMAIL_HOST": "smtp.example.com"},
    ),
    Case(
        {"default": GOOD},
        [
            message(
                "W008", "EMAIL_BACKEND and EMAIL_PORT have no effect because MAILERS is defined."
            )
        ],
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
        if check.__module__ == "django_mailers.apps"
        for message in check(app_configs=None)
    ]


def settings_of(case):
    # Without LOGGING_CONFIG, or Django would make the handlers.
    return override_settings(MAILERS=case.entries, LOGGING_CONFIG=None, **case.settings)
