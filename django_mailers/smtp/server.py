"""Where sessions go, how each of them begins, and how many there are: the keys of pools."""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from .envelope import Record
from .errors import OutOfStepError, add_endpoint, endpoint, hide
from .interrupts import is_injected
from .session import Session, TLSSession

if TYPE_CHECKING:
    FilePath: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]


class TLSConfig(Record):
    """How servers are verified, and what they are shown.

    ca_file           The certificates to trust, as a PEM file, instead of the system's.
    certfile, keyfile The client's own certificate and its key, as PEM files.
    minimum_version   The lowest version of TLS, None for Python's default.
    """

    __slots__ = ()
    ca_file: FilePath | None
    certfile: FilePath | None
    keyfile: FilePath | None
    minimum_version: ssl.TLSVersion | None

    def __new__(
        cls,
        ca_file: FilePath | None = None,
        certfile: FilePath | None = None,
        keyfile: FilePath | None = None,
        minimum_version: ssl.TLSVersion | None = None,
    ) -> TLSConfig:
        return tuple.__new__(cls, (ca_file, certfile, keyfile, minimum_version))

    def create_context(self) -> ssl.SSLContext:
        """Return a context of its own. Raises `OSError`, of which `ssl.SSLError` is one."""
        # Only where it is needed: a plain session does not.
        from .tls import create_context

        return create_context(self)


class Credentials:
    """A user name and a password.

    An object and not a part of the tuple that a Server is: what reports an error may write out the
    items of a tuple, whatever its `repr()` says.
    """

    __slots__ = ("password", "username")

    def __init__(self, username: str | None, password: str | None) -> None:
        self.username, self.password = username, password

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Credentials):
            return NotImplemented
        return self.password == other.password and self.username == other.username

    def __hash__(self) -> int:
        return hash((self.username, self.password))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


NO_TLS_OPTIONS = TLSConfig()
HIDDEN = {"credentials", "authenticate"}


class Server(Record):
    """Where a session goes, and how it begins. Servers that are equal share a pool.

    host, port            Whom to connect to.
    security              None, "starttls" (required then) or "tls", from the first byte on.
    tls                   How the server is verified.
    username, password    For AUTH, if there is a username, by a mechanism that both sides know.
    authenticate          Called with the session instead, if given; to log in some other way, as
                          `XOAuth2` does. Servers share a pool if theirs are equal.
    timeout               In seconds, for each operation; None for none.
    local_hostname        For EHLO; None for the name of this machine.
    source_address        The (address, port) to connect from; None for any.
    pipelining, chunking  Whether to use these extensions if the server offers them.

    It is a tuple, since one is made for each message, to find its pool. Raises `ValueError` for an
    unknown `security`.
    """

    __slots__ = ()
    host: str
    port: int
    security: str | None
    tls: TLSConfig
    credentials: Credentials | None
    authenticate: Callable[[Session], object] | None
    timeout: float | None
    local_hostname: str | None
    source_address: tuple[str, int] | None
    pipelining: bool
    chunking: bool

    def __new__(
        cls,
        host: str,
        port: int,
        security: str | None = None,
        tls: TLSConfig = NO_TLS_OPTIONS,
        username: str | None = None,
        password: str | None = None,
        authenticate: Callable[[Session], object] | None = None,
        timeout: float | None = 30,
        local_hostname: str | None = None,
        source_address: tuple[str, int] | None = None,
        pipelining: bool = True,
        chunking: bool = True,
    ) -> Server:
        if security not in (None, "starttls", "tls"):
            del password  # or a page about the error would show it
            raise ValueError(f"'security' must be None, 'starttls' or 'tls', not {security!r}")
        has_login = username is not None or password is not None
        items = (
            host,
            port,
            security,
            tls,
            Credentials(username, password) if has_login else None,
            authenticate,
            timeout,
            local_hostname,
            source_address,
            pipelining,
            chunking,
        )
        return tuple.__new__(cls, items)

    def __repr__(self) -> str:
        shown = [name for name in self._fields if name not in HIDDEN]
        return f"Server({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    @property
    def username(self) -> str | None:
        return None if self.credentials is None else self.credentials.username

    @property
    def password(self) -> str | None:
        return None if self.credentials is None else self.credentials.password

    @property
    def endpoint(self) -> str:
        """Host and port, for errors and logs."""
        return endpoint(self.host, self.port)

    def connect(self) -> Session:
        """Return a session that is ready for a message.

        Raises smtplib's exceptions and `OSError`, which name the host. Before TLS is up and
        verified nothing is said but EHLO and STARTTLS.
        """
        try:
            session = self._connect()
            if not session.is_quiet():
                # Replies would be taken for those to the next commands.
                session = self._connect()
                if not session.is_quiet():
                    raise OutOfStepError("The server said more than it was asked.")
            return session
        except OSError as error:
            if is_injected(error):
                raise
            if isinstance(error, smtplib.SMTPException) and self.username and self.password:
                # As they go over the wire with PLAIN, and with LOGIN.
                hide(error, f"\0{self.username}\0{self.password}", self.password)
            add_endpoint(error, self.endpoint, self._way_out(error))
            raise

    def _way_out(self, error: OSError) -> str:
        """Return what to change, if the server has probably waited for TLS, or for no TLS."""
        is_smtp = isinstance(error, smtplib.SMTPException)
        is_lost = not is_smtp or isinstance(error, smtplib.SMTPServerDisconnected)
        # Where there was a greeting, or a certificate, the port is not what is wrong.
        if self.security != "tls":
            if self.port == 465 and is_lost and not isinstance(error, ssl.SSLError):
                return "port 465 speaks TLS from the first byte: use_ssl"
        elif self.port == 587 and not (is_smtp or isinstance(error, ssl.SSLCertVerificationError)):
            return "port 587 speaks TLS only after STARTTLS: use_tls"
        return ""

    def _connect(self) -> Session:
        session, tls = self._dial()
        try:
            if self.security == "starttls":
                session.starttls(context=tls)
            session.ehlo_or_helo_if_needed()
            if tls is not None and isinstance(session.sock, ssl.SSLSocket):
                tls.remember(session.sock)
            if self.authenticate is not None:
                self.authenticate(session)
            elif self.username:
                session.login(self.username, self.password or "")
        except BaseException:
            session.close()
            raise
        return session

    def _dial(self) -> tuple[Session, Any]:
        """Return a session whose greeting was read, and the TLS for it, if there is to be any."""
        options: dict[str, Any] = {
            "local_hostname": self.local_hostname,
            "timeout": self.timeout,
            "source_address": self.source_address,
            "endpoint": self.endpoint,
            "pipelining": self.pipelining,
            "chunking": self.chunking,
        }
        if self.security is None:
            return Session(self.host, self.port, **options), None
        from .tls import shared_tls

        if self.security == "tls":
            tls = shared_tls(self.tls)
            return TLSSession(self.host, self.port, context=tls, **options), tls
        # The first time, that takes as long as it takes the server to answer.
        options["meanwhile"] = lambda: shared_tls(self.tls)
        return Session(self.host, self.port, **options), shared_tls(self.tls)


class PoolOptions(Record):
    """How many sessions there are, and for how long.

    pool_size        Sessions at most; 0 for a new one each time, as many as there are users.
    max_messages     Messages after which a session is closed; None for as many as the server takes
                     (10 if it is known to queue or refuse the 11th), at most 1,000.
    max_age          Seconds after which a session is closed, once it is free. Up to a tenth
                     less, at random, so that sessions opened together do not all end together.
    max_idle         Seconds without use after which a session is closed, by the next use of the
                     pool (there is no thread to do it sooner).
    check_after      Seconds without use after which a NOOP proves a session before it is used.
    acquire_timeout  Seconds to wait for a session to become free; None for any time.

    It is a tuple, since one is made for each message, to find its pool. Raises `ValueError` for
    numbers below 0, or 1 for `max_messages`.
    """

    __slots__ = ()
    pool_size: int
    max_messages: int | None
    max_age: float
    max_idle: float
    check_after: float
    acquire_timeout: float | None

    def __new__(
        cls,
        pool_size: int = 4,
        max_messages: int | None = None,
        max_age: float = 300,
        max_idle: float = 30,
        check_after: float = 5,
        acquire_timeout: float | None = 30,
    ) -> PoolOptions:
        if pool_size < 0:
            raise ValueError(f"'pool_size' must be an int, 0 or greater, not {pool_size!r}")
        if max_messages is not None and max_messages < 1:
            raise ValueError(f"'max_messages' must be an int greater than 0, not {max_messages!r}")
        items = (pool_size, max_messages, max_age, max_idle, check_after, acquire_timeout)
        return tuple.__new__(cls, items)
