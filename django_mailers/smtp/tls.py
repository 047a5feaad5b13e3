"""One verified TLS context per distinct configuration and process.

Loading the CA bundle takes longer than everything else that a new session costs the client.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import add_endpoint
from .locks import Lockable, after_fork, locked

if TYPE_CHECKING:
    from .server import FilePath, TLSConfig

MAX_SESSIONS = 64


def create_context(config: TLSConfig) -> ssl.SSLContext:
    """Return a new context for `config`. Raises `OSError`, of which `ssl.SSLError` is one."""
    with _naming(config.ca_file):
        context = ssl.create_default_context(cafile=config.ca_file)
    if config.minimum_version is not None:
        context.minimum_version = config.minimum_version
    if config.certfile or config.keyfile:
        # OpenSSL would ask for the password of a key on the terminal, and wait for ever.
        with _naming(config.certfile, config.keyfile):
            context.load_cert_chain(config.certfile or "", config.keyfile, password="")
    return context


def fingerprint(config: TLSConfig) -> tuple[object, ...]:
    """Return something that changes when a file does: certificates are rotated in place."""
    # create_default_context() goes by these two, see OpenSSL's SSL_CTX_load_verify_locations.
    trust = [config.ca_file] if config.ca_file else [os.environ.get("SSL_CERT_FILE")]
    directory = None if config.ca_file else os.environ.get("SSL_CERT_DIR")
    return (directory, *map(_file_state, [*trust, config.certfile, config.keyfile]))


@contextmanager
def _naming(*paths: FilePath | None) -> Iterator[None]:
    """Name the files in an error that does not: only Python 3.15 says which one is missing."""
    try:
        yield
    except OSError as error:
        if not error.filename:
            add_endpoint(error, " and ".join(os.fsdecode(path) for path in paths if path))
        raise


def _file_state(path: FilePath | None) -> tuple[object, ...] | None:
    if path is None:
        return None
    try:
        state = os.stat(path)
    except OSError:
        return (path,)  # create_context() will raise what is wrong with it.
    return (path, state.st_ino, state.st_mtime_ns, state.st_size)


class TLS:
    """A context together with the sessions that it can resume.

    smtplib takes it for a context, of which it uses nothing but `wrap_socket()`.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self._sessions: dict[tuple[str | None, int], ssl.SSLSession] = {}

    def wrap_socket(
        self, sock: socket.socket, *, server_hostname: str | None = None
    ) -> ssl.SSLSocket:
        """Do the handshake, a short one if `remember()` was called for that host and port.

        A server that resumes a session is not verified again: it proves that it is the one that was
        verified when the session began.
        """
        session = self._sessions.get((server_hostname, sock.getpeername()[1]))
        return self.context.wrap_socket(sock, server_hostname=server_hostname, session=session)

    def remember(self, sock: ssl.SSLSocket) -> None:
        """Keep what is needed to resume the session of `sock`.

        Call it after something was read from the socket: TLS 1.3 sends its tickets that late.
        """
        session = sock.session
        if session is None or not session.has_ticket:
            return
        # Single operations on a dict are atomic, and any of the sessions is as good as another.
        if len(self._sessions) >= MAX_SESSIONS:
            self._sessions.clear()
        self._sessions[sock.server_hostname, sock.getpeername()[1]] = session


class Contexts(Lockable):
    """The TLS of each configuration, with the fingerprint of its files."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[TLSConfig, tuple[tuple[object, ...], TLS]] = {}

    # Locked while the files are read: several threads that need the same context at the start of a
    # process would all load it, at the same time.
    @locked
    def find(self, config: TLSConfig, found: tuple[object, ...]) -> TLS:
        known = self._known.get(config)
        if known is None or known[0] != found:
            known = self._known[config] = found, TLS(create_context(config))
        return known[1]


_shared = Contexts()


def shared_tls(config: TLSConfig) -> TLS:
    """Return the one TLS of this process for `config`, a new one if a file of it has changed.

    Raises what `ssl` raises: `OSError` for a file that cannot be read, `ssl.SSLError` (which is
    one) for one that cannot be understood.
    """
    return _shared.find(config, fingerprint(config))


# The contexts stay good in a child.
after_fork(_shared.renew_lock)
