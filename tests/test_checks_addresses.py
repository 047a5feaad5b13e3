"""The checks of DEFAULT_FROM_EMAIL, SERVER_EMAIL, ADMINS and MANAGERS."""

import re

from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend as SMTPBackend
from django.test import SimpleTestCase, override_settings
from django.utils.functional import lazystr

from django_mailers.checks import addresses, check_mailers

from .support.servers import TIMEOUT, SMTPServer, enter
from .support.utils import OURS, SMTP, legacy_settings

HERE = __name__

GOOD = [
    "webmaster@localhost",
    # A mailbox of this machine (Django's #15042).
    "webmaster",
    "Ann <ann@example.com>",
    '"Doe, Ann" <ann@example.com>',
    '"Example Inc." <mail@example.com>',
    "Jörg Müller <joerg@müller.example>",
    '"a b"@example.com',
]
# What is wrong with others.
BAD = {
    "Example Inc. <mail@example.com>": addresses.FULL_STOP,
    "Sales Dept. EU <sales@example.com>": addresses.FULL_STOP,
    "Müller. <m@example.com>": addresses.FULL_STOP,
    "Doe, Ann <ann@example.com>": addresses.SEVERAL,
    "a@example.com, b@example.com": addresses.SEVERAL,
    "jörg@example.com": addresses.NOT_ASCII,
    "Jörg <jörg@müller.example>": addresses.NOT_ASCII,
    "Ann ann@example.com": addresses.NOT_ONE,
    "Ann <ann@example.com": addresses.NOT_ONE,
    "webmaster at example.com": addresses.NOT_ONE,
    "a@": addresses.NOT_ONE,
    "a@[": addresses.NOT_ONE,
    "<": addresses.NOT_ONE,
    "b..c@docomo.example.com": addresses.NOT_ONE,
    "Ann <ann@example.com>\nBcc: eve@example.com": addresses.LINE_BREAK,
    "ann@example.com\r": addresses.LINE_BREAK,
}


class Lenient(SMTPBackend):
    """Takes any address, and cannot be made."""

    def __init__(self, **kwargs):
        raise AssertionError("A check has made a backend.")

    def prep_address(self, address, force_ascii=True):
        return address


class NeedsMore(Lenient):
    def prep_address(self, address, force_ascii=True):
        return self.made_by_init


class OverHTTP(BaseEmailBackend):
    def send_messages(self, messages):
        return len(messages)


def entry(backend, **options):
    return {"default": {"BACKEND": backend, "OPTIONS": options}}


def run():
    """The (id, message, hint) of each message about addresses."""
    found = check_mailers(None)
    return [
        (message.id, message.msg, message.hint)
        for message in found
        if message.id in {"mailers.E017", "mailers.W010"}
    ]


def ids():
    return [id_ for id_, _, _ in run()]


class AddressTests(SimpleTestCase):
    maxDiff = None

    def test_good(self):
        for address in [*GOOD, *map(lazystr, GOOD)]:
            with (
                self.subTest(str(address)),
                override_settings(
                    MAILERS=entry(SMTP, host="smtp.example.com"),
                    DEFAULT_FROM_EMAIL=address,
                    SERVER_EMAIL=address,
                    ADMINS=[address],
                    MANAGERS=[("Ann", address)],
                ),
            ):
                self.assertEqual(run(), [])

    def test_bad_in_each_setting(self):
        for address, problem in BAD.items():
            with (
                self.subTest(address),
                override_settings(
                    MAILERS=entry(f"{HERE}.OverHTTP"),
                    DEFAULT_FROM_EMAIL=address,
                    SERVER_EMAIL=lazystr(address),
                    ADMINS=["ann@example.com", address],
                    MANAGERS=(("Ann", address),),
                ),
            ):
                # Django makes no header of those, for any backend.
                id_ = "mailers.E017" if problem == addresses.LINE_BREAK else "mailers.W010"
                places = ["DEFAULT_FROM_EMAIL", "SERVER_EMAIL", "ADMINS[1]", "MANAGERS[0][1]"]
                found = run()
                self.assertEqual(
                    [(found_id, text) for found_id, text, _ in found],
                    [(id_, f"{place} {problem}") for place in places],
                )
                if "@" in address[1:-1]:
                    self.assertNotIn(address, str(found))

    def test_hints_are_good_addresses(self):
        examples = re.findall(
            r"(?:as in|or|such as) '(.*)'\.$", "\n".join(addresses.HINTS.values()), re.MULTILINE
        )
        self.assertEqual(len(examples), 4)
        for example in examples:
            with self.subTest(example), override_settings(DEFAULT_FROM_EMAIL=example):
                self.assertEqual(run(), [])

    def test_an_error_is_what_cannot_be_sent(self):
        """By what really happens to a message: with Django's backend, and with that of this app."""
        server = enter(self, SMTPServer())
        options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
        for backend in (SMTP, OURS):
            for address in [*GOOD, *BAD]:
                with (
                    self.subTest(address, backend=backend),
                    override_settings(MAILERS=entry(backend, **options), ADMINS=[address]),
                ):
                    try:
                        mail.mail_admins("Hello", "Text")
                    except Exception:
                        # On Python 3.15 and Django 6.1 not only a ValueError.
                        expected = ["mailers.E017"]
                    else:
                        expected = [] if address in GOOD else ["mailers.W010"]
                    self.assertEqual(ids(), expected)

    def test_the_backend_is_asked(self):
        dotted = "Example Inc. <mail@example.com>"
        for backend, expected in [
            (f"{HERE}.Lenient", "mailers.W010"),
            (f"{HERE}.NeedsMore", "mailers.W010"),
            (f"{HERE}.OverHTTP", "mailers.W010"),
            ("nowhere.EmailBackend", "mailers.W010"),
        ]:
            settings = {"MAILERS": entry(backend), "DEFAULT_FROM_EMAIL": dotted}
            with self.subTest(backend), override_settings(**settings):
                self.assertEqual(ids(), [expected])
        for entries in ({"other": {"BACKEND": SMTP}}, {"default": None}, [1]):
            settings = {"MAILERS": entries, "DEFAULT_FROM_EMAIL": "a@b, c@d"}
            with self.subTest(entries), override_settings(**settings):
                self.assertEqual(ids(), ["mailers.W010"])

    def test_no_mailers_at_all(self):
        with override_settings(MAILERS={}, DEFAULT_FROM_EMAIL="a@b, c@d"):
            self.assertEqual(run(), [])

    def test_without_mailers(self):
        for backend, expected in [(SMTP, "mailers.E017"), (f"{HERE}.OverHTTP", "mailers.W010")]:
            settings = {"EMAIL_BACKEND": backend, "SERVER_EMAIL": "a@b, c@d"}
            with self.subTest(backend), legacy_settings(**settings):
                self.assertEqual(ids(), [expected])

    def test_empty(self):
        for empty in ("", " ", None):
            with (
                self.subTest(empty),
                override_settings(
                    MAILERS=entry(SMTP, host="smtp.example.com"),
                    DEFAULT_FROM_EMAIL=empty,
                    SERVER_EMAIL=empty,
                    ADMINS=empty,
                    MANAGERS=[""],
                ),
            ):
                # With each message there may be a sender; what is no list is no addresses.
                found = [(id_, text) for id_, text, _ in run()]
                expected = [
                    ("mailers.W010", "DEFAULT_FROM_EMAIL is empty."),
                    ("mailers.W010", "SERVER_EMAIL is empty."),
                    ("mailers.E017", "MANAGERS[0] is empty."),
                ]
                if empty == " ":
                    text = "The ADMINS setting must be a list of email address strings."
                    expected.insert(2, ("mailers.E017", text))
                self.assertEqual(found, expected)

    def test_types(self):
        text = "The ADMINS setting must be a list of email address strings."
        for value in ("ann@example.com", {"ann@example.com"}, [("Ann", "a@b"), "c@d"], [1], 1):
            with self.subTest(value), override_settings(ADMINS=value):
                self.assertEqual(
                    [found[:2] for found in run()],
                    [("mailers.E017", text)],
                )
        with override_settings(DEFAULT_FROM_EMAIL=("Ann", "a@b"), ADMINS=[("Ann", 1)]):
            self.assertEqual(
                [found[:2] for found in run()],
                [
                    ("mailers.E017", "DEFAULT_FROM_EMAIL must be a str, not of type tuple."),
                    ("mailers.E017", "ADMINS[0][1] must be a str, not of type int."),
                ],
            )

    def test_a_list_that_is_both_is_reported_once(self):
        people = ["a@b, c@d"]
        with override_settings(ADMINS=people, MANAGERS=people):
            self.assertEqual([found[1] for found in run()], ["ADMINS[0] is more than one address."])
        with override_settings(ADMINS=people, MANAGERS=list(people)):
            self.assertEqual(len(run()), 2)
