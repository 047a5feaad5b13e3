"""Signal handlers that send mail themselves, and systems that have less than POSIX."""

import os
import select
import socket
from pathlib import PureWindowsPath
from unittest import mock

from django.test import SimpleTestCase

from django_mailers.smtp import TLSConfig
from django_mailers.smtp.replies import ReplyReader

from .support.processes import run_python
from .support.servers import HOST, TIMEOUT, certificates, enter, server_context
from .support.sink import Sink


class SignalHandlerTests(SimpleTestCase):
    """SIGTERM comes at the worst moment, and its handler logs an error, which is mailed."""

    def run_interrupted(self, place):
        """Run a process that gets a SIGTERM where it first calls `place`."""
        ca_file = enter(self, certificates.ca.cert_pem.tempfile())
        sink = enter(self, Sink(tls_context=server_context()))
        process = run_python(
            f"""
            import functools, logging, os, signal, ssl
            from django.core.mail import send_mail
            from django_mailers.smtp import shared, slots, tls

            options = {{"host": {HOST!r}, "port": {sink.port}, "timeout": {TIMEOUT},
                       "use_tls": True, "ca_file": {ca_file!r}, "pool_size": 1}}
            backend = "django_mailers.backends.smtp.EmailBackend"
            configure(MAILERS={{"default": {{"BACKEND": backend, "OPTIONS": options}}}},
                      ADMINS=["admin@example.com"], SERVER_EMAIL="server@example.com")
            from django_mailers.log import AdminEmailHandler

            logger = logging.getLogger("jobs")
            logger.addHandler(AdminEmailHandler())
            signal.signal(signal.SIGTERM, lambda *args: logger.error("The job was ended."))

            def interrupted(function):
                @functools.wraps(function)
                def wrapper(*args, **kwargs):
                    setattr(*place, function)
                    os.kill(os.getpid(), signal.SIGTERM)
                    return function(*args, **kwargs)
                return wrapper

            place = {place}
            setattr(*place, interrupted(getattr(*place)))
            print(send_mail("News", "Teapots!", "shop@example.com", ["ann@example.com"]))
            print(send_mail("News", "Teapots!", "shop@example.com", ["ann@example.com"]))
            """,
            timeout=6 * TIMEOUT,
        )
        self.assertEqual((process.stdout, process.stderr), ("1\n1\n", ""))
        self.assertEqual(
            [message.recipients for message in sink.accepted],
            [["admin@example.com"], ["ann@example.com"], ["ann@example.com"]],
        )

    def test_while_certificates_are_read(self):
        self.run_interrupted('ssl, "create_default_context"')

    def test_while_the_pool_is_looked_up(self):
        self.run_interrupted('shared.Pool, "__init__"')

    def test_while_a_slot_is_taken(self):
        self.run_interrupted('slots.Slots, "take"')

    def test_while_the_handshake_is_done(self):
        self.run_interrupted('tls.TLS, "wrap_socket"')


class LessThanPosixTests(SimpleTestCase):
    def test_windows(self):
        sink = enter(self, Sink())
        process = run_python(f"""
            import os, select, signal
            # Before anything else looks for them.
            del select.poll, select.epoll
            del os.fork, os.forkpty, os.register_at_fork, signal.SIGALRM, signal.setitimer
            import logging

            options = {{"host": {HOST!r}, "port": {sink.port}, "timeout": {TIMEOUT}, "parallel": 2}}
            backend = "django_mailers.backends.smtp.EmailBackend"
            configure(MAILERS={{"default": {{"BACKEND": backend, "OPTIONS": options}}}},
                      ADMINS=["admin@example.com"], SERVER_EMAIL="server@example.com")
            from django.core.mail import EmailMessage, mailers, send_mail
            from django_mailers.log import AdminEmailHandler

            for _ in range(2):
                print(send_mail("One", "", "shop@example.com", ["ann@example.com"]))
            news = [EmailMessage("News", "", "shop@example.com", ["ann@example.com"])] * 20
            print(mailers.default.send_messages(news))
            logger = logging.getLogger("jobs")
            logger.addHandler(AdminEmailHandler())
            logger.error("The job was ended.")
            print(mailers.default.pool.stats()["broken"])
        """)
        self.assertEqual((process.stdout, process.stderr), ("1\n1\n20\n0\n", ""))
        self.assertEqual(
            [message.recipients for message in sink.accepted],
            [["ann@example.com"]] * 22 + [["admin@example.com"]],
        )

    def test_a_session_that_ended_is_seen(self):
        for kind in ["poll", "select"]:
            with (
                self.subTest(kind=kind),
                mock.patch.object(select, "poll", create=True, side_effect=real_poll) as poll,
            ):
                if kind == "select":
                    del select.poll
                here, there = socket.socketpair()
                with here, there:
                    here.settimeout(TIMEOUT)
                    reader = ReplyReader()
                    self.assertIs(reader.is_quiet(here), True)
                    self.assertIs(reader.is_quiet(here), True)
                    there.close()
                    self.assertIs(reader.is_quiet(here), False)
                self.assertEqual(poll.call_count, int(kind == "poll"))

    def test_paths_in_errors(self):
        path = PureWindowsPath(r"C:\certs\ca.pem")
        self.assertEqual(os.fspath(path), r"C:\certs\ca.pem")
        for config in [TLSConfig(ca_file=path), TLSConfig(certfile=path)]:
            with self.subTest(config=config):
                with self.assertRaises(FileNotFoundError) as caught:
                    config.create_context()
                told = r"[Errno 2] C:\certs\ca.pem: No such file or directory"
                # Python 3.15 names a missing certfile by itself.
                named = f"[Errno 2] No such file or directory: {str(path)!r}"
                self.assertIn(str(caught.exception), {told, named})


real_poll = getattr(select, "poll", None)
