"""Logins that are refused: how often they are tried, and what a traceback shows of them."""

import base64
import functools
import signal
import smtplib
import traceback
import unittest
from unittest import mock

from django.test import RequestFactory, SimpleTestCase
from django.views.debug import ExceptionReporter

from django_mailers.smtp import Envelope, Server, XOAuth2
from django_mailers.smtp.errors import hide

from .support.servers import DROP, HOST, POLITE, STALL, TIMEOUT, ScriptedServer, SMTPServer, enter
from .support.sink import Sink, interrupts
from .support.smtp import Limit, encoded

USER, PASSWORD = "ada", "correct-horse"
PLAIN = encoded(f"\0{USER}\0{PASSWORD}")


class ReplyTests(SimpleTestCase):
    def test_any_character_after_the_code(self):
        """smtplib takes any; a tab is seen at real servers."""
        script = [(command, reply.replace(" ", "\t", 1)) for command, reply in POLITE]
        server = enter(self, ScriptedServer([*script, ("QUIT", "221\tBye")]))
        session = Server(HOST, server.port, timeout=TIMEOUT).connect()
        result = session.deliver([Envelope("", ["bob@example.com"], b"Hello")])[0]
        session.disconnect()
        self.assertEqual((result.status, result.reply), ("sent", (250, b"OK")))

    def test_one_more_digit(self):
        server = enter(self, ScriptedServer([(None, "2200 Hello")]))
        with self.assertRaises(smtplib.SMTPConnectError) as caught:
            Server(HOST, server.port, timeout=TIMEOUT).connect()
        self.assertEqual(caught.exception.args, (-1, b"Hello"))


class MechanismTests(SimpleTestCase):
    """In smtplib's order, and none after the server has refused the password."""

    def tried(self, offered, replies, *, password=PASSWORD):
        """Log in; return the lines of it, and the code of the error if there was one."""
        answers, lines = iter(replies), []

        def behave(line):
            if line.upper().startswith("EHLO"):
                return None
            lines.append(line)
            return next(answers)

        sink = enter(self, Sink(features=[f"AUTH {offered}"], behave=behave))
        server = Server(HOST, sink.port, username=USER, password=password, timeout=TIMEOUT)
        try:
            session = server.connect()
        except smtplib.SMTPAuthenticationError as error:
            return lines, error.smtp_code
        sink.behave = None
        session.disconnect()
        return lines, None

    def test_a_wrong_password_is_tried_once(self):
        for offered in ("PLAIN LOGIN", "LOGIN PLAIN", "plain login"):
            with self.subTest(offered):
                self.assertEqual(
                    self.tried(offered, ["535 5.7.8 No"]), ([f"AUTH PLAIN {PLAIN}"], 535)
                )
        lines, code = self.tried("PLAIN LOGIN CRAM-MD5", [f"334 {encoded('<1>')}", "535 No"])
        self.assertEqual((len(lines), lines[0], code), (2, "AUTH CRAM-MD5", 535))
        lines, code = self.tried("PLAIN LOGIN CRAM-MD5", ["535 No"])
        self.assertEqual((lines, code), (["AUTH CRAM-MD5"], 535))

    def test_by_a_real_server(self):
        server = enter(self, SMTPServer(users={USER: PASSWORD}))
        with self.assertRaises(smtplib.SMTPAuthenticationError):
            Server(HOST, server.port, username=USER, password="wrong", timeout=TIMEOUT).connect()
        self.assertEqual([s.commands for s in server.sessions], [["EHLO", "AUTH PLAIN"]])

    def test_other_refusals_of_the_password(self):
        for code in (454, 500, 501, 502, 530, 538, 550, 554):
            with self.subTest(code):
                self.assertEqual(
                    self.tried("PLAIN LOGIN", [f"{code} No"]), ([f"AUTH PLAIN {PLAIN}"], code)
                )

    def test_a_mechanism_that_is_refused(self):
        """It is not known, it is too weak, or the password has to be shown first."""
        for code in (432, 504, 534):
            with self.subTest(code):
                self.assertEqual(
                    self.tried("CRAM-MD5 PLAIN", [f"{code} Other", "235 Yes"]),
                    (["AUTH CRAM-MD5", f"AUTH PLAIN {PLAIN}"], None),
                )
        self.assertEqual(
            self.tried("PLAIN LOGIN", ["504 Other", f"334 {encoded('Password:')}", "235 Yes"]),
            ([f"AUTH PLAIN {PLAIN}", f"AUTH LOGIN {encoded(USER)}", encoded(PASSWORD)], None),
        )
        self.assertEqual(
            self.tried("PLAIN LOGIN", ["504 Other", "504 None"]),
            ([f"AUTH PLAIN {PLAIN}", f"AUTH LOGIN {encoded(USER)}"], 504),
        )

    def test_a_command_that_is_not_known(self):
        for code in (500, 501, 502):
            with self.subTest(code):
                self.assertEqual(
                    self.tried("CRAM-MD5 PLAIN", [f"{code} What?", "235 Yes"]),
                    (["AUTH CRAM-MD5", f"AUTH PLAIN {PLAIN}"], None),
                )
                lines, error = self.tried("CRAM-MD5 PLAIN", [f"334 {encoded('<1>')}", f"{code} No"])
                self.assertEqual((len(lines), error), (2, code))

    @mock.patch("hmac.digest", side_effect=ValueError("unsupported"))
    def test_a_python_without_md5(self, digest):
        self.assertEqual(self.tried("CRAM-MD5 PLAIN", ["235 Yes"]), ([f"AUTH PLAIN {PLAIN}"], None))

    def test_a_session_that_is_lent(self):
        """login() of the session itself, with smtplib's arguments."""
        lines = []

        def behave(line):
            lines.append(line)
            return "504 No" if line.startswith("AUTH") else None

        sink = enter(self, Sink(features=["AUTH LOGIN"], behave=behave))
        session = Server(HOST, sink.port, timeout=TIMEOUT).connect()
        self.addCleanup(session.disconnect)
        with self.assertRaises(smtplib.SMTPAuthenticationError):
            session.login(USER, PASSWORD, initial_response_ok=False)
        self.assertEqual(lines[1:], ["AUTH LOGIN"])


class EchoTests(SimpleTestCase):
    """What a server repeats of a login, of which it may have cut off a part."""

    def shown(self, text, *secrets):
        error = smtplib.SMTPAuthenticationError(535, text.encode())
        hide(error, *(secrets or (f"\0{USER}\0{PASSWORD}", PASSWORD)))
        self.assertEqual(error.args, (535, error.smtp_error))
        return error.smtp_error.decode()

    def test_every_beginning(self):
        for form in (PLAIN, encoded(PASSWORD), encoded(f"\0{USER}\0{PASSWORD}").rstrip("=")):
            for end in range(2, len(form) + 1):
                with self.subTest(form[:end]):
                    self.assertEqual(self.shown(f"No: {form[:end]}..."), "No: ***...")
                    self.assertEqual(self.shown(f"No: {form[:end]}==."), "No: ***.")

    def test_every_end(self):
        form = PLAIN.rstrip("=")
        for start in range(len(form) - 3):
            with self.subTest(form[start:]):
                self.assertEqual(self.shown(f"No: ...{form[start:]}"), "No: ...***")

    def test_inside_of_more(self):
        for before in ("AUTH PLAIN ", "x", "xy", "xyz", "user=ada,pass="):
            text = encoded(f"{before}{PASSWORD} no")
            for start in range(4):
                for end in (len(text), -1, -2, -5):
                    with self.subTest(before, start=start, end=end):
                        self.assertEqual(self.shown(f"No: {text[start:end]}."), "No: ***.")
        self.assertEqual(self.shown(f"No: AUTH/PLAIN/{PLAIN}"), "No: ***")
        self.assertEqual(
            self.shown(f"No: AUTH PLAIN\n{PLAIN[:10]}\n{PLAIN[10:]}"), "No: AUTH PLAIN\n***\n***"
        )

    def test_short_secrets(self):
        for secret in ("a", "ab", "abc", "abcd"):
            with self.subTest(secret):
                self.assertEqual(self.shown(f"No: {encoded(secret)}", secret), "No: ***")

    def test_what_is_no_secret(self):
        text = "5.7.8 Username and Password not accepted. https://example.com/?p=BadCredentials x1y"
        self.assertEqual(self.shown(text), text)
        text = base64.b64encode(b"some other text").decode()
        self.assertEqual(self.shown(text), text)

    def test_any_bytes(self):
        error = smtplib.SMTPDataError(554, b"\xff\xfe " + PLAIN[:9].encode())
        hide(error, f"\0{USER}\0{PASSWORD}")
        self.assertEqual(error.smtp_error, b"\xff\xfe ***")
        error = smtplib.SMTPDataError(554, "pass\xe9 word".encode())
        hide(error, "pass\xe9 word")
        self.assertEqual(error.smtp_error, b"***")

    def test_of_a_login(self):
        def behave(line):
            return f"535 No: {line[:-4]}" if line.startswith("AUTH") else None

        sink = enter(self, Sink(features=["AUTH PLAIN"], behave=behave))
        with self.assertRaises(smtplib.SMTPAuthenticationError) as caught:
            Server(HOST, sink.port, username=USER, password=PASSWORD, timeout=TIMEOUT).connect()
        self.assertEqual(caught.exception.smtp_error, b"No: AUTH PLAIN ***")

    def test_repr_of_an_envelope(self):
        self.assertEqual(
            repr(Envelope("ada@example.com", ["bob@example.com"], b"Hello")),
            "<Envelope to 1 recipient, 5 bytes>",
        )
        two = Envelope("", ["a@b", "c@d"], b"")
        self.assertEqual(repr(two), "<Envelope to 2 recipients, 0 bytes>")


class FrameTests(SimpleTestCase):
    """What Django's page and other tools show of an error: the variables of all its frames."""

    def report(self, error):
        reporter = ExceptionReporter(
            RequestFactory().get("/"), type(error), error, error.__traceback__
        )
        pages = [reporter.get_traceback_html(), reporter.get_traceback_text()]
        pages += traceback.TracebackException.from_exception(error, capture_locals=True).format()
        return "\n".join(pages)

    def assertNothingShown(self, error, *secrets):
        page = self.report(error)
        self.assertIn("django_mailers/smtp/", page)
        for secret in secrets:
            for form in (secret, encoded(secret), PLAIN):
                for part in (form, form[:12], repr(form)[1:-1]):
                    self.assertNotIn(part, page)

    def error(self, function, *args, **kwargs):
        try:
            function(*args, **kwargs)
        except Exception as error:
            return error  # assertRaises() would take the traceback away
        self.fail("Nothing was raised.")

    def connect(self, sink, **options):
        return self.error(Server(HOST, sink.port, timeout=TIMEOUT, **options).connect)

    def offer(self, mechanisms, behave):
        return enter(self, Sink(features=[f"AUTH {mechanisms}"], behave=behave))

    # The secrets come from here, so that no line of a test that a page shows has them.
    secrets = {"password": PASSWORD, "accented": "corr\xe9ct-horse", "old": "ya29.old-one"}

    def login(self, name="password"):
        return {"username": USER, "password": self.secrets[name]}

    def test_refused(self):
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5", "CRAM-MD5 PLAIN LOGIN"):
            for reply in ("535 5.7.8 No", "504 Other", "334 !", DROP):
                questions = [f"334 {encoded('<1>')}"] * (mechanism in ("LOGIN", "CRAM-MD5"))
                answers = iter([*questions, reply])

                def behave(line, answers=answers, reply=reply):
                    return None if line.upper().startswith("EHLO") else next(answers, reply)

                with self.subTest(mechanism, reply=reply):
                    error = self.connect(self.offer(mechanism, behave), **self.login())
                    self.assertIsInstance(error, smtplib.SMTPException)
                    self.assertNothingShown(error, PASSWORD)

    def test_a_password_that_is_not_ascii(self):
        error = self.connect(self.offer("PLAIN", None), **self.login("accented"))
        self.assertEqual(error.args, ("The user name and the password must be ASCII.",))
        self.assertNothingShown(error, self.secrets["accented"])

    def test_a_token(self):
        for reply in ("535 5.7.8 No", DROP, "334 !"):
            with self.subTest(reply):
                sink = self.offer(
                    "XOAUTH2", lambda line, reply=reply: reply if line[:4] == "AUTH" else None
                )
                auth = XOAuth2(USER, functools.partial(self.secrets.get, "old"))
                error = self.connect(sink, authenticate=auth)
                self.assertIsInstance(error, smtplib.SMTPException)
                self.assertNothingShown(error, self.secrets["old"])

    def test_a_second_token_is_refused_or_not_to_be_had(self):
        class RefreshError(Exception):
            pass

        def refuse(line):
            return "535 5.7.8 No" if line.startswith("AUTH") else None

        for outcome in ("new", RefreshError):
            with self.subTest(outcome):
                answers = iter(["old", outcome])

                def get_token(answers=answers):
                    name = next(answers)
                    if name is RefreshError:
                        raise RefreshError("no refresh token")
                    return self.secrets.get(name, "ya29.new" + "-one")

                sink = self.offer("XOAUTH2", lambda line: "235 Yes" if "AUTH" in line else None)
                auth = XOAuth2(USER, get_token)
                server = Server(HOST, sink.port, authenticate=auth, timeout=TIMEOUT)
                server.connect().disconnect()
                sink.behave = refuse
                error = self.error(server.connect)
                self.assertNothingShown(error, self.secrets["old"], "ya29.new-one")
                if outcome is RefreshError:
                    # The frames of the function are there: it is the project's own.
                    names = [f.name for f in traceback.extract_tb(error.__traceback__)]
                    self.assertEqual(names[-1], "get_token")
                    self.assertIs(type(error), RefreshError)

    def test_a_session_that_is_lent(self):
        sink = self.offer("PLAIN", lambda line: "535 No" if line.startswith("AUTH") else None)
        session = Server(HOST, sink.port, timeout=TIMEOUT).connect()
        self.addCleanup(session.disconnect)
        error = self.error(lambda: session.login(*self.login().values()))
        self.assertNothingShown(error, PASSWORD)
        session.user, session.password = self.login().values()
        error = self.error(session.auth, "PLAIN", session.auth_plain)
        self.assertNothingShown(error, PASSWORD)

    def test_what_the_caller_was_at_stays(self):
        sink = self.offer("PLAIN", lambda line: "535 No" if line.startswith("AUTH") else None)
        try:
            raise LookupError("before")
        except LookupError as before:
            error = self.connect(sink, **self.login())
            self.assertIs(error.__context__, before)
            self.assertEqual(len(traceback.extract_tb(before.__traceback__)), 1)

    @unittest.skipUnless(hasattr(signal, "pthread_kill"), "There are no such signals.")
    def test_the_handler_of_a_signal_stays(self):
        """Others look for its frame, to tell a job's limit from an error of the server's."""
        interrupt = enter(self, interrupts(Limit))
        sink = self.offer(
            "PLAIN", lambda line: interrupt() or STALL if line.startswith("AUTH") else None
        )
        error = self.connect(sink, **self.login())
        self.assertIs(type(error), Limit)
        names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        self.assertEqual(names[-1], "handle")
        self.assertNothingShown(error, PASSWORD)
