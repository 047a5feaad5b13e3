"""The pooled SMTP backend: all that Django's does, on the same wire, over fewer sessions.

Its sessions, its options and what goes wrong are in the test_smtp_backend_*.py beside this.
"""

from __future__ import annotations

import socket
from typing import Any

from django.core import mail
from django.core.mail import mailers, send_mail
from django.test import SimpleTestCase, override_settings
from django.utils.functional import lazystr
from hypothesis import assume, example, given
from hypothesis import strategies as st

from django_mailers.backends.smtp import EmailBackend
from django_mailers.smtp.wire import normalize

from .backend_contract import BackendContract
from .support import corpus
from .support.generated import DETERMINISTIC
from .support.messages import message
from .support.recordings import normalise, pinned
from .support.servers import SMTPServer, enter
from .support.sink import Sink
from .support.smtp import ALIAS, MESSAGE, OURS, SMTPBackendTestCase, entry, subjects
from .support.utils import (
    REFUSES_LOCAL_PARTS,
    SMTP,
    SMTP_OPTIONS,
    ignore_deprecations,
    legacy_settings,
    smtp_options,
)

NON_ASCII_LOCAL_PART = "local-part contains non-ASCII characters"


class ContractTests(BackendContract, SimpleTestCase):
    """Over one session after the other, with PIPELINING and CHUNKING."""

    backend = OURS
    more_options: dict[str, Any] = {}

    def options(self):
        self.server = enter(self, self.make_server())
        return {"host": self.server.host, "port": self.server.port, **self.more_options}

    def make_server(self):
        return Sink()

    def arrived(self):
        return subjects(self.server)


class ContractWithoutAPoolTests(ContractTests):
    """A session each time, with a server that offers neither extension."""

    more_options = {"pool_size": 0}

    def make_server(self):
        return SMTPServer()


class ContractOfDjangosTests(ContractTests):
    backend = SMTP

    def make_server(self):
        return SMTPServer()


class DropInTests(SMTPBackendTestCase):
    def both(self, **options):
        """Give (Django's, ours) with the same options."""
        settings = {
            name: {"BACKEND": path, "OPTIONS": {"host": "127.0.0.1", **options}}
            for name, path in (("django", SMTP), ("ours", OURS))
        }
        with override_settings(MAILERS=settings):
            return mailers["django"], mailers["ours"]

    def test_it_is_one_of_djangos(self):
        """H18: callers ask isinstance()."""
        theirs, ours = self.both()
        self.assertIsInstance(ours, type(theirs))

    def test_defaults(self):
        for options in ({}, {"use_tls": True}, {"use_ssl": True}, {"port": 26}, {"port": None}):
            with self.subTest(**options):
                theirs, ours = self.both(**options)
                self.assertEqual(smtp_options(ours), {**smtp_options(theirs), "timeout": 30})

    def test_options(self):
        _, ours = self.both(**SMTP_OPTIONS)
        self.assertEqual(smtp_options(ours), SMTP_OPTIONS)

    def test_the_same_goes_over_the_wire(self):
        """Sender, recipients and content of the messages of the corpus; or the same error.

        But for bare line ends, which no mailer should let through, and Django's does.
        """
        # All where it is about addresses. Of the rest some: test_render.py has them all.
        names = [name for name in corpus.CORPUS if name.startswith(("to", "cc", "bcc", "from"))]
        names += [name for name in corpus.CORPUS if name not in names][::4]
        sink = enter(self, Sink())
        settings = {"django": entry(sink, backend=SMTP), "ours": entry(sink)}
        enter(self, override_settings(MAILERS=settings))
        outcomes = {}
        # Pinned, as the servers of this test are no part of it.
        with mailers["django"] as theirs, mailers["ours"] as ours:
            # Else each of its messages takes the 40 ms of a delayed acknowledgement.
            theirs.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for name in names:
                outcomes[name] = []
                for backend in (theirs, ours):
                    del sink.accepted[:]
                    error = None
                    with pinned(**corpus.SETTINGS.get(name, {})):
                        try:
                            count = backend.send_messages([corpus.CORPUS[name]()])
                        except Exception as raised:
                            count, error = 0, (type(raised), str(raised))
                    self.assertEqual(len(sink.accepted), count)
                    arrived = [
                        (sent.mail_from, sent.recipients, normalize(normalise(sent.content)))
                        for sent in sink.accepted
                    ]
                    outcomes[name].append((count, error, arrived))
        for name, (with_theirs, with_ours) in outcomes.items():
            with self.subTest(name):
                if name == "from_dots_unquoted":
                    # "J. R. Doe <…>" is sent, by ours alone.
                    self.assertEqual(with_ours[:2], (1, None))
                elif not REFUSES_LOCAL_PARTS and NON_ASCII_LOCAL_PART in str(with_ours[1]):
                    # Django's own backend raises what Python does when it writes the header.
                    self.assertEqual((with_ours[1][0], with_theirs[0]), (ValueError, 0))
                else:
                    self.assertEqual(with_ours, with_theirs)
        self.assertGreater(sum(both[1][0] for both in outcomes.values()), 100)

    def test_attributes_may_be_changed(self):
        """H18"""
        first = self.serve()
        second = enter(self, Sink(users={"ada": "pass word"}))
        backend = mailers[ALIAS]
        backend.send_messages([message("before")])
        backend.port = second.port
        backend.username, backend.password = "ada", "pass word"
        backend.send_messages([message("after")])
        self.assertEqual((subjects(first), subjects(second)), (["before"], ["after"]))
        self.assertEqual(second.connections[0].user, "ada")
        for timeout in (7, None):
            backend.timeout = timeout
            with backend:
                self.assertEqual(backend.connection.sock.gettimeout(), timeout)
        backend.host = "localhost.invalid"
        self.assertEqual(backend.pool.server.host, "localhost.invalid")

    def test_no_login_without_both_user_and_password(self):
        for options in (
            {"username": "ada"},
            {"username": "ada", "password": ""},
            {"password": "x"},
        ):
            with self.subTest(**options), Sink(users={"ada": ""}) as sink:
                with override_settings(MAILERS={ALIAS: entry(sink, **options)}):
                    self.assertEqual(message().send(using=ALIAS), 1)
                self.assertEqual(sink.commands, [["EHLO", *MESSAGE, "QUIT"]])

    def test_without_mailers(self):
        sink = enter(self, Sink(users={"ada": "pass word"}))
        with legacy_settings(
            EMAIL_BACKEND=OURS,
            EMAIL_HOST=sink.host,
            EMAIL_PORT=str(sink.port),
            EMAIL_HOST_USER="ada",
            EMAIL_HOST_PASSWORD="pass word",
        ):
            send_mail("1", "Text", None, ["bob@example.com"])
            self.assertEqual(mail.get_connection().send_messages([message("2")]), 1)
            self.assertEqual(mail.get_connection(OURS).send_messages([message("3")]), 1)
            made = EmailBackend()
            self.assertEqual(made.send_messages([message("4")]), 1)
            self.assertEqual((made.alias, made.timeout), (None, 30))
            self.assertEqual(sink.commands, [["EHLO", "AUTH", *MESSAGE * 4]])
            # As Django's, by position.
            made = EmailBackend(sink.host, sink.port, "", "", False, True, False, 5)
            self.assertEqual((made.fail_silently, made.timeout), (True, 5))
            self.assertEqual(made.send_messages([message("5")]), 1)
        self.assertEqual(subjects(sink), ["1", "2", "3", "4", "5"])
        self.assertEqual(
            sink.commands, [["EHLO", "AUTH", *MESSAGE * 4, "QUIT"], ["EHLO", *MESSAGE, "QUIT"]]
        )

    @ignore_deprecations()
    def test_made_directly_as_a_mailer(self):
        sink = enter(self, Sink())
        enter(self, override_settings(MAILERS={}))
        backend = EmailBackend(sink.host, sink.port, alias="mine")
        self.assertEqual(backend.send_messages([message()]), 1)
        self.assertEqual(subjects(sink), ["Hello"])


class AddressTests(SimpleTestCase):
    """prep_address(), against Django's own."""

    local_parts = st.sampled_from(
        [
            "ada",
            "a.b",
            ".a",
            "a.",
            "a..b",
            '"a b"',
            '"a\\"b"',
            '""',
            "ä",
            "a b",
            "a@b",
            "",
            "=?utf-8?q?a?=",
        ]
    )
    domains = st.sampled_from(
        ["example.com", "exämple.com", "localhost", "[192.0.2.1]", "a..b", "-", "a b", "a_b", ""]
    )
    names = st.sampled_from(
        [
            "",
            "Ada",
            "Ada L.",
            '"Ada, L."',
            "Ada\nBcc: eve@example.com",
            "Ädä",
            "(x)",
            "=?utf-8?q?=C3=84?=",
        ]
    )
    forms = st.sampled_from(
        ["{l}@{d}", "{n} <{l}@{d}>", "{l}", "<{l}@{d}>", "{l}@{d}, b@c", "{l}@{d}\r\n"]
    )
    addresses = st.builds(
        lambda form, name, local, domain: form.format(n=name, l=local, d=domain),
        forms,
        names,
        local_parts,
        domains,
    ) | st.text(max_size=20)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        options = {"host": "127.0.0.1"}
        settings = {
            "django": {"BACKEND": SMTP, "OPTIONS": options},
            "ours": {"BACKEND": OURS, "OPTIONS": options},
        }
        with override_settings(MAILERS=settings):
            cls.theirs, cls.ours = mailers["django"], mailers["ours"]

    @staticmethod
    def outcome(backend, *args):
        try:
            return backend.prep_address(*args)
        except Exception as error:
            return type(error), str(error)

    @DETERMINISTIC
    @given(addresses, st.booleans())
    @example("a@b.c\0", True)
    @example("Ada <a@b.c>\n", True)
    @example("a" * 300 + "@example.com", True)
    @example('Ada L. <"a b"@example.com>', False)
    @example("a@\xa8", True)
    def test_any(self, address, force_ascii):
        expected = self.outcome(self.theirs, address, force_ascii)
        # Those with a full stop in a name are accepted: test_leniency.py.
        error = expected[1] if isinstance(expected, tuple) else ""
        assume("period in 'phrase'" not in error)
        found = self.outcome(self.ours, address, force_ascii)
        # Those that Django leaves to Python's parser: test_local_parts.py.
        assume(REFUSES_LOCAL_PARTS or NON_ASCII_LOCAL_PART not in str(found))
        # Those to which IDNA gives a space or an end are refused: test_smtp_wire.py.
        if "it must not contain" in str(found):
            self.assertRegex(expected, r"@xn--.*[ <>]")
        else:
            self.assertEqual(found, expected)

    def test_what_is_no_str(self):
        for address in (b"ada@example.com", lazystr("ada@example.com"), 1, None, []):
            expected = self.outcome(self.theirs, address)
            self.assertEqual(self.outcome(self.ours, address), expected)
