"""Django's SMTP backend made from OPTIONS."""

import ssl
from unittest.mock import patch

from django.core import mail
from django.core.mail import InvalidMailer, mailers
from django.core.mail.backends import smtp
from django.test import SimpleTestCase

from .support.backends import mailer
from .support.utils import (
    SMTP,
    SMTP_OPTIONS,
    ExactErrors,
    legacy_settings,
    smtp_options,
)


class SmtpTests(ExactErrors, SimpleTestCase):
    """What the constructor makes of OPTIONS and of the settings of old."""

    defaults = {
        **dict.fromkeys(SMTP_OPTIONS),
        "host": "127.0.0.1",
        "port": 25,
        "use_tls": False,
        "use_ssl": False,
        "fail_silently": False,
    }
    legacy = {
        "EMAIL_HOST": "192.0.2.1",
        "EMAIL_PORT": 2525,
        "EMAIL_HOST_USER": "user",
        "EMAIL_HOST_PASSWORD": "secret",
        "EMAIL_USE_TLS": True,
        "EMAIL_USE_SSL": False,
        "EMAIL_TIMEOUT": 7,
        "EMAIL_SSL_KEYFILE": "key.pem",
        "EMAIL_SSL_CERTFILE": "cert.pem",
    }

    def test_defaults(self):
        with mailer("smtp", host="127.0.0.1"):
            self.assertEqual(smtp_options(mailers["it"]), self.defaults)

    def test_all_options(self):
        with mailer("smtp", **SMTP_OPTIONS):
            self.assertEqual(smtp_options(mailers["it"]), SMTP_OPTIONS)

    def test_port(self):
        for options, port in (
            ({}, 25),
            ({"port": None}, 25),
            ({"use_tls": True}, 587),
            ({"use_ssl": True}, 465),
            ({"use_tls": True, "use_ssl": False}, 587),
            ({"use_tls": False, "use_ssl": None}, 25),
            ({"use_tls": True, "port": 25}, 25),
            ({"use_ssl": True, "port": 0}, 0),
        ):
            with self.subTest(**options), mailer("smtp", host="127.0.0.1", **options):
                self.assertEqual(mailers["it"].port, port)

    def test_nothing_comes_from_the_settings_of_old(self):
        """H14: 5.2 would log in at the other host with the password of the default account."""
        with legacy_settings(**self.legacy), mailer("smtp", host="127.0.0.1"):
            self.assertEqual(smtp_options(mailers["it"]), self.defaults)
            self.assertEqual(
                smtp_options(smtp.EmailBackend(alias="it", host="127.0.0.1")),
                self.defaults,
            )

    def test_empty_host_is_a_host(self):
        with mailer("smtp", host=""):
            self.assertEqual(mailers["it"].host, "")

    def test_none_is_as_good_as_nothing(self):
        for name, default in self.defaults.items():
            if name in ("host", "fail_silently"):
                continue
            with self.subTest(name), mailer("smtp", host="127.0.0.1", **{name: None}):
                self.assertEqual(getattr(mailers["it"], name), default)

    def test_use_tls_with_use_ssl(self):
        with (
            mailer("smtp", host="127.0.0.1", use_tls=True, use_ssl=True),
            self.assertRaisesExactly(
                InvalidMailer,
                "MAILERS['it']: The 'use_ssl' and 'use_tls' OPTIONS are incompatible. "
                "Set at most one of them to True.",
            ),
        ):
            mailers["it"]

    def test_nothing_is_connected_yet(self):
        with mailer("smtp", host="192.0.2.1"):
            backend = mailers["it"]
        self.assertIsNone(backend.connection)
        backend.close()

    def test_connection_class(self):
        for use_ssl, name in ((False, "SMTP"), (True, "SMTP_SSL")):
            with (
                mailer("smtp", host="127.0.0.1", use_ssl=use_ssl),
                patch("django.core.mail.backends.smtp.smtplib") as smtplib,
            ):
                self.assertIs(mailers["it"].connection_class, getattr(smtplib, name))

    def test_ssl_context_verifies(self):
        with mailer("smtp", host="127.0.0.1", use_ssl=True):
            backend = mailers["it"]
        self.assertEqual(backend.ssl_context.verify_mode, ssl.CERT_REQUIRED)
        self.assertTrue(backend.ssl_context.check_hostname)
        self.assertIs(backend.ssl_context, backend.ssl_context)

    def test_local_name_is_looked_up_when_it_is_needed(self):
        """H13: names of Django's module can be replaced, smtplib itself included."""
        module = "django.core.mail.backends.smtp"
        with (
            mailer("smtp", host="192.0.2.1", timeout=3),
            patch(f"{module}.DNS_NAME.get_fqdn", return_value="me.example.com"),
            patch(f"{module}.smtplib.SMTP") as SMTP,
        ):
            mailers["it"].open()
        SMTP.assert_called_once_with("192.0.2.1", 25, local_hostname="me.example.com", timeout=3)

    def test_direct_construction(self):
        from_settings = {
            "host": "192.0.2.1",
            "port": 2525,
            "username": "user",
            "password": "secret",
            "use_tls": True,
            "use_ssl": False,
            "timeout": 7,
            "ssl_keyfile": "key.pem",
            "ssl_certfile": "cert.pem",
            "fail_silently": False,
        }
        for args, kwargs, changed in (
            ((), {}, {}),
            ((), {"host": "", "port": 0}, {}),
            ((), {"username": "", "password": ""}, {"username": "", "password": ""}),
            (
                ("h", 1, "u", "p", False),
                {},
                {
                    "host": "h",
                    "port": 1,
                    "username": "u",
                    "password": "p",
                    "use_tls": False,
                },
            ),
            (
                (None, None, None, None, False, True, True),
                {},
                {"use_tls": False, "use_ssl": True, "fail_silently": True},
            ),
            ((), {"use_tls": False, "timeout": 1}, {"use_tls": False, "timeout": 1}),
            ((), {"alias": None}, {}),
        ):
            with self.subTest(args=args, **kwargs), legacy_settings(**self.legacy):
                backend = smtp.EmailBackend(*args, **kwargs)
                self.assertIsNone(backend.alias)
                self.assertEqual(smtp_options(backend), from_settings | changed)

    def test_direct_construction_ignores_what_it_does_not_know(self):
        with legacy_settings():
            self.assertEqual(smtp.EmailBackend(api_key="k").host, "localhost")

    def test_direct_construction_with_both_kinds_of_tls(self):
        for settings, kwargs in (
            ({"EMAIL_USE_TLS": True, "EMAIL_USE_SSL": True}, {}),
            ({}, {"use_tls": True, "use_ssl": True}),
            ({"EMAIL_USE_TLS": True}, {"use_ssl": True}),
        ):
            with (
                self.subTest(**settings, **kwargs),
                legacy_settings(**settings),
                self.assertRaisesExactly(
                    ValueError,
                    "EMAIL_USE_TLS/EMAIL_USE_SSL are mutually exclusive, so only set one of "
                    "those settings to True.",
                ),
            ):
                smtp.EmailBackend(**kwargs)

    def test_direct_construction_with_an_alias_is_a_mailer(self):
        backend = smtp.EmailBackend("127.0.0.1", alias="mine")
        self.assertEqual(backend.alias, "mine")
        self.assertEqual(smtp_options(backend), self.defaults)
        with self.assertRaisesExactly(
            InvalidMailer, "MAILERS['mine']: OPTIONS must define 'host'."
        ):
            smtp.EmailBackend(alias="mine")

    @legacy_settings(EMAIL_BACKEND=SMTP, **legacy)
    def test_get_connection_without_mailers(self):
        backend = mail.get_connection(username="other", fail_silently=True)
        self.assertEqual(
            (backend.host, backend.username, backend.password, backend.fail_silently),
            ("192.0.2.1", "other", "secret", True),
        )
