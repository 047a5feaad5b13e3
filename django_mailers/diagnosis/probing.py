"""Talk to an SMTP server step by step, and say what it can do and what went wrong."""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django_mailers.smtp.errors import hide
from django_mailers.smtp.interrupts import is_injected
from django_mailers.smtp.session import Session

from . import hints
from .addresses import Address, is_public, resolve
from .steps import Step, Stopwatch, printable

# A hint is given if a certificate expires in fewer days than this.
EXPIRES_SOON = 14
DAY = 24 * 3600
# Addresses of a name that somebody has entered: with a hundred of them, all of which are silent, it
# would keep a worker busy for as many timeouts.
MOST_ENTERED = 4
NOT_SMTP = "The service that answered does not speak SMTP."


@dataclass(frozen=True, repr=False)
class Target:
    """What is needed to talk to a server.

    `log_in(session)` logs in, None if there is no login; `context` is the TLS context, made when it
    is needed; `prepared(address, is_utf8)` makes of an address what MAIL and RCPT are sent, or
    raises ValueError. Of an address that `only_public` forbids, nothing is tried.
    """

    host: str
    port: int
    security: str | None
    context: Any
    log_in: Any
    secrets: Sequence[str]
    timeout: float
    local_hostname: str | None
    source_address: tuple[str, int] | None = None
    prepared: Callable[[str, bool], str] = lambda address, is_utf8: address
    smtputf8: bool = False
    only_public: bool = False


class Failed(Exception):
    """A step failed, and the next ones cannot be tried."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.name)
        self.step = step


class ProbingSession(Session):
    """A session over a socket that is connected by other code.

    As with the sessions that send, the timeout is that of a whole reply, whose size is limited, and
    a signal handler's exceptions pass.
    """

    def __init__(self, host: str, local_hostname: str | None) -> None:
        super().__init__(local_hostname=local_hostname)
        # For SNI and the name in the certificate; smtplib sets it in connect().
        self._host = host


def probe(target: Target, sender: str | None, recipients: Sequence[str]) -> Iterator[Step]:
    """Yield the steps of a session without a message; the last one may have failed."""
    session = ProbingSession(target.host, target.local_hostname)
    try:
        addresses = yield from _resolved(target)
        yield from _connected(target, session, addresses)
        if target.security == "tls":
            yield from _encrypted(target, session, starttls=False)
        yield from _greeted(target, session)
        if target.security == "starttls":
            yield from _encrypted(target, session, starttls=True)
            _say_hello(target, session)
        yield from _features(session)
        yield from _logged_in(target, session)
        yield from _envelope(target, session, sender, recipients)
        yield _latency(target, session)
        session.disconnect()
    except Failed as error:
        # Before the step is shown, as a server that is short of sessions counts this one.
        session.disconnect()
        yield error.step
    finally:
        session.close()


def _resolved(target: Target) -> Generator[Step, None, list[Address]]:
    watch = Stopwatch()
    try:
        addresses = resolve(target.host, target.port)
    except (OSError, UnicodeError) as error:
        if is_injected(error):
            raise
        step = Step("address", False, _text(error), hints.of_name(target.host), watch.ms)
        raise Failed(step) from None
    shown = ", ".join(map(str, addresses))
    # A user who may enter any name is not shown what is behind the firewall.
    if target.only_public and not all(is_public(address.host) for address in addresses):
        raise Failed(
            Step("address", False, "The host is not on the public internet.", hints.PRIVATE)
        )
    yield Step("address", True, shown, ms=watch.ms)
    return addresses[:MOST_ENTERED] if target.only_public else addresses


def _connected(
    target: Target, session: ProbingSession, addresses: Sequence[Address]
) -> Iterator[Step]:
    failures: list[str] = []
    hint = ""
    watch = Stopwatch()
    for address in addresses:
        watch = Stopwatch()
        try:
            session.sock = _socket(target, address)
            peer = str(session.sock.getpeername()[0])
        except OSError as error:
            if is_injected(error):
                raise
            session.close()
            failures.append(f"{address}: {_text(error)}")
            hint = hints.of_connection(error, target.port)
            continue
        # A socket tells where it has got to: nothing changes after the judgement (H67).
        if target.only_public and not is_public(peer):
            session.close()
            step = Step("connect", False, "The host is not on the public internet.", hints.PRIVATE)
            raise Failed(step)
        tried = f" (not by {'; '.join(failures)})" if failures else ""
        yield Step("connect", True, f"{address}{tried}", ms=watch.ms)
        return
    raise Failed(Step("connect", False, "; ".join(failures), hint, watch.ms))


def _socket(target: Target, address: Address) -> socket.socket:
    # This may fail, too: a kernel need not have IPv6.
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.settimeout(target.timeout)
        if target.source_address is not None:
            sock.bind(target.source_address)
        sock.connect(address.sockaddr)
    except BaseException:
        sock.close()
        raise
    return sock


def _greeted(target: Target, session: ProbingSession) -> Iterator[Step]:
    watch = Stopwatch()
    code, text = _said(target, "banner", session.getreply, is_banner=True)
    reply = f"{code} {_decoded(text)}"
    if code != 220:
        # It may be the reply of another service, and secret.
        shown = reply if 400 <= code < 600 and not target.only_public else NOT_SMTP
        raise Failed(Step("banner", False, shown, hints.of_banner(code, target.port), watch.ms))
    banner = Step("banner", True, reply, ms=watch.ms)
    # FTP begins with 220, too.
    is_sure = not target.only_public or b"SMTP" in text.upper()
    if is_sure:
        yield banner
    try:
        _say_hello(target, session)
    except Failed:
        if is_sure:
            raise
        hint = hints.of_banner(-1, target.port)
        raise Failed(Step("banner", False, NOT_SMTP, hint, watch.ms)) from None
    if not is_sure:
        yield banner


def _say_hello(target: Target, session: ProbingSession) -> None:
    watch = Stopwatch()
    code, text = _said(target, "ehlo", session.ehlo)
    if not 200 <= code < 300:
        code, text = _said(target, "ehlo", session.helo)
    if not 200 <= code < 300:
        hint = hints.of_ehlo(session.local_hostname)
        raise Failed(Step("ehlo", False, f"{code} {_decoded(text)}", hint, watch.ms))


def _encrypted(target: Target, session: ProbingSession, *, starttls: bool) -> Iterator[Step]:
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
        if is_injected(error):
            raise
        hint = hints.of_tls(error, target.port, starttls=starttls)
        raise Failed(Step("tls", False, _failure(target, error), hint, watch.ms)) from None
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


def _features(session: ProbingSession) -> Iterator[Step]:
    features = [
        " ".join([name.upper(), *value.split()]) for name, value in session.esmtp_features.items()
    ]
    yield Step("features", True, ", ".join(features) or "none")


def _logged_in(target: Target, session: ProbingSession) -> Iterator[Step]:
    if target.log_in is None:
        yield Step("login", True, "The mailer has no username and password, so there is no login.")
        return
    offered = session.esmtp_features.get("auth", "").strip()
    mechanisms = f"The server offers {offered or 'no login'}."
    watch = Stopwatch()
    try:
        target.log_in(session)
    except Exception as error:
        if is_injected(error):
            raise
        # A function for a token may raise anything, and the text of a reply repeat what was sent.
        hide(error, *target.secrets)
        hint = hints.of_login(error, is_encrypted=target.security is not None)
        detail = f"{mechanisms} {_failure(target, error)}"
        raise Failed(Step("login", False, detail, hint, watch.ms)) from None
    yield Step("login", True, mechanisms, ms=watch.ms)


def _envelope(
    target: Target, session: ProbingSession, sender: str | None, recipients: Sequence[str]
) -> Iterator[Step]:
    """Try MAIL and RCPT, and take them back: no message is sent."""
    if sender is None:
        return
    is_utf8 = (
        target.smtputf8
        and session.has_extn("smtputf8")
        and not all(address.isascii() for address in (sender, *recipients))
    )
    options = ["SMTPUTF8"] if is_utf8 else []
    watch = Stopwatch()
    code, text = _said(
        target, "sender", lambda: session.mail(target.prepared(sender, is_utf8), options)
    )
    reply = f"{code} {_decoded(text)}"
    if code != 250:
        raise Failed(Step("sender", False, reply, hints.of_sender(code), watch.ms))
    yield Step("sender", True, reply, ms=watch.ms)
    for recipient in recipients:
        yield _recipient(target, session, recipient, is_utf8=is_utf8)
    _said(target, "reset", session.rset)


def _recipient(target: Target, session: ProbingSession, recipient: str, *, is_utf8: bool) -> Step:
    watch = Stopwatch()
    try:
        address = target.prepared(recipient, is_utf8)
    except ValueError as error:
        # The others can be tried.
        return Step("recipient", False, _text(error), hints.ADDRESS)
    code, text = _said(target, "recipient", lambda: session.rcpt(address))
    ok = code in {250, 251}
    hint = "" if ok else hints.of_recipient(code)
    return Step("recipient", ok, f"{code} {_decoded(text)}", hint, watch.ms)


def _latency(target: Target, session: ProbingSession) -> Step:
    watch = Stopwatch()
    code, text = _said(target, "noop", session.noop)
    if code != 250:
        return Step("noop", False, f"{code} {_decoded(text)}", hints.of_banner(code, target.port))
    return Step("noop", True, "The server answers.", ms=watch.ms)


def _said(target: Target, name: str, command: Any, *, is_banner: bool = False) -> tuple[int, bytes]:
    """Return the reply to a command; a connection that ends is a step that failed."""
    watch = Stopwatch()
    try:
        reply: tuple[int, bytes] = command()
    except (OSError, ValueError) as error:
        if is_injected(error):
            raise
        detail = _failure(target, error)
        hint = hints.ADDRESS if isinstance(error, ValueError) else ""
        if is_banner:
            is_timeout = _is_timeout(error)
            hint = hints.of_silence(target.port, target.security, is_timeout=is_timeout)
            if target.only_public and not is_timeout and not _is_end(error):
                detail = NOT_SMTP
        raise Failed(Step(name, False, detail, hint, watch.ms)) from None
    return reply


def _failure(target: Target, error: Exception) -> str:
    if _is_timeout(error):
        return f"timed out after {target.timeout:g} seconds"
    if _is_end(error):
        return "The server ended the session."
    return _text(error)


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
    # Not "replace": not every terminal, or file, can take the character for that.
    return printable(text.decode(errors="backslashreplace") if isinstance(text, bytes) else text)
