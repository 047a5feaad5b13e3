"""What an SMTPServer answers: the commands of SMTP (RFC 5321) and of its extensions."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .server import _Connection

# RFC 5321, 4.1.2: a quoted local part may have a ">".
PATH = re.compile(r'(FROM|TO): ?<((?:"(?:[^"\\]|\\.)*"|[^">\s])*)>((?: \S+)*) *', re.IGNORECASE)
PARAMETER = re.compile(r"SIZE=\d{1,20}|BODY=(?:7BIT|8BITMIME)|SMTPUTF8|AUTH=\S+", re.IGNORECASE)
NAMES = {"MAIL": "FROM", "RCPT": "TO"}
# In the place of a reply: the connection ends without one.
DISCONNECT = "DISCONNECT"
BAD_SEQUENCE = "503 5.5.1 Bad sequence of commands"
TOO_LARGE = "552 5.3.4 The message is too large"
NO_TLS = "530 5.7.0 Must issue a STARTTLS command first"


def is_ascii(address: str | None, options: list[str]) -> bool:
    """Whether an address is ASCII, or may be something else by the parameters of MAIL."""
    return (address or "").isascii() or "SMTPUTF8" in map(str.upper, options)


def declared_size(options: list[str]) -> int:
    """Return the size that the parameters of MAIL name; 0 if they do not."""
    for option in options:
        name, _, value = option.partition("=")
        if name.upper() == "SIZE":
            return int(value)
    return 0


class Dialogue:
    """One side of the dialogue with a client, over a connection of an SMTPServer."""

    def __init__(self, connection: _Connection) -> None:
        self.connection = connection
        self.server = connection.server
        self.session = connection.session
        self.is_over = False
        self.message_count = 0
        self.start_anew()
        self.reset()

    def start_anew(self) -> None:
        """Forget the client's name and login, as STARTTLS wants it."""
        self.session.ehlo = None
        self.session.user = None

    def reset(self) -> None:
        """Forget the message that was under way."""
        self.mail_from: str | None = None
        self.mail_options: list[str] = []
        self.rcpt_tos: list[str] = []
        self.chunks: list[bytes] = []

    def run(self) -> None:
        busy = "421 4.7.0 Too many connections" if self.server.is_busy() else None
        greeting = self.refusal("CONNECT") or busy or "220 smtp.test ESMTP"
        self.reply(greeting)
        self.is_over |= not greeting.startswith("220")
        while not self.is_over:
            try:
                line = self.connection.read_line().decode()
            except UnicodeDecodeError:
                self.connection.write(["500 5.5.2 Not UTF-8"])
                continue
            verb, _, argument = line.partition(" ")
            self.command(verb.upper(), argument.strip())

    def command(self, verb: str, argument: str) -> None:
        method = getattr(self, f"do_{verb.lower()}", None)
        if method is None or (verb == "BDAT" and "CHUNKING" not in self.server.extensions):
            reply: str | list[str] | None = "500 5.5.1 Unknown command"
        elif not argument.isascii() and "SMTPUTF8" not in self.server.extensions:
            reply = "500 5.5.2 Not ASCII"
        else:
            mechanism = argument.partition(" ")[0].upper() if verb == "AUTH" else ""
            self.session.commands.append(f"{verb} {mechanism}".rstrip())
            # What is refused after the content; and the address is not known yet.
            late = verb in {"DATA", "BDAT", *NAMES}
            reply = (None if late else self.refusal(verb)) or method(argument)
        if reply:
            self.reply(reply)

    def reply(self, reply: str | list[str]) -> None:
        if reply == DISCONNECT:
            self.is_over = True
        else:
            self.connection.write([reply] if isinstance(reply, str) else reply)

    def refusal(self, verb: str, address: str = "") -> str | None:
        """Return the reply of the server's `refuse` to a command, if there is one."""
        with_address = self.server.reply_to(f"{verb} {address}") if address else None
        return with_address or self.server.reply_to(verb)

    def do_ehlo(self, argument: str) -> str | list[str]:
        if not argument:
            return "501 5.5.4 EHLO needs a name"
        self.reset()
        self.session.ehlo = argument
        lines = ["smtp.test", *self.server.extensions]
        if self.is_tls_missing():
            lines.append("STARTTLS")
        elif self.server.users:
            lines.append(f"AUTH {' '.join(self.server.mechanisms)}")
        return [*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"]

    def do_helo(self, argument: str) -> str:
        if not argument:
            return "501 5.5.4 HELO needs a name"
        self.reset()
        self.session.ehlo = argument
        return "250 smtp.test"

    def is_tls_missing(self) -> bool:
        return self.server.ssl_context is not None and self.session.tls is None

    def do_starttls(self, argument: str) -> str | None:
        context = self.server.ssl_context
        if context is None or not self.is_tls_missing():
            return BAD_SEQUENCE
        self.connection.write(["220 2.0.0 Ready to start TLS"])
        self.connection.start_tls(context)
        self.start_anew()
        self.reset()
        return None

    def do_auth(self, argument: str) -> str:
        mechanism, _, initial = argument.partition(" ")
        if self.is_tls_missing():
            return NO_TLS
        if self.session.ehlo is None or self.session.user is not None or not self.server.users:
            return BAD_SEQUENCE
        if mechanism.upper() not in self.server.mechanisms:
            return "504 5.5.4 Unknown mechanism"
        try:
            if mechanism.upper() == "PLAIN":
                _, user, password = self.ask("", initial).split("\0")
            else:
                user = self.ask("Username:", initial)
                password = self.ask("Password:")
        except (ValueError, binascii.Error):
            return "501 5.5.2 Not base64, or cancelled"
        expected = self.server.users.get(user)
        if expected is None or not hmac.compare_digest(expected.encode(), password.encode()):
            return "535 5.7.8 Authentication credentials invalid"
        self.session.user = user
        return "235 2.7.0 Authentication successful"

    def ask(self, challenge: str, answer: str = "") -> str:
        """Return the client's answer to a challenge, unless it has come with the command."""
        if not answer:
            encoded = base64.b64encode(challenge.encode()).decode()
            self.connection.write([f"334 {encoded}"])
            answer = self.connection.read_line().decode()
        return base64.b64decode("" if answer == "=" else answer, validate=True).decode()

    def do_mail(self, argument: str) -> str:
        address, options = self.path("MAIL", argument)
        reply = self.before_mail()
        if reply is None and address is None:
            reply = "501 5.5.4 Syntax: MAIL FROM:<address>"
        if reply is None and not all(PARAMETER.fullmatch(option) for option in options):
            reply = "555 5.5.4 MAIL parameters not recognized"
        if reply is None and not is_ascii(address, options):
            reply = "553 5.6.7 The address needs SMTPUTF8"
        if reply is None and self.is_too_large(declared_size(options)):
            reply = TOO_LARGE
        if reply is None:
            reply = self.refusal("MAIL", address or "")
        if reply is None:
            self.mail_from, self.mail_options = address, options
        return reply or "250 OK"

    def before_mail(self) -> str | None:
        """Return a reply if it is not the time for MAIL."""
        if self.is_tls_missing():
            return NO_TLS
        if self.server.users and self.server.require_login and self.session.user is None:
            return "530 5.7.0 Authentication required"
        if self.session.ehlo is None or self.mail_from is not None:
            return BAD_SEQUENCE
        limit = self.server.max_messages
        if limit is not None and self.message_count >= limit:
            self.is_over = True
            return "421 4.7.0 Too many messages in this session"
        return None

    def do_rcpt(self, argument: str) -> str:
        if self.mail_from is None:
            return BAD_SEQUENCE
        address, options = self.path("RCPT", argument)
        if not address or options:
            return "501 5.5.4 Syntax: RCPT TO:<address>"
        if not is_ascii(address, self.mail_options):
            return "553 5.6.7 The address needs SMTPUTF8"
        refusal = self.refusal("RCPT", address)
        limit = self.server.max_recipients
        if refusal is None and limit is not None and len(self.rcpt_tos) >= limit:
            refusal = "452 4.5.3 Too many recipients"
        if refusal is None:
            self.rcpt_tos.append(address)
        return refusal or "250 OK"

    def path(self, verb: str, argument: str) -> tuple[str | None, list[str]]:
        """Return the address of a command and its parameters; None if it is not well formed."""
        match = PATH.fullmatch(argument)
        if match is None or match[1].upper() != NAMES[verb]:
            return None, []
        return match[2], match[3].split()

    def do_data(self, argument: str) -> str:
        if not self.rcpt_tos or self.chunks:
            return BAD_SEQUENCE
        self.connection.write(["354 End data with <CR><LF>.<CR><LF>"])
        return self.finish("DATA", self.connection.read_data())

    def do_bdat(self, argument: str) -> str:
        size, _, last = argument.partition(" ")
        if not size.isdecimal() or last.upper() not in {"", "LAST"}:
            self.is_over = True  # How much content follows is not known.
            return "501 5.5.4 Syntax: BDAT size [LAST]"
        self.chunks.append(self.connection.read_bytes(int(size)))
        if not self.rcpt_tos:
            self.chunks.clear()
            return BAD_SEQUENCE
        if not last:
            return "250 OK"
        return self.finish("BDAT", b"".join(self.chunks))

    def finish(self, verb: str, content: bytes) -> str:
        """Keep the message whose content has come, or refuse it."""
        self.message_count += 1
        refusal = self.refusal(verb)
        if refusal is None and self.is_too_large(len(content)):
            refusal = TOO_LARGE
        if refusal is None:
            self.connection.keep(self.mail_from or "", self.mail_options, self.rcpt_tos, content)
        self.reset()
        return refusal or "250 OK"

    def is_too_large(self, size: int) -> bool:
        return self.server.max_size is not None and size > self.server.max_size

    def do_rset(self, argument: str) -> str:
        self.reset()
        return "250 OK"

    def do_noop(self, argument: str) -> str:
        return "250 OK"

    def do_vrfy(self, argument: str) -> str:
        return "252 2.5.2 Cannot verify, but will take a message"

    def do_quit(self, argument: str) -> str:
        self.is_over = True
        return "221 Bye"


# What a client may say, and the greeting, which the server says first.
COMMANDS = frozenset(
    {"CONNECT", *(name[3:].upper() for name in vars(Dialogue) if name.startswith("do_"))}
)
