"""Talk to an SMTP server step by step, and say what it can do and what went wrong."""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django_mailers.smtp.errors import hide

from . import hints
from .addresses import Address, is_public, resolve
from .steps import Step, Stopwatch

# A hint is given if a certificate expires in fewer days than this.
EXPIRES_SOON = 14
DAY = 24 * 3600


@dataclass(frozen=True, repr=False)
class Target:
    """What is needed to talk to a server.

    `log_in(session)` logs in, None if there is no login; `context` is the TLS context, made when it
    is needed. Of an address that `only_public` forbids, nothing is tried.
    """

    host: str
    port: int
    security: str | None
    context: Any
    log_in: Any
    secrets: Sequence[str]
    timeout: float
    local_hostname: str | None
    only_public: bool = False


class Failed(Exception):
    """A step failed, and the next ones cannot be tried."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.name)
        self.step = step


class Session(smtplib.SMTP):
    """A session over a socket that is connected already."""

    def __init__(self, sock: socket.socket, host: str, local_hostname: str | None) -> None:
        super().__init__(local_hostname=local_hostname)
        self.sock = sock
        # For SNI and the name in the certificate; smtplib sets it in connect().
        self._host = host


def probe(target: Target, sender: str | None, recipients: Sequence[str]) -> Iterator[Step]:
    """Yield the steps of a session without a message; the last one may have failed."""
    session: Session | None = None
    try:
        addresses = yield from _resolved(target)
        sock = yield from _connected(target, addresses)
        session = Session(sock, target.host, target.local_hostname)
        if target.security == "tls":
            yield from _encrypted(target, session, starttls=False)
        yield from _greeted(target, session)
        if target.security == "starttls":
            yield from _encrypted(target, session, starttls=True)
            _said(target, "ehlo", session.ehlo)
        yield from _features(session)
        yield from _logged_in(target, session)
        yield from _envelope(target, session, sender, recipients)
        watch = Stopwatch()
        _said(target, "noop", session.noop)
        yield Step("noop", True, "The server answers.", ms=watch.ms)
    except Failed as error:
        yield error.step
    finally:
        if session is not None:
            _leave(session)


def _resolved(target: Target) -> Generator[Step, None, list[Address]]:
    watch = Stopwatch()
    try:
        addresses = resolve(target.host, target.port)
    except (OSError, UnicodeError) as error:
        step = Step("address", False, _text(error), hints.of_name(target.host), watch.ms)
        raise Failed(step) from None
    shown = ", ".join(map(str, addresses))
    # A user who may enter any name is not shown what is behind the firewall.
    if target.only_public and not all(is_public(address.host) for address in addresses):
        raise Failed(
            Step("address", False, "The host is not on the public internet.", hints.PRIVATE)
        )
    yield Step("address", True, shown, ms=watch.ms)
    return addresses


def _connected(
    target: Target, addresses: Sequence[Address]
) -> Generator[Step, None, socket.socket]:
    failures: list[str] = []
    hint = ""
    watch = Stopwatch()
    for address in addresses:
        watch = Stopwatch()
        sock = socket.socket(address.family, socket.SOCK_STREAM)
        sock.settimeout(target.timeout)
        try:
            sock.connect(address.sockaddr)
        except OSError as error:
            sock.close()
            failures.append(f"{address}: {_text(error)}")
            hint = hints.of_connection(error, target.port)
            continue
        # A socket tells where it has got to: nothing changes after the judgement (H67).
        if target.only_public and not is_public(str(sock.getpeername()[0])):
            sock.close()
            step = Step("connect", False, "The host is not on the public internet.", hints.PRIVATE)
            raise Failed(step)
        tried = f" (not by {'; '.join(failures)})" if failures else ""
        yield Step("connect", True, f"{address}{tried}", ms=watch.ms)
        return sock
    raise Failed(Step("connect", False, "; ".join(failures), hint, watch.ms))


def _greeted(target: Target, session: Session) -> Iterator[Step]:
    watch = Stopwatch()
    code, text = _said(target, "banner", session.getreply, is_banner=True)
    if code != 220:
        # It may be the reply of another service, and secret.
        shown = f"{code} {_decoded(text)}" if 400 <= code < 600 and not target.only_public else ""
        detail = shown or "The service that answered does not speak SMTP."
        raise Failed(Step("banner", False, detail, hints.of_banner(code, target.port), watch.ms))
    yield Step("banner", True, f"{code} {_decoded(text)}", ms=watch.ms)
    _said(target, "ehlo", session.ehlo)
    if not session.does_esmtp:
        _said(target, "ehlo", session.helo)


def _encrypted(target: Target, session: Session, *, starttls: bool) -> Iterator[Step]:
    watch = Stopwatch()
    if starttls and not session.has_extn("starttls"):
        detail = "The server does not offer STARTTLS."
        raise Failed(Step("tls", False, detail, hints.of_starttls(target.port), watch.ms))
    try:
        context = target.context()
        if starttls:
            session.starttls(context=context)
        else:
            session.sock = context.wrap_socket(session.sock, server_hostname=target.host)
    except (OSError, ValueError) as error:
        hint = hints.of_tls(error, target.port, starttls=starttls)
        raise Failed(Step("tls", False, _text(error), hint, watch.ms)) from None
    sock: Any = session.sock
    cipher = sock.cipher()
    yield Step("tls", True, f"{sock.version()}, {cipher[0]}", ms=watch.ms)
    yield _certificate(sock)


def _certificate(sock: ssl.SSLSocket) -> Step:
    certificate: Any = sock.getpeercert()
    if not certificate:
        return Step("certificate", True, "It was not verified.", hints.UNVERIFIED)
    names = [value for _, value in certificate.get("subjectAltName", ())]
    left = int((ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) // DAY)
    days = f"{left} day{'' if left == 1 else 's'}"
    hint = f"The certificate expires in {days}: renew it." if left < EXPIRES_SOON else ""
    return Step("certificate", True, f"for {', '.join(names)}; {days} left", hint)


def _features(session: Session) -> Iterator[Step]:
    features = [
        " ".join([name.upper(), *value.split()]) for name, value in session.esmtp_features.items()
    ]
    yield Step("features", True, ", ".join(features) or "none")


def _logged_in(target: Target, session: Session) -> Iterator[Step]:
    if target.log_in is None:
        yield Step("login", True, "The mailer has no username and password, so there is no login.")
        return
    offered = session.esmtp_features.get("auth", "").strip()
    mechanisms = f"The server offers {offered or 'no login'}."
    watch = Stopwatch()
    try:
        target.log_in(session)
    except Exception as error:
        # A function for a token may raise anything, and the text of a reply repeat what was sent.
        hide(error, *target.secrets)
        hint = hints.of_login(error, is_encrypted=target.security is not None)
        step = Step("login", False, f"{mechanisms} {_text(error)}", hint, watch.ms)
        raise Failed(step) from None
    yield Step("login", True, mechanisms, ms=watch.ms)


def _envelope(
    target: Target, session: Session, sender: str | None, recipients: Sequence[str]
) -> Iterator[Step]:
    """Try MAIL and RCPT, and take them back: no message is sent."""
    if sender is None:
        return
    watch = Stopwatch()
    code, text = _said(target, "sender", partial(session.mail, sender))
    reply = f"{code} {_decoded(text)}"
    if code != 250:
        raise Failed(Step("sender", False, reply, hints.of_sender(code), watch.ms))
    yield Step("sender", True, reply, ms=watch.ms)
    for recipient in recipients:
        watch = Stopwatch()
        code, text = _said(target, "recipient", partial(session.rcpt, recipient))
        ok = code in {250, 251}
        hint = "" if ok else hints.of_recipient(code)
        yield Step("recipient", ok, f"{code} {_decoded(text)}", hint, watch.ms)
    _said(target, "reset", session.rset)


def _said(target: Target, name: str, command: Any, *, is_banner: bool = False) -> tuple[int, bytes]:
    """Return the reply to a command; a connection that ends is a step that failed."""
    watch = Stopwatch()
    try:
        reply: tuple[int, bytes] = command()
    except (OSError, ValueError) as error:
        is_timeout = _is_timeout(error)
        hint = (
            hints.of_silence(target.port, target.security, is_timeout=is_timeout)
            if is_banner
            else ""
        )
        detail = _text(error)
        if is_timeout:
            detail = f"timed out after {target.timeout:g} seconds"
        elif _is_end(error):
            detail = "The server ended the session."
        elif target.only_public and is_banner:
            detail = "The service that answered does not speak SMTP."
        raise Failed(Step(name, False, detail, hint, watch.ms)) from None
    return reply


def _is_end(error: Exception) -> bool:
    return isinstance(error, smtplib.SMTPServerDisconnected | ConnectionError)


def _is_timeout(error: Exception) -> bool:
    # smtplib calls it a disconnection.
    return isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)


def _text(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_decoded(error.smtp_error)}"
    return (str(error) or type(error).__name__).strip()


def _decoded(text: bytes | str) -> str:
    shown = text.decode(errors="replace") if isinstance(text, bytes) else text
    # A server must not be able to control a terminal.
    return "".join(character if character.isprintable() else " " for character in shown).strip()


def _leave(session: Session) -> None:
    try:
        session.quit()
    except (OSError, ValueError):
        session.close()
