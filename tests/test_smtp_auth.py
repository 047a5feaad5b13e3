"""Logging in: by each mechanism, by tokens that expire, and without a word about what is secret."""

import base64
import smtplib
import threading
from concurrent.futures import ThreadPoolExecutor

from django.test import SimpleTestCase

from django_mailers.smtp import (
    Envelope,
    Pool,
    PoolOptions,
    Server,
    XOAuth2,
    close_pools,
    deliver,
    shared_pool,
)

from .support.pools import send_one
from .support.servers import HOST, TIMEOUT, ScriptedServer, SMTPServer, enter
from .support.sink import Sink, at
from .support.smtp import encoded

USER, PASSWORD = "ada", "correct-horse"
LOGIN = {"username": USER, "password": PASSWORD}
MESSAGE = ["MAIL", "RCPT", "BDAT"]


class AuthTestCase(SimpleTestCase):
    def connect(self, server, **options):
        session = Server(server.host, server.port, timeout=TIMEOUT, **options).connect()
        self.addCleanup(session.disconnect)
        return session

    def error(self, server, **options):
        with self.assertRaises(Exception) as caught:
            self.connect(server, **options)
        return caught.exception

    def offer(self, mechanisms, behave=None):
        """Enter a Sink that offers `mechanisms`, and has `behave` for a server of them."""
        return enter(self, Sink(features=[f"AUTH {mechanisms}"], behave=behave))

    def assertRefused(self, error, code, text):
        self.assertEqual(repr(error), repr(smtplib.SMTPAuthenticationError(code, text)))


class PasswordTests(AuthTestCase):
    """The mechanisms of smtplib, each when it is the only one."""

    def test_plain_and_login(self):
        for mechanism in ["PLAIN", "LOGIN"]:
            with self.subTest(mechanism=mechanism):
                server = enter(self, SMTPServer(users={USER: PASSWORD}, mechanisms=[mechanism]))
                session = self.connect(server, **LOGIN)
                result = session.deliver([Envelope("", ["bob@example.com"], b"Hello")])[0]
                self.assertEqual(result.status, "sent")
                (record,) = server.sessions
                self.assertEqual(record.user, USER)
                self.assertEqual(
                    record.commands, ["EHLO", f"AUTH {mechanism}", "MAIL", "RCPT", "DATA"]
                )
                self.assertRefused(
                    self.error(server, username=USER, password="wrong"),
                    535,
                    b"5.7.8 Authentication credentials invalid",
                )

    # The example of RFC 2195, 2.
    CHALLENGE = "<1896.697170952@postoffice.reston.mci.net>"
    DIGEST = "tim b913a602c7eda7a495b4e6e7334d3890"

    def cram_md5(self, line):
        if line == "AUTH CRAM-MD5":
            return f"334 {encoded(self.CHALLENGE)}"
        if line == encoded(self.DIGEST):
            return "235 Yes"
        return None

    def test_cram_md5(self):
        sink = self.offer("CRAM-MD5", self.cram_md5)
        self.connect(sink, username="tim", password="tanstaaftanstaaf")
        self.assertEqual(sink.commands, [["EHLO", "AUTH", encoded(self.DIGEST).upper()]])
        error = self.error(sink, username="tim", password="wrong")
        self.assertRefused(error, 500, b"What?")

    def test_the_password_is_not_sent_if_that_is_possible(self):
        sink = self.offer("PLAIN LOGIN CRAM-MD5", self.cram_md5)
        self.connect(sink, username="tim", password="tanstaaftanstaaf")
        self.assertEqual(len(sink.commands[0]), 3)

    def test_a_mechanism_that_is_offered_and_not_there(self):
        lines = []

        def behave(line):
            lines.append(line)
            return "504 Not now" if line.startswith("AUTH CRAM-MD5") else None

        sink = self.offer("CRAM-MD5 PLAIN", behave)
        sink.users = {USER: PASSWORD}
        self.connect(sink, **LOGIN)
        self.assertEqual(
            lines[1:],
            ["AUTH CRAM-MD5", f"AUTH PLAIN {encoded(f'{chr(0)}{USER}{chr(0)}{PASSWORD}')}"],
        )

    def test_no_mechanism_in_common(self):
        for features, error in [
            (
                [],
                smtplib.SMTPNotSupportedError("SMTP AUTH extension not supported by server."),
            ),
            (
                ["AUTH GSSAPI"],
                smtplib.SMTPException("No suitable authentication method found."),
            ),
        ]:
            with self.subTest(features=features):
                sink = enter(self, Sink(features=features))
                expected = type(error)(at(sink, error.args[0]))
                self.assertEqual(repr(self.error(sink, **LOGIN)), repr(expected))
                self.assertTrue(sink.connections[0].ended.wait(TIMEOUT))
                self.assertEqual(sink.commands, [["EHLO"]])


class Tokens:
    """A server's part in XOAUTH2, for a Sink, and a source of tokens, for a client.

    The server takes what is in `valid`, the client gets `current`.
    """

    CHALLENGE = encoded('{"status":"400"}')

    def __init__(self, current, *valid):
        self.current = current
        self.valid = set(valid)
        self.seen = []
        self.calls = 0
        self.lock = threading.Lock()

    def __call__(self):
        with self.lock:
            self.calls += 1
        return self.current

    def behave(self, line):
        verb, _, response = line.partition(" ")
        if verb == "AUTH":
            mechanism, _, response = response.partition(" ")
            start, token, end = self.parse(base64.b64decode(response).decode())
            assert (mechanism, start, end) == ("XOAUTH2", f"user={USER}", "\1\1")
            self.seen.append(token)
            return "235 Yes" if token in self.valid else f"334 {self.CHALLENGE}"
        return "535 5.7.8 No" if line == "" else None

    @staticmethod
    def parse(response):
        start, _, rest = response.partition("\1auth=Bearer ")
        return start, rest[:-2], rest[-2:]


class XOAuth2Tests(AuthTestCase):
    def setUp(self):
        self.tokens = Tokens("t1", "t1")
        self.sink = self.offer("PLAIN XOAUTH2", self.tokens.behave)
        self.auth = XOAuth2(USER, self.tokens)

    def login(self, auth=None):
        return self.connect(self.sink, authenticate=auth or self.auth)

    def refused(self, auth=None):
        """Log in, and not succeed."""
        error = self.error(self.sink, authenticate=auth or self.auth)
        self.assertTrue(self.sink.connections[-1].ended.wait(TIMEOUT))
        return error

    def assertUsed(self, *tokens, calls):
        self.assertEqual((self.tokens.seen, self.tokens.calls), ([*tokens], calls))

    def test_first_token(self):
        lines = []
        self.sink.behave = lambda line: lines.append(line) or self.tokens.behave(line)
        self.assertEqual(self.tokens.calls, 0)
        session = self.login()
        self.assertUsed("t1", calls=1)
        # As in Google's and Microsoft's descriptions of it.
        response = encoded("user=ada\1auth=Bearer t1\1\1")
        self.assertEqual(lines[1:], [f"AUTH XOAUTH2 {response}"])
        self.assertNotIn("t1", repr(vars(session)))

    def test_the_token_is_kept_for_the_next_session(self):
        for _ in range(3):
            self.login()
        self.assertUsed("t1", "t1", "t1", calls=1)

    def test_an_expired_token_is_renewed(self):
        self.login()
        self.tokens.valid, self.tokens.current = {"t2"}, "t2"
        self.login()
        self.assertUsed("t1", "t1", "t2", calls=2)
        # The server said why, awaited an empty line, and stayed.
        self.assertEqual(self.sink.commands[1], ["EHLO", "AUTH", "", "AUTH"])
        self.login()
        self.assertUsed("t1", "t1", "t2", "t2", calls=2)

    def test_an_expired_token_and_no_other(self):
        self.login()
        self.tokens.valid = set()
        self.assertRefused(self.refused(), 535, b"5.7.8 No")
        # The server was not asked twice about the same one.
        self.assertUsed("t1", "t1", calls=2)
        self.tokens.valid, self.tokens.current = {"t2"}, "t2"
        self.login()
        self.assertUsed("t1", "t1", "t2", calls=3)

    def test_a_new_token_that_is_refused(self):
        self.login()
        self.tokens.valid, self.tokens.current = set(), "t2"
        self.assertRefused(self.refused(), 535, b"5.7.8 No")
        self.assertUsed("t1", "t1", "t2", calls=2)
        # It is not tried again.
        self.tokens.valid, self.tokens.current = {"t3"}, "t3"
        self.login()
        self.assertUsed("t1", "t1", "t2", "t3", calls=3)

    def test_a_first_token_that_is_refused(self):
        self.tokens.valid = set()
        self.assertRefused(self.refused(), 535, b"5.7.8 No")
        self.assertUsed("t1", calls=1)

    def test_a_failure_of_the_server_is_none_of_the_token(self):
        self.login()
        self.sink.behave = lambda line: "454 4.7.0 Later" if line.startswith("AUTH") else None
        self.assertRefused(self.refused(), 454, b"4.7.0 Later")
        self.sink.behave = self.tokens.behave
        self.login()
        self.assertUsed("t1", "t1", calls=1)

    def test_the_mechanism_is_not_offered(self):
        for features in [[], ["AUTH PLAIN LOGIN"], ["AUTH XOAUTH"]]:
            with self.subTest(features=features):
                self.sink.features = features
                error = smtplib.SMTPNotSupportedError(
                    at(self.sink, "AUTH XOAUTH2 not supported by server.")
                )
                self.assertEqual(repr(self.refused()), repr(error))
        self.assertUsed(calls=0)

    def test_a_token_that_cannot_be_had(self):
        class Trouble(Exception):
            pass

        error, ready = Trouble("No token."), []

        def token():
            if not ready:
                raise error
            return "t1"

        auth = XOAuth2(USER, token)
        self.assertIs(self.refused(auth), error)
        server = Server(HOST, self.sink.port, authenticate=auth, timeout=TIMEOUT)
        pool = Pool(server, PoolOptions(pool_size=1, acquire_timeout=0))
        self.addCleanup(pool.close)
        message = Envelope("", ["bob@example.com"], b"Hello")
        result = send_one(pool, message)
        self.assertEqual(result.status, "untried")
        self.assertIs(result.error, error)
        # The slot that was reserved is free again.
        ready.append(True)
        self.assertEqual(send_one(pool, message).status, "sent")

    def test_threads(self):
        self.login()
        self.tokens.valid, self.tokens.current = {"t2"}, "t2"
        number = 8
        barrier = threading.Barrier(number, timeout=TIMEOUT)

        def connect(_):
            barrier.wait(TIMEOUT)
            return self.login()

        with ThreadPoolExecutor(number) as executor:
            sessions = list(executor.map(connect, range(number)))
        self.assertEqual([session.is_open for session in sessions], [True] * number)
        # None goes wrong, and none asks for more than one token.
        self.assertEqual(self.tokens.seen.count("t2"), number)
        self.assertEqual(set(self.tokens.seen), {"t1", "t2"})
        self.assertIn(self.tokens.calls, range(2, number + 2))

    def test_equal_ones_share_a_pool(self):
        self.addCleanup(close_pools)

        def pool(*args):
            return shared_pool(Server(HOST, self.sink.port, authenticate=XOAuth2(*args)))

        first = pool(USER, self.tokens)
        self.assertIs(pool(USER, self.tokens), first)
        self.assertIsNot(pool("eve", self.tokens), first)
        self.assertIsNot(pool(USER, self.tokens.__call__), first)
        # A bound method is another object each time, and equal.
        self.assertIs(pool(USER, self.tokens.__call__), pool(USER, self.tokens.__call__))
        self.assertNotEqual(self.auth, USER)

    def test_repr(self):
        self.login()
        self.assertEqual(repr(self.auth), "<XOAuth2>")
        server = Server("mail.test", 25, authenticate=self.auth)
        self.assertNotIn(USER, repr(server))


def chain(error):
    """Yield `error` and all that it came of."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class SecretTests(AuthTestCase):
    """Servers that repeat what they refuse, and logs and error pages that show what they said."""

    def assertHidden(self, error, *secrets):
        shown = [
            form(part)
            for part in chain(error)
            for form in (str, repr, lambda part: repr(part.args), lambda part: repr(vars(part)))
        ]
        for secret in secrets:
            for form in (secret, encoded(secret)):
                self.assertEqual([text for text in shown if form in text], [])

    def test_a_server_that_repeats_the_command(self):
        for mechanism, dialogue, told in [
            ("PLAIN", [], b"What is AUTH PLAIN ***?"),
            ("LOGIN", ["UGFzc3dvcmQ6"], b"What is ***?"),
        ]:
            with self.subTest(mechanism=mechanism):
                questions = iter(dialogue)

                def behave(line, questions=questions):
                    if line.startswith("ehlo"):
                        return None
                    question = next(questions, None)
                    return f"334 {question}" if question else f"535 What is {line}?"

                error = self.error(self.offer(mechanism, behave), **LOGIN)
                self.assertRefused(error, 535, told)
                self.assertEqual((error.smtp_code, error.smtp_error), (535, told))
                self.assertHidden(error, PASSWORD, f"\0{USER}\0{PASSWORD}")

    def test_a_server_that_repeats_the_password(self):
        for password in [PASSWORD, encoded(PASSWORD)]:
            sink = self.offer(
                "CRAM-MD5 PLAIN LOGIN",
                lambda line, password=password: (
                    f"535-No\r\n535 Not {password}" if not line.startswith("ehlo") else None
                ),
            )
            error = self.error(sink, **LOGIN)
            self.assertRefused(error, 535, b"No\nNot ***")
            self.assertHidden(error, PASSWORD)

    def test_a_server_that_repeats_the_password_in_the_greeting(self):
        # It knows it from the last time.
        server = enter(self, ScriptedServer([(None, f"554 Not {PASSWORD}")]))
        error = self.error(server, **LOGIN)
        self.assertEqual(repr(error), repr(smtplib.SMTPConnectError(554, b"Not ***")))
        self.assertHidden(error, PASSWORD)

    def test_a_server_that_repeats_the_token(self):
        tokens = iter(["secret-1", "secret-2"])
        sink = self.offer("XOAUTH2", lambda line: "235 Yes" if line.startswith("AUTH") else None)
        auth = XOAuth2(USER, lambda: next(tokens))
        self.connect(sink, authenticate=auth)

        def behave(line):
            if not line.startswith("AUTH"):
                return None
            bearer = base64.b64decode(line.split()[2]).decode()
            _, token, _ = Tokens.parse(bearer)
            return f"535 Not {token} {encoded(token)} {line}"

        sink.behave = behave
        error = self.error(sink, authenticate=auth)
        self.assertRefused(error, 535, b"Not *** *** AUTH XOAUTH2 ***")
        # The error about the first token is what that about the second came of.
        self.assertEqual(len([*chain(error)]), 2)
        bearers = [f"user={USER}\1auth=Bearer secret-{number}\1\1" for number in (1, 2)]
        self.assertHidden(error, "secret-1", "secret-2", *bearers)

    def test_a_server_that_has_no_end_of_questions(self):
        sink = self.offer(
            "PLAIN",
            lambda line: None if line.startswith("ehlo") else f"334 {encoded(PASSWORD)}",
        )
        error = self.error(sink, **LOGIN)
        self.assertIs(type(error), smtplib.SMTPException)
        self.assertHidden(error, PASSWORD, f"\0{USER}\0{PASSWORD}")

    def test_a_reply_that_is_too_long(self):
        for text in [f"535 {PASSWORD}{'x' * 9000}", f"535-{PASSWORD}\r\n" * 9000]:
            sink = self.offer(
                "PLAIN", lambda line, text=text: text if line.startswith("AUTH") else None
            )
            for options in [LOGIN, {"authenticate": XOAuth2(USER, lambda: PASSWORD)}]:
                if "authenticate" in options:
                    sink.features = ["AUTH XOAUTH2"]
                error = self.error(sink, **options)
                self.assertIs(type(error), smtplib.SMTPResponseException)
                self.assertIn(error.args, [(500, "Line too long."), (500, "Reply too long.")])
                self.assertHidden(error, PASSWORD)

    def test_a_question_that_is_none(self):
        # smtplib decodes it, and what is wrong then is no error of its own.
        def behave(line):
            return "334 Go" if line.startswith("AUTH") else None

        for mechanism, options in [
            ("PLAIN", LOGIN),
            ("LOGIN", LOGIN),
            ("CRAM-MD5", LOGIN),
            ("XOAUTH2", {"authenticate": XOAuth2(USER, lambda: PASSWORD)}),
        ]:
            with self.subTest(mechanism=mechanism):
                sink = self.offer(mechanism, behave)
                error = self.error(sink, **options)
                self.assertIsInstance(error, OSError)
                self.assertHidden(error, PASSWORD)
                pool = Pool(Server(HOST, sink.port, timeout=TIMEOUT, **options))
                (result,) = deliver(pool, [Envelope("", ["bob@example.com"], b"Hello")])
                self.assertEqual(result.status, "untried")

    def test_what_cannot_be_sent(self):
        # UnicodeEncodeError shows all of what it could not encode.
        secret = "corréct-horse"
        for mechanism, options in [
            ("PLAIN", {"username": USER, "password": secret}),
            ("XOAUTH2", {"authenticate": XOAuth2(USER, lambda: secret)}),
        ]:
            with self.subTest(mechanism=mechanism):
                error = self.error(self.offer(mechanism), **options)
                self.assertIsInstance(error, ValueError)
                self.assertHidden(error, secret)
