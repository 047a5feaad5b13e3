"""Which sessions the pooled SMTP backend has, and whose they are."""

import smtplib
from unittest.mock import patch

from django.core.mail import mailers, send_mail, send_mass_mail
from django.test import override_settings

from django_mailers import send_many
from django_mailers.smtp import close_pools

from .support.messages import message
from .support.servers import TIMEOUT, enter
from .support.sink import Sink
from .support.smtp import ALIAS, MESSAGE, SMTPBackendTestCase, entry, subjects


class SessionTests(SMTPBackendTestCase):
    """Which sessions there are, and whose they are."""

    def send(self, *names, using=ALIAS):
        for subject in names:
            self.assertEqual(message(subject).send(using=using), 1)

    def test_a_session_is_kept_for_the_next_message(self):
        sink = self.serve()
        self.send("1", "2")
        send_mail("3", "Text", None, ["bob@example.com"], using=ALIAS)
        send_mass_mail([("4", "Text", None, ["bob@example.com"])] * 2, using=ALIAS)
        self.assertEqual(sink.commands, [["EHLO", *MESSAGE * 5]])
        self.assertEqual(mailers[ALIAS].pool.stats()["reused"], 3)

    def test_aliases_with_equal_settings_share(self):
        sink = enter(self, Sink(users={"ada": "x", "bob": "y"}))
        ada = {"username": "ada", "password": "x"}
        settings = {
            "one": entry(sink, **ada),
            "same": entry(sink, **ada, parallel=2, fail_silently=True),
            "other_user": entry(sink, username="bob", password="y"),
            "nobody": entry(sink),
            "timeout": entry(sink, **ada, timeout=TIMEOUT + 1),
            "smaller": entry(sink, **ada, pool_size=2),
        }
        enter(self, override_settings(MAILERS=settings))
        for alias in ["one", "same", *settings]:
            self.send(alias, using=alias)
        self.assertEqual(
            [(one.user, one.commands.count("MAIL")) for one in sink.connections],
            [("ada", 4), ("bob", 1), (None, 1), ("ada", 1), ("ada", 1)],
        )
        self.assertIs(mailers["one"].pool, mailers["same"].pool)

    def test_the_pool_is_that_of_the_attributes(self):
        """H18: of now, whichever have been changed."""
        self.serve()
        self.send("keeps a session")
        backend = mailers[ALIAS]
        pool = backend.pool
        login = {"username": "ada", "password": "x"}
        for changed in (
            {"host": "localhost"},
            {"port": 1},
            login,
            {"use_tls": True},
            {"use_ssl": True},
            {"timeout": TIMEOUT + 1},
            {"ssl_certfile": "c.pem"},
            {"ssl_certfile": "c.pem", "ssl_keyfile": "k.pem"},
            {"pool_size": 2},
            {"max_messages": 2},
            {"max_age": 2},
            {"max_idle": 2},
            {"check_after": 2},
            {"acquire_timeout": 2},
            {"pipelining": False},
            {"chunking": False},
            {"ca_file": "ca.pem"},
            {"tls_min_version": "1.3"},
            {"local_hostname": "me.test"},
            {"source_address": "127.0.0.2"},
            {**login, "auth": "xoauth2", "token": str},
        ):
            with self.subTest(**changed):
                before = {name: getattr(backend, name) for name in changed}
                vars(backend).update(changed)
                other = backend.pool
                vars(backend).update(before)
                self.assertIsNot(other, pool)
                self.assertIs(backend.pool, pool)
        with patch("django.core.mail.utils.DNS_NAME.get_fqdn", return_value="me.test"):
            self.assertEqual(backend.pool.server.local_hostname, "me.test")
        close_pools()
        self.assertIsNot(backend.pool, pool)

    def test_changed_settings_close_them(self):
        sink = enter(self, Sink())
        with override_settings(MAILERS={ALIAS: entry(sink)}):
            self.send("1")
            with override_settings(MAILERS={ALIAS: entry(sink)}):
                self.assertTrue(sink.connections[0].ended.wait(TIMEOUT))
                self.send("2")
        self.assertTrue(sink.connections[1].ended.wait(TIMEOUT))
        self.assertEqual(sink.commands, [["EHLO", *MESSAGE, "QUIT"]] * 2)

    def test_other_settings_leave_them(self):
        sink = self.serve()
        self.send("1")
        with override_settings(DEFAULT_FROM_EMAIL="x@example.com", USE_TZ=False):
            self.send("2")
        self.assertEqual(sink.commands, [["EHLO", *MESSAGE * 2]])

    def test_open_pins_one(self):
        sink = self.serve()
        backend = mailers[ALIAS]
        self.assertIsNone(backend.connection)
        with backend:
            pinned = backend.connection
            self.assertIsInstance(pinned, smtplib.SMTP)
            self.assertEqual(pinned.noop(), (250, b"OK"))
            self.assertIs(backend.open(), False)
            self.assertIs(backend.connection, pinned)
            backend.send_messages([message("pinned 1")])
            # It is taken: somebody else's message goes over another one.
            self.send("other")
            backend.send_messages([message("pinned 2")])
            self.assertIs(backend.connection, pinned)
        self.assertIsNone(backend.connection)
        self.assertEqual(sink.commands, [["EHLO", "NOOP", *MESSAGE * 2], ["EHLO", *MESSAGE]])
        stats = backend.pool.stats()
        self.assertEqual((stats["idle"], stats["busy"]), (2, 0))

    def test_a_pinned_one_that_the_server_closed_is_replaced(self):
        sink = self.serve()
        with mailers[ALIAS] as backend:
            first = backend.connection
            for number, say_goodbye in enumerate((True, False)):
                protocol = sink.protocols[-1]
                if say_goodbye:
                    sink.run(lambda protocol=protocol: protocol.transport.write(b"421 Idle\r\n"))
                else:
                    sink.run(protocol.transport.abort)
                # The end has come, or the 421. 2 is MSG_PEEK.
                backend.connection.sock.recv(1, 2)
                self.assertEqual(backend.send_messages([message(str(number))]), 1)
            self.assertIsNot(backend.connection, first)
            self.assertEqual(backend.connection.noop(), (250, b"OK"))
        self.assertEqual(subjects(sink), ["0", "1"])
        self.assertEqual(backend.pool.stats()["busy"], 0)

    def test_open_replaces_it_too(self):
        sink = self.serve()
        with mailers[ALIAS] as backend:
            sink.run(sink.protocols[0].transport.abort)
            self.assertEqual(backend.connection.sock.recv(1, 2), b"")
            self.assertIs(backend.open(), False)
            self.assertEqual(backend.connection.noop(), (250, b"OK"))

    def test_a_pinned_one_is_exchanged_after_max_messages(self):
        sink = self.serve(max_messages=2)
        with mailers[ALIAS] as backend:
            backend.send_messages([message() for _ in range(3)])
            backend.send_messages([message() for _ in range(2)])
            self.assertEqual(backend.connection.noop(), (250, b"OK"))
        self.assertEqual([names.count("MAIL") for names in sink.commands], [2, 2, 1])

    def test_errors_give_it_back(self):
        sink = self.serve()
        with self.assertRaises(KeyError), mailers[ALIAS] as backend:
            raise KeyError
        stats = backend.pool.stats()
        self.assertEqual((stats["idle"], stats["busy"]), (1, 0))
        # In the middle of a message of somebody who uses smtplib: that one must not go on.
        with self.assertRaises(KeyError), backend:
            backend.connection.mail("eve@example.com")
            raise KeyError
        self.send("next")
        self.assertEqual(sink.commands, [["EHLO", "MAIL", "QUIT"], ["EHLO", *MESSAGE]])

    def test_open_that_fails(self):
        sink = self.serve()
        sink.behave = lambda line: "421 Full"
        backend = mailers[ALIAS]
        for _ in range(2):
            with self.assertRaises(smtplib.SMTPHeloError):
                backend.open()
            self.assertIsNone(backend.connection)
        sink.behave = None
        with backend:
            self.assertEqual(backend.send_messages([message()]), 1)

    def test_connection_set_by_hand(self):
        """It is used as Django's backend does, and is neither closed nor kept."""
        sink = self.serve()
        with Sink() as mine, smtplib.SMTP(mine.host, mine.port, timeout=TIMEOUT) as connection:
            backend = mailers[ALIAS]
            backend.connection = connection
            self.assertIs(backend.open(), False)
            self.assertEqual(backend.send_messages([message("1"), message("2")]), 2)
            self.assertEqual(
                [result.status for result in send_many([message("other")], using=ALIAS)], ["sent"]
            )
            self.assertEqual(connection.noop(), (250, b"OK"))
            self.assertEqual(subjects(mine), ["1", "2"])
            backend.close()
            self.assertIsNone(backend.connection)
            self.assertIsNone(connection.sock)
            self.assertEqual(backend.send_messages([message("pooled")]), 1)
        self.assertEqual(subjects(sink), ["other", "pooled"])
