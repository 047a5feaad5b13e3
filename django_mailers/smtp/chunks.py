"""Finding out whether a server reads the octets of a BDAT command that it refuses (RFC 3030, 2).

A server that does not takes them for commands. Then the author of a body whose recipient is refused
could send mail in the name of the site. And some servers offer CHUNKING without knowing BDAT. So
before content that others wrote goes by BDAT without a reply being awaited, six octets that are not
a command do so, in a message without a recipient.
"""

from __future__ import annotations

import smtplib
from typing import TYPE_CHECKING

from .errors import OutOfStepError
from .wire import envelope_command

if TYPE_CHECKING:
    from .session import Session

CHUNK = b"XPRB\r\n"
BDAT = b"BDAT %d LAST\r\n%s" % (len(CHUNK), CHUNK)
# The command is not known, or not implemented.
UNKNOWN = (500, 502)


def consumes_chunks(session: Session, mail_from: str) -> bool:
    """Whether the server behind `session` reads the chunk of a BDAT command that it refuses.

    `mail_from` is the sender of the message that is to be sent next.

    Raises `OSError` if that cannot be found out: then the session is closed.
    """
    pieces = [_mail(mail_from), BDAT, b"RSET\r\n"]
    if session.may_pipeline:
        pieces = [b"".join(pieces), b"", b""]
    mail, bdat, rset = [_ask(session, piece) for piece in pieces]
    if mail < 400 and mail // 100 != 2:
        raise OutOfStepError(f"The server replied {mail} to MAIL.")
    is_consumed = bdat >= 400 and bdat not in UNKNOWN and rset == 250
    if rset != 250:
        # That was about the chunk, as if it were a command.
        rset = _ask(session, b"")
    if rset != 250 or not session.is_quiet():
        raise OutOfStepError("The server is out of step after BDAT.")
    return is_consumed


def _mail(mail_from: str) -> bytes:
    try:
        return envelope_command("MAIL FROM", mail_from if mail_from.isascii() else "")
    except (ValueError, IndexError):
        # The message will fail for this, by itself. (IndexError: H21.)
        return envelope_command("MAIL FROM", "")


def _ask(session: Session, data: bytes) -> int:
    """Write `data`, if there is any; return the code of the next reply."""
    if data:
        (session.sock or session.require_socket()).sendall(data)
    reply = session.read_replies(1)[0]
    if reply.code == 421:
        text = reply.text.decode(errors="replace")
        raise smtplib.SMTPServerDisconnected(f"The server closed the session: 421 {text}")
    return reply.code
