"""How a message finds its pool: by tuples that are quickly made, and that show no secrets."""

import pprint
from unittest import mock

from django.core.mail import mailers
from django.test import SimpleTestCase, override_settings

from django_mailers.smtp import (
    Envelope,
    Pool,
    PoolOptions,
    Server,
    TLSConfig,
    close_pools,
    deliver,
    shared_pool,
)
from django_mailers.smtp import pool as pool_module

from .support.processes import run_python
from .support.servers import HOST, TIMEOUT, enter
from .support.sink import Sink

BACKEND = "django_mailers.backends.smtp.EmailBackend"
USER, PASSWORD = "ada@example.com", "correct-horse"


def envelopes(number):
    return [Envelope("ada@example.com", ["bob@example.com"], b"%d\r\n" % n) for n in range(number)]


class TupleTests(SimpleTestCase):
    def test_equal_ones(self):
        def server(**changes):
            return Server(
                **{
                    "host": "mail.test",
                    "port": 587,
                    "security": "starttls",
                    "tls": TLSConfig("ca.pem", "cert.pem", "key.pem"),
                    "username": USER,
                    "password": PASSWORD,
                    "timeout": 5,
                    "local_hostname": "www.test",
                    "source_address": ("127.0.0.1", 0),
                    **changes,
                }
            )

        self.assertEqual(server(), server())
        self.assertEqual(hash(server()), hash(server()))
        for changes in [
            {"host": "mail2.test"},
            {"port": 25},
            {"security": None},
            {"tls": TLSConfig()},
            {"username": "eve"},
            {"username": None},
            {"password": "battery"},
            {"password": None},
            {"authenticate": print},
            {"timeout": 6},
            {"local_hostname": None},
            {"source_address": None},
            {"pipelining": False},
            {"chunking": False},
        ]:
            with self.subTest(changes=changes):
                self.assertNotEqual(server(**changes), server())
                self.assertEqual(server(**changes), server(**changes))

    def test_attributes(self):
        server = Server("mail.test", 25, username=USER, password=PASSWORD)
        self.assertIsInstance(server, tuple)
        self.assertEqual((server.username, server.password), (USER, PASSWORD))
        self.assertEqual((server.tls, server.timeout), (TLSConfig(), 30))
        self.assertIs(server.pipelining and server.chunking, True)
        options = PoolOptions(max_messages=7)
        self.assertEqual(options, (4, 7, 300, 30, 5, 30))
        self.assertEqual(
            repr(options),
            "PoolOptions(pool_size=4, max_messages=7, max_age=300, max_idle=30, check_after=5, "
            "acquire_timeout=30)",
        )

    def test_no_secrets_are_shown(self):
        server = Server("mail.test", 25, username=USER, password=PASSWORD)
        key = server, PoolOptions()
        # What collects errors may write out each item of a tuple, or hand it to pprint.
        shown = [repr(key), pprint.pformat(key), str(server), f"{server}", repr(list(server))]
        shown += [repr(server._asdict()), repr(server._replace(port=26)), repr(Pool(server))]
        for text in shown:
            self.assertNotIn(PASSWORD, text)
            self.assertNotIn(USER, text)


class LookupTests(SimpleTestCase):
    options = {"host": HOST, "port": 2525, "timeout": TIMEOUT, "username": USER}

    def setUp(self):
        settings = {"default": {"BACKEND": BACKEND, "OPTIONS": {**self.options, "password": "p"}}}
        enter(self, override_settings(MAILERS=settings))
        self.addCleanup(close_pools)

    def test_an_attribute_that_is_changed(self):
        for name, value in [
            *[("host", "::1"), ("port", 2526), ("username", "eve"), ("password", "q")],
            *[("use_tls", True), ("use_ssl", True), ("timeout", 1), ("ssl_certfile", "a.pem")],
            *[("pool_size", 1), ("max_messages", 1), ("max_age", 1), ("max_idle", 1)],
            *[("check_after", 1), ("acquire_timeout", 1), ("pipelining", False)],
            *[("chunking", False), ("local_hostname", "www.test"), ("source_address", "127.0.0.2")],
        ]:
            with self.subTest(name=name):
                mailer = mailers.default
                before = mailer.pool
                self.assertIs(mailers.default.pool, before)
                setattr(mailer, name, value)
                self.assertIsNot(mailer.pool, before)

    def test_options_of_tls(self):
        for name, value in [
            *[("ca_file", "a.pem"), ("ssl_certfile", "b.pem"), ("tls_min_version", "1.3")],
            ("ssl_keyfile", "k.pem"),
        ]:
            with self.subTest(name=name):
                mailer = mailers.default
                mailer.use_tls = True
                before = mailer.pool
                setattr(mailer, name, value)
                self.assertIsNot(mailer.pool, before)

    def test_port_0(self):
        mailer = mailers.default
        mailer.port = 0
        self.assertEqual(mailer.pool.server.endpoint, f"{HOST}:25")
        mailer.use_ssl = True
        self.assertEqual(mailer.pool.server.endpoint, f"{HOST}:465")

    def test_a_pool_that_was_closed(self):
        pool = mailers.default.pool
        pool.close()
        self.assertIsNot(mailers.default.pool, pool)
        self.assertIs(mailers.default.pool.is_closed, False)

    def test_one_that_another_thread_is_about_to_forget(self):
        pool = mailers.default.pool
        self.assertIs(pool.close_if_unused(), True)
        shared_pool(Server(HOST, 2527))
        self.assertIsNot(mailers.default.pool, pool)


class MessagesTests(SimpleTestCase):
    """Without a known limit a session is good for many messages."""

    def test_default(self):
        sink = enter(self, Sink())
        pool = Pool(Server(HOST, sink.port, timeout=TIMEOUT))
        self.addCleanup(pool.close)
        deliver(pool, envelopes(300))
        self.assertEqual(pool.stats()["opened"], 1)
        session, _ = pool.acquire()
        self.assertEqual(pool.room(session), 700)
        pool.release(session)

    def test_the_limit(self):
        sink = enter(self, Sink())
        enter(self, mock.patch.object(pool_module, "MAX_MESSAGES", 5))
        pool = Pool(Server(HOST, sink.port, timeout=TIMEOUT))
        self.addCleanup(pool.close)
        deliver(pool, envelopes(12))
        self.assertEqual([commands.count("MAIL") for commands in sink.commands], [5, 5, 2])


class ImportTests(SimpleTestCase):
    def test_a_plain_session_needs_little(self):
        sink = enter(self, Sink())
        process = run_python(f"""
            import sys
            from django.core.mail import send_mail

            configure(MAILERS={{"default": {{
                "BACKEND": {BACKEND!r}, "OPTIONS": {{"host": {HOST!r}, "port": {sink.port}}}
            }}}})
            print(send_mail("News", "Teapots!", "shop@example.com", ["ann@example.com"]))
            names = ["auth", "tls", "chunks"]
            print([name for name in names if f"django_mailers.smtp.{{name}}" in sys.modules])
            from django_mailers import smtp
            print(smtp.XOAuth2.__name__, smtp.shared_tls.__name__, hasattr(smtp, "SMTP"))
        """)
        self.assertEqual(process.stderr, "")
        self.assertEqual(process.stdout, "1\n[]\nXOAuth2 shared_tls False\n")

    def test_one_hook_for_forks(self):
        process = run_python("""
            import os
            hooks = []
            os.register_at_fork = lambda **kwargs: hooks.append(kwargs)
            from django_mailers.smtp import *
            print(len([
                function
                for kwargs in hooks
                for function in kwargs.values()
                if function.__module__.startswith("django_mailers.smtp")
            ]))
        """)
        self.assertEqual((process.stdout, process.stderr), ("1\n", ""))
