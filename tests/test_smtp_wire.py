"""What sessions put on the wire, and what they make of the replies, when servers are in order."""

import asyncio
import email.policy
import smtplib
import socket
from email.message import EmailMessage

from django_mailers.smtp import (
    Envelope,
    Reply,
)
from django_mailers.smtp.wire import normalize

from .support.messages import ADA, BOB, EVE
from .support.pools import refusals
from .support.servers import (
    TIMEOUT,
    ScriptedServer,
    SMTPServer,
    enter,
)
from .support.sink import Accepted, Sink
from .support.smtp import MODES, envelope
from .support.wire import WireTestCase


class TransactionTests(WireTestCase):
    """The groups of commands, by what the server offers."""

    def reads(self, *messages, **options):
        """Deliver; give what the server got at a time, after EHLO."""
        sink, session = self.sink(**options)
        statuses = {result.status for result in session.deliver(messages)}
        self.assertEqual(statuses, {"sent"})
        self.assertEqual(len(sink.accepted), len(messages))
        return sink.connections[0].reads[1:]

    def test_dialogue(self):
        self.assertEqual(
            self.reads(envelope(b"1", BOB, EVE), envelope(b"2"), **MODES["dialogue"]),
            [["MAIL"], ["RCPT"], ["RCPT"], ["DATA"], ["."], ["MAIL"], ["RCPT"], ["DATA"], ["."]],
        )

    def test_pipelining(self):
        # The last command of a group is the one whose reply must be waited for (RFC 2920, 3.1).
        self.assertEqual(
            self.reads(envelope(b"1", BOB, EVE), envelope(b"2"), **MODES["pipelining"]),
            [["MAIL", "RCPT", "RCPT", "DATA"], [".", "MAIL", "RCPT", "DATA"], ["."]],
        )

    def test_chunking(self):
        self.assertEqual(
            self.reads(envelope(b"1", BOB, EVE), envelope(b"2"), **MODES["chunking"]),
            [["MAIL"], ["RCPT"], ["RCPT"], ["BDAT"], ["MAIL"], ["RCPT"], ["BDAT"]],
        )

    def test_pipelining_and_chunking(self):
        # The first message goes alone. RSET: should one be refused, the next must not add to it.
        self.assertEqual(
            self.reads(*[envelope(b"%d" % number) for number in range(3)]),
            [
                ["MAIL", "RCPT", "BDAT"],
                ["MAIL", "RCPT", "BDAT", "RSET", "MAIL", "RCPT", "BDAT"],
            ],
        )

    def test_large_content_waits_for_the_recipients(self):
        sink, session = self.sink()
        sink.behave = lambda line: "550 No such user" if line == f"RCPT TO:<{EVE}>" else None
        large = b"x" * 100_000 + b"\r\n"
        refused, sent = session.deliver([envelope(large, EVE), envelope(large, EVE, BOB)])
        self.assertResult(
            refused,
            "refused",
            {EVE: Reply(550, b"No such user")},
            smtplib.SMTPRecipientsRefused({EVE: (550, b"No such user")}),
        )
        self.assertResult(
            sent, "sent", {EVE: Reply(550, b"No such user"), BOB: Reply(250, b"Accepted")}
        )
        self.assertEqual(
            sink.commands, [["EHLO", "MAIL", "RCPT", "RSET", "MAIL", "RCPT", "RCPT", "BDAT"]]
        )
        self.assertEqual([message.content for message in sink.accepted], [large])

    def test_the_offer_can_be_declined(self):
        sink = enter(self, Sink())
        session = self.connect(sink, pipelining=False, chunking=False)
        self.assertEqual(session.deliver([envelope()])[0].status, "sent")
        self.assertEqual(sink.connections[0].reads, [["EHLO"], ["MAIL"], ["RCPT"], ["DATA"], ["."]])

    def test_many_recipients_are_sent_in_portions(self):
        names = [f"{number}@example.com" for number in range(1000)]
        for mode, options in MODES.items():
            with self.subTest(mode=mode):
                sink, session = self.sink(**options)
                result = session.deliver([envelope(b"1", *names)])[0]
                self.assertResult(result, "sent", dict.fromkeys(names, Reply(250, b"Accepted")))
                self.assertEqual([message.recipients for message in sink.accepted], [names])

    def test_many_messages(self):
        contents = [b"%d\r\n" % number + b"x" * 5000 + b"\r\n" for number in range(150)]
        for mode, options in MODES.items():
            with self.subTest(mode=mode):
                sink, session = self.sink(**options)
                results = session.deliver([envelope(content) for content in contents])
                self.assertEqual([r.status for r in results], ["sent"] * 150)
                self.assertEqual([message.content for message in sink.accepted], contents)
                self.assertEqual(session.messages, 150)

    def test_a_server_without_extensions(self):
        server = enter(self, SMTPServer())
        session = self.connect(server)
        self.assertResult(session.deliver([envelope()])[0], "sent", {BOB: Reply(250, b"OK")})
        self.assertEqual(server.sessions[0].commands, ["EHLO", "MAIL", "RCPT", "DATA"])
        self.assertEqual(server.messages[0].content, b"Hello\r\n")

    def test_a_server_without_ehlo(self):
        script = [
            (None, "220 Old"),
            ("EHLO", "500 What?"),
            ("HELO", "250 Hello"),
            ("MAIL", "250 OK"),
            ("RCPT", "250 OK"),
            ("DATA", "354 Go"),
            (".", "250 OK"),
        ]
        server = enter(self, ScriptedServer(script))
        session = self.connect(server, local_hostname="client.test")
        self.assertEqual(session.deliver([envelope(b"a")])[0].status, "sent")
        self.assertEqual(
            server.received[0],
            [
                "ehlo client.test",
                "helo client.test",
                f"MAIL FROM:<{ADA}>",
                f"RCPT TO:<{BOB}>",
                "DATA",
                ".",
            ],
        )

    def test_smtplib_works_on(self):
        sink, session = self.sink(**MODES["dialogue"])
        self.assertEqual(session.sendmail(ADA, [BOB], b"One\n"), {})
        self.assertEqual(session.deliver([envelope(b"Two")])[0].status, "sent")
        message = EmailMessage(policy=email.policy.SMTP)
        message["From"], message["To"] = ADA, BOB
        self.assertEqual(session.send_message(message), {})
        self.assertEqual(session.noop(), (250, b"OK"))
        self.assertEqual(len(sink.accepted), 3)
        self.assertEqual(repr(session), "<Session open messages=1>")
        self.assertEqual(session.quit(), (221, b"Bye"))
        self.assertEqual(repr(session), "<Session closed messages=1>")

    def test_commands_do_not_wait_for_acknowledgements(self):
        _, session = self.sink()
        self.assertNotEqual(session.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), 0)


class ParameterTests(WireTestCase):
    def accepted(self, message, **options):
        sink, session = self.sink(**options)
        self.assertEqual(session.deliver([message])[0].status, "sent")
        (accepted,) = sink.accepted
        return accepted

    def test_what_is_offered_is_used(self):
        content = "é".encode()
        for mode, options in MODES.items():
            with self.subTest(mode=mode):
                self.assertEqual(
                    self.accepted(envelope(content, BOB, EVE), **options),
                    Accepted(ADA, ["SIZE=4", "BODY=8BITMIME"], [BOB, EVE], content + b"\r\n"),
                )

    def test_size_is_that_of_the_message_without_stuffed_dots(self):
        for mode, options in MODES.items():
            with self.subTest(mode=mode):
                self.assertEqual(
                    self.accepted(envelope(b".\n..\n"), **options),
                    Accepted(ADA, ["SIZE=7"], [BOB], b".\r\n..\r\n"),
                )

    def test_what_is_not_offered_is_not_used(self):
        self.assertEqual(
            self.accepted(envelope(b"\xe9\r\n"), features=[]),
            Accepted(ADA, [], [BOB], b"\xe9\r\n"),
        )

    def test_smtputf8(self):
        self.assertEqual(
            self.accepted(envelope(b"1\r\n", "zoë@example.com")),
            Accepted(ADA, ["SIZE=3", "SMTPUTF8", "BODY=8BITMIME"], ["zoë@example.com"], b"1\r\n"),
        )

    def test_smtputf8_is_needed(self):
        sink, session = self.sink(features=[])
        failed, sent = session.deliver([envelope(b"1", "zoë@example.com"), envelope()])
        self.assertResult(
            failed,
            "failed",
            {},
            smtplib.SMTPNotSupportedError(
                "An address has non-ASCII characters, and the server no SMTPUTF8."
            ),
        )
        self.assertEqual(sent.status, "sent")
        self.assertEqual(sink.commands, [["EHLO", "MAIL", "RCPT", "BDAT"]])

    def test_bounces_have_no_sender(self):
        self.assertEqual(
            self.accepted(envelope(mail_from="")), Accepted("", ["SIZE=7"], [BOB], b"Hello\r\n")
        )

    def test_quoted_local_part(self):
        address = '"ada lovelace"@example.com'
        self.assertEqual(self.accepted(envelope(b"1", address)).recipients, [address])

    def test_commands_cannot_be_injected(self):
        sink, session = self.sink()
        for name, written in [("\r\n", r"\r\n"), ("\n", r"\n"), ("\r", r"\r"), ("\0", r"\x00")]:
            address = f"eve@example.com>{name}RSET"
            error = ValueError(
                f"A command must not contain CR, LF or NUL: 'eve@example.com>{written}RSET'"
            )
            with self.subTest(name=name):
                for message in [envelope(b"1", BOB, address), envelope(mail_from=address)]:
                    self.assertResult(session.deliver([message])[0], "failed", {}, error)
                with self.assertRaises(ValueError):
                    session.docmd("NOOP", f"x{name}RSET")
        self.assertEqual(session.deliver([envelope()])[0].status, "sent")
        self.assertEqual(sink.commands, [["EHLO", "MAIL", "RCPT", "BDAT"]])

    def test_a_message_needs_a_recipient(self):
        _, session = self.sink()
        self.assertResult(
            session.deliver([Envelope(ADA, [], b"1")])[0],
            "failed",
            {},
            ValueError("A message needs a recipient."),
        )


class ContentTests(WireTestCase):
    def test_line_ends_are_normalized(self):
        for content, expected in [
            (b"", b"\r\n"),
            (b"a\r\nb\r\n", b"a\r\nb\r\n"),
            (b"a\nb\rc\r\r\nd\n\r\ne", b"a\r\nb\r\nc\r\n\r\nd\r\n\r\ne\r\n"),
            (b"a\n", b"a\r\n"),
            (b"a\r", b"a\r\n"),
            # As many CR as LF, none of them in a pair.
            (b"a\n\rb", b"a\r\n\r\nb\r\n"),
        ]:
            with self.subTest(content=content):
                self.assertEqual(normalize(content), expected)

    def test_nothing_is_smuggled(self):
        commands = b"MAIL FROM:<eve@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\nx\r\n"
        line_ends = [b"\r", b"\n", b"\r\n"]
        for end in [one + b"." + other for one in line_ends for other in line_ends]:
            content = b"Hello" + end + commands
            expected = b"Hello\r\n.\r\n" + commands
            for mode, options in MODES.items():
                with self.subTest(end=end, mode=mode):
                    sink, session = self.sink(**options)
                    session.deliver([envelope(content)])[0]
                    session.noop()
                    self.assertEqual([m.content for m in sink.accepted], [expected])
                    data = ["BDAT"] if session.may_chunk else ["DATA", "."]
                    self.assertEqual(sink.commands, [["EHLO", "MAIL", "RCPT", *data, "NOOP"]])

    def test_dots(self):
        contents = [b".\r\n", b"..\r\n.a\r\n...\r\n", b"a\r\n.\r\n", b"a.\r\n", b"\r\n.\r\n"]
        for mode, options in MODES.items():
            with self.subTest(mode=mode):
                sink, session = self.sink(**options)
                session.deliver([envelope(content) for content in contents])
                self.assertEqual([m.content for m in sink.accepted], contents)

    def test_large_content(self):
        # Longer than a write, and no multiple of it.
        contents = [b"0123456789\r\n" * 50_001, b"small\r\n", b"x" * 65_536 + b"\r\n", b"end\r\n"]
        for mode, options in MODES.items():
            with self.subTest(mode=mode):
                sink, session = self.sink(**options)
                results = session.deliver([envelope(content) for content in contents])
                self.assertEqual([result.status for result in results], ["sent"] * 4)
                self.assertEqual([m.content for m in sink.accepted], contents)


class RefusalTests(WireTestCase):
    """Servers that refuse, and go on: what a message gets is its own, in every mode."""

    NO_USER = Reply(550, b"No such user")

    def refuse(self, line, reply="550 No such user"):
        """Send three messages, to eve in the second; refuse what begins with `line`."""
        for mode, options in MODES.items():
            sink, session = self.sink(**options)
            if line in {".", "BDAT", "DATA"}:
                count = iter(range(3))
                line = "BDAT" if session.may_chunk else "." if line == "BDAT" else line

                def behave(command, line=line, count=count):
                    return reply if command == line and next(count) == 1 else None
            else:

                def behave(command, line=line):
                    return reply if command.startswith(line) else None

            sink.behave = behave
            messages = [envelope(b"0\r\n"), envelope(b"1\r\n", EVE, mail_from=EVE)]
            messages.append(envelope(b"2\r\n"))
            with self.subTest(mode=mode):
                first, second, third = session.deliver(messages)
                for result in (first, third):
                    self.assertResult(result, "sent", {BOB: Reply(250, b"Accepted")})
                self.assertEqual([m.content for m in sink.accepted], [b"0\r\n", b"2\r\n"])
                self.assertTrue(session.is_open)
                yield second

    def test_sender(self):
        for result in self.refuse(f"MAIL FROM:<{EVE}>", "553 Not you"):
            self.assertIn(result.recipients, [{}, {EVE: Reply(503, b"MAIL first")}])
            self.assertEqual(result.status, "refused")
            self.assertEqual(
                repr(result.error), repr(smtplib.SMTPSenderRefused(553, b"Not you", EVE))
            )

    def test_every_recipient(self):
        for result in self.refuse(f"RCPT TO:<{EVE}>"):
            self.assertResult(
                result,
                "refused",
                {EVE: self.NO_USER},
                smtplib.SMTPRecipientsRefused({EVE: (550, b"No such user")}),
            )

    def test_data(self):
        for result in self.refuse("DATA", "451 Later"):
            error = smtplib.SMTPDataError(451, b"Later")
            self.assertEqual((result.status, repr(result.error)), ("refused", repr(error)))

    def test_content(self):
        for result in self.refuse("BDAT", "554 Spam"):
            self.assertResult(
                result, "refused", {EVE: Reply(250, b"OK")}, smtplib.SMTPDataError(554, b"Spam")
            )

    def test_one_recipient_of_three(self):
        for mode, options in MODES.items():
            with self.subTest(mode=mode):
                sink, session = self.sink(**options)
                sink.behave = lambda line: "550 No such user" if EVE in line else None
                result = session.deliver([envelope(b"1\r\n", BOB, EVE, "carol@example.com")])[0]
                accepted = Reply(250, b"Accepted")
                self.assertResult(
                    result,
                    "sent",
                    {BOB: accepted, EVE: self.NO_USER, "carol@example.com": accepted},
                )
                self.assertEqual(refusals(result), {EVE: self.NO_USER})
                self.assertEqual(sink.accepted[0].recipients, [BOB, "carol@example.com"])

    def test_data_without_recipients_gets_an_empty_message(self):
        # RFC 2920, 3.1. The second script is what a server says that takes it.
        for last in ["554 No valid recipients", "250 OK"]:
            with self.subTest(last=last):
                script = [
                    (None, "220 Hi"),
                    ("EHLO", b"250-Hi\r\n250 PIPELINING\r\n"),
                    ("MAIL", "250 OK"),
                    ("RCPT", "550 No such user"),
                    ("DATA", "354 Go"),
                    (".", last),
                    ("RSET", "250 OK"),
                    ("MAIL", "250 OK"),
                    ("RCPT", "250 OK"),
                    ("DATA", "354 Go"),
                    (".", "250 OK"),
                ]
                # An empty message has no line before its dot, which ScriptedServer waits for.
                server = enter(self, _EmptyMessages(script))
                session = self.connect(server)
                refused = session.deliver([envelope(b"Secret\r\n", EVE)])[0]
                self.assertResult(
                    refused,
                    "refused",
                    {EVE: self.NO_USER},
                    smtplib.SMTPRecipientsRefused({EVE: (550, b"No such user")}),
                )
                self.assertEqual(session.deliver([envelope()])[0].status, "sent")
                self.assertEqual(server.contents, [b"", b"Hello\r\n"])

    def test_data_without_a_sender_ends_the_session(self):
        replies = {"MAIL": "553 Not you", "DATA": "354 Go"}
        sink, session = self.sink(**MODES["pipelining"])
        sink.behave = lambda line: replies.get(line[:4], "250 OK" if line[:4] == "RCPT" else None)
        result = session.deliver([envelope()])[0]
        self.assertResult(
            result,
            "refused",
            {BOB: Reply(250, b"OK")},
            smtplib.SMTPSenderRefused(553, b"Not you", ADA),
        )
        self.assertFalse(session.is_open)
        self.assertTrue(sink.connections[0].ended.wait(TIMEOUT))
        self.assertEqual(sink.commands, [["EHLO", "MAIL", "RCPT", "DATA"]])

    def test_nothing_stays_open_after_a_refusal(self):
        for mode, options in MODES.items():
            with self.subTest(mode=mode):
                sink, session = self.sink(**options)
                sink.behave = lambda line: "550 No such user" if EVE in line else None
                session.deliver([envelope(b"1", EVE)])[0]
                self.assertEqual(sink.commands[0][-1], "RSET")
                self.assertEqual(session.sendmail(ADA, [BOB], b"2"), {})


class _EmptyMessages(ScriptedServer):
    """A ScriptedServer that reads data as RFC 5321 has it, and keeps it in `contents`."""

    def __init__(self, script):
        super().__init__(script)
        self.contents = []

    async def _talk(self, connect):
        reader = asyncio.StreamReader()
        transport, _ = await connect(lambda: asyncio.StreamReaderProtocol(reader))
        (script,) = self._scripts
        try:
            for awaited, reply in [*script, ("QUIT", "221 Bye")]:
                if awaited == ".":
                    content = b""
                    while (line := await reader.readuntil(b"\r\n")) != b".\r\n":
                        content += line
                    self.contents.append(content)
                elif awaited is not None:
                    line = (await reader.readuntil(b"\r\n")).decode()
                    if not line.upper().startswith(awaited):
                        raise AssertionError(f"{line!r} came instead of {awaited!r}.")
                transport.write(reply if isinstance(reply, bytes) else f"{reply}\r\n".encode())
        finally:
            transport.abort()
