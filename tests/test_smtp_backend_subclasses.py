"""Subclasses of the pooled SMTP backend, as they are written for Django's."""

from __future__ import annotations

import smtplib
import ssl
from pathlib import Path
from typing import Any

from django.core.mail import mailers
from django.core.mail.backends import smtp as django_smtp

from django_mailers import send_many
from django_mailers.backends.smtp import EmailBackend
from django_mailers.smtp import close_pools

from .support.messages import message
from .support.servers import DROP, TIMEOUT, SMTPServer, certificates, enter
from .support.sink import Sink
from .support.smtp import ALIAS, MESSAGE, SMTPBackendTestCase, statuses, subjects


class OwnSend:
    def _send(self, email_message):
        self.log.append(("_send", email_message.subject))
        return email_message.subject != "not this one" and super()._send(email_message)


class OwnOpen:
    def open(self):
        self.log.append("open")
        return super().open()


class OwnClose:
    def close(self):
        self.log.append("close")
        super().close()


class OwnSendMessages:
    def send_messages(self, email_messages):
        self.log.append("send_messages")
        return super().send_messages(list(email_messages)[:1])


class OwnPrepAddress:
    def prep_address(self, address, force_ascii=True):
        self.log.append(address)
        return super().prep_address(address, force_ascii).replace("@example", "@staging")


class OwnConnectionClass:
    class Connection(smtplib.SMTP):
        def ehlo(self, name=""):
            return super().ehlo("own.example.com")

    connection_class = Connection


class OwnContext:
    @property
    def ssl_context(self):
        self.log.append("ssl_context")
        context = ssl.create_default_context()
        certificates.ca.configure_trust(context)
        return context


class RoundAboutBackend(OwnSendMessages, EmailBackend):
    """The same with a path, for MAILERS."""

    log: list[Any] = []


class SubclassTests(SMTPBackendTestCase):
    """What overrides a method of Django's backend does the same to ours."""

    overrides = [
        OwnSend,
        OwnOpen,
        OwnClose,
        OwnSendMessages,
        OwnPrepAddress,
        OwnConnectionClass,
        OwnContext,
    ]

    def use(self, base, override, change=None):
        """Send in all ways; give what was logged, what was returned, and what came."""
        log, counts = [], []
        with SMTPServer(tls="starttls" if override is OwnContext else None) as server:
            kind = type("Backend", (override, base), {"log": log})
            backend = kind(
                server.host,
                server.port,
                use_tls=override is OwnContext,
                timeout=TIMEOUT,
                alias=ALIAS,
            )
            if change is not None:
                change(backend, log)
            counts.append(backend.send_messages([message("1"), message("2")]))
            with backend:
                counts.append(backend.send_messages([message("not this one"), message("3")]))
                counts.append(backend.send_messages([message("nobody", to=[]), message("4")]))
            counts.append(backend.send_messages([]))
            close_pools()
            names = {session.ehlo for session in server.sessions} & {"own.example.com"}
            recipients = [sent.rcpt_tos for sent in server.messages]
            return log, counts, subjects(server), recipients, names

    def test_it_has_its_effect(self):
        for override in self.overrides:
            with self.subTest(override.__name__):
                theirs = self.use(django_smtp.EmailBackend, override)
                self.assertEqual(self.use(EmailBackend, override), theirs)
                self.assertTrue(theirs[0] or theirs[4], "It was not called.")

    def test_it_may_be_set_on_an_instance(self):
        """H7: as tests and instrumentation do."""

        def logging(name):
            def change(backend, log):
                own = getattr(backend, name)

                def replacement(*args, **kwargs):
                    log.append(name)
                    return own(*args, **kwargs)

                setattr(backend, name, replacement)

            return change

        class Nothing:
            pass

        for name in ("open", "close", "_send", "send_messages", "prep_address"):
            with self.subTest(name):
                theirs = self.use(django_smtp.EmailBackend, Nothing, logging(name))
                self.assertEqual(self.use(EmailBackend, Nothing, logging(name)), theirs)
                self.assertIn(name, theirs[0])

    def test_a_subclass_that_overrides_nothing_of_it_has_the_pool(self):
        class Labelled(EmailBackend):
            label = "x"

        sink = enter(self, Sink())
        self.addCleanup(close_pools)
        backend = Labelled(sink.host, sink.port, timeout=TIMEOUT, alias=ALIAS)
        for _ in range(2):
            backend.send_messages([message()])
        self.assertEqual(sink.commands, [["EHLO", *MESSAGE * 2]])

    def test_send_many_does_not_go_round_send_messages(self):
        sink = self.serve(backend=RoundAboutBackend)
        self.addCleanup(RoundAboutBackend.log.clear)
        report = send_many([message("1"), message("2")], using=ALIAS)
        self.assertEqual(statuses(report), ["sent", "sent"])
        self.assertEqual(RoundAboutBackend.log, ["send_messages"] * 2)
        self.assertEqual(subjects(sink), ["1", "2"])

    def test_a_reply_that_was_lost(self):
        """Over a session of ours, whose transactions nobody watches."""
        sink = self.serve(backend=RoundAboutBackend)
        self.addCleanup(RoundAboutBackend.log.clear)
        sink.behave = lambda line: DROP if line == "." else None
        [result] = send_many([message()], using=ALIAS)
        self.assertEqual(result.status, "unknown")
        sink.behave = lambda line: "550 No" if line == "." else None
        [result] = send_many([message()], using=ALIAS)
        self.assertEqual((result.status, result.code), ("refused", 550))

    def test_a_context_that_was_asked_for_is_used(self):
        """Somebody may have changed it; that of other mailers is not."""
        ca_file = Path(enter(self, certificates.ca.cert_pem.tempfile()))
        self.serve(SMTPServer(tls="implicit"), use_ssl=True, ca_file=ca_file)
        backend, other = mailers[ALIAS], mailers[ALIAS]
        context = backend.ssl_context
        self.assertEqual(backend.send_messages([message()]), 1)
        # Nothing is left that a client could verify the server by.
        context.check_hostname = True
        context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with self.assertRaises(ssl.SSLError):
            backend.send_messages([message()])
        self.assertEqual(other.send_messages([message()]), 1)
