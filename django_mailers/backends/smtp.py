"""SMTP over pooled sessions: `"BACKEND": "django_mailers.backends.smtp.EmailBackend"`."""

from __future__ import annotations

import operator
import os
import smtplib
import ssl
import sys
import traceback
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from django.core.mail import DNS_NAME, InvalidMailer
from django.core.mail.backends import smtp as django_smtp
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.functional import cached_property
from django.utils.module_loading import import_string

from django_mailers import options

from ..render import addr_spec, render
from ..smtp import (
    Envelope,
    Lease,
    Pool,
    PoolOptions,
    Result,
    Server,
    TLSConfig,
    XOAuth2,
    close_pools,
    is_injected,
    note_sent,
    shared_pool,
)
from ..smtp.errors import annotate, hide, is_reply, place, without_frames
from ..smtp.wire import checked

# Seconds for each operation. Django's backend waits for ever if it is told nothing.
DEFAULT_TIMEOUT = 30
# Messages that are rendered at a time, and the size of that in bytes, unless one is larger. What
# they are taken from may be longer than memory.
WINDOW_MESSAGES = 1000
WINDOW_SIZE = 4 * 1024 * 1024
# What a subclass, or whoever holds an instance, changes to connect in another way, or to send. Then
# it is Django's own methods that connect, or send.
CONNECTING = ("connection_class", "ssl_context")
CHANGEABLE = (*CONNECTING, "open", "close", "_send")
# What an instance has of the options of ours if it is given none, in their order.
NOTHING = (None,) * len(options.SMTP)
# All that the pool of an instance depends on, besides the name of this host.
POOLING = (
    "__class__",
    "host",
    "port",
    "username",
    "password",
    "use_tls",
    "use_ssl",
    "timeout",
    "ssl_keyfile",
    "ssl_certfile",
    *options.SMTP,
)
_pooling = operator.attrgetter(*POOLING)


class _Key(tuple[Any, ...]):
    """Those, the password among them: a page about an error shows the `repr()` of variables."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


# Found by those, which takes a fifth of the time that making a Server does, for each message.
_known_pools: weakref.WeakValueDictionary[Any, Pool] = weakref.WeakValueDictionary()


class Outcome(NamedTuple):
    """What became of a message, as `django_mailers.delivery.Outcome`."""

    status: str
    code: int | None
    text: str
    recipients: tuple[tuple[str, int, str], ...]
    error: Exception | None

    @classmethod
    def of(cls, result: Result) -> Outcome:
        return cls(
            # There, those have no recipients.
            "failed" if result.status == "skipped" else result.status,
            result.reply and result.reply.code,
            _text(result.reply.text) if result.reply else "",
            tuple(
                (address, reply.code, _text(reply.text))
                for address, reply in result.recipients.items()
            ),
            result.error,
        )


def _text(reply: bytes) -> str:
    return reply.decode(errors="replace")


class EmailBackend(django_smtp.EmailBackend):
    """Django's SMTP backend, with sessions that are kept for the next message, and that pipeline.

    It takes Django's OPTIONS, of which `timeout` is 30 seconds by default, and these:

    pool_size        Sessions that this process has with the server at most; 0 for a new one each
                     time, closed after use.
    max_messages     Messages after which a session is closed.
    max_age          Seconds after which a session is closed.
    max_idle         Seconds without use after which a session is closed.
    check_after      Seconds without use after which a session has to answer a NOOP first.
    acquire_timeout  Seconds to wait for a session while all are in use.
    parallel         Sessions that a batch is spread over, at most `pool_size`.
    pipelining       Whether to use the extension where the server offers it: "auto" or False.
    chunking         The same for that one.
    ca_file          Certificates to trust in place of the system's: a PEM file.
    tls_min_version  "1.2" or "1.3"; None for what Python has.
    local_hostname   The name given to EHLO; None for the host's.
    source_address   The IP address to connect from, or a tuple of it and a port.
    auth             None for what the server and Python can both do (CRAM-MD5, PLAIN, LOGIN), or
                     "xoauth2", with `token` in place of a password.
    token            A callable without arguments that returns an access token, or its path.

    Mailers with the same settings share their sessions, in all threads of a process. An instance
    may be used by several threads; a session that was pinned to it by `open()`, by one at a time.
    A forked process begins with no sessions.
    """

    option_kinds = options.SMTP

    pool_size: int = PoolOptions.pool_size
    max_messages: int | None = PoolOptions.max_messages
    max_age: float = PoolOptions.max_age
    max_idle: float = PoolOptions.max_idle
    check_after: float = PoolOptions.check_after
    acquire_timeout: float | None = PoolOptions.acquire_timeout
    parallel: int = 1
    pipelining: str | bool = "auto"
    chunking: str | bool = "auto"
    ca_file: str | os.PathLike[str] | None = None
    tls_min_version: str | None = None
    local_hostname: str | None = None
    source_address: str | tuple[str, int] | None = None
    auth: str | None = None
    token: Callable[[], str] | str | None = None
    # Of Django's
    timeout: float | None
    connection: Any
    _partial_connection: Any

    def __init__(
        self,
        *args: Any,
        pool_size: int | None = None,
        max_messages: int | None = None,
        max_age: float | None = None,
        max_idle: float | None = None,
        check_after: float | None = None,
        acquire_timeout: float | None = None,
        parallel: int | None = None,
        pipelining: str | bool | None = None,
        chunking: str | bool | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        tls_min_version: str | None = None,
        local_hostname: str | None = None,
        source_address: str | tuple[str, int] | None = None,
        auth: str | None = None,
        token: Callable[[], str] | str | None = None,
        **kwargs: Any,
    ) -> None:
        values = (
            pool_size,
            max_messages,
            max_age,
            max_idle,
            check_after,
            acquire_timeout,
            parallel,
            pipelining,
            chunking,
            ca_file,
            tls_min_version,
            local_hostname,
            source_address,
            auth,
            token,
        )
        try:
            super().__init__(*args, **kwargs)
            if self.timeout is None:
                self.timeout = DEFAULT_TIMEOUT
            self._lease: Lease | None = None
            # Most have none of these, and one is made for each message. Of Django's own options
            # only the key and its certificate may not go together.
            if values != NOTHING or self.ssl_keyfile:
                self._take_options(values)
        except Exception as error:
            # A page about the error would show these, the password among them, and those of the
            # frames that it came through.
            del args, kwargs, values, token
            error.__traceback__ = None
            raise error  # not a bare "raise", which has the frames before Python 3.11

    def _take_options(self, values: Sequence[Any]) -> None:
        # As with Django's options, None is as good as nothing.
        pairs = zip(options.SMTP, values, strict=True)
        given = {name: value for name, value in pairs if value is not None}
        problem = options.complaint(self.option_kinds, given)
        if problem is None:
            for name, value in given.items():
                setattr(self, name, value)
            problem = self.option_conflict(vars(self))
        if problem is not None:
            raise InvalidMailer(problem, alias=self.alias)

    @property
    def pool(self) -> Pool:
        """The pool of this process for this mailer; its `stats()` tell what it does."""
        # Now and not before, as attributes are changed after the instance was made (H18).
        key = _Key((_pooling(self), DNS_NAME.get_fqdn()))
        pool = _known_pools.get(key)
        if pool is None or pool.is_closed:
            pool_options = PoolOptions(
                self.pool_size,
                self.max_messages,
                self.max_age,
                self.max_idle,
                self.check_after,
                self.acquire_timeout,
            )
            pool = _known_pools[key] = shared_pool(self._server(), pool_options)
        return pool

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        """A context of this instance's own: whoever asks for it may change it, to have effect."""
        return self._tls().create_context()

    # Django's methods

    def open(self) -> bool | None:
        """Pin a session to this instance until `close()`; return whether none was pinned before.

        A pinned session that has ended is replaced when it is needed.

        Raises what `smtplib` does and `OSError`; returns None instead if `fail_silently` is on.
        """
        if self._is_changed(CONNECTING) or self._has_foreign_connection():
            return self._as_django(super().open)
        with self._lock:
            is_first = self.connection is None
            lease = self._lease = self._lease or self.pool.lease()
            try:
                self.connection, _ = lease.open()
            except BaseException as error:
                # Whatever it is, nothing is pinned.
                self.close()
                if self.fail_silently and isinstance(error, OSError):
                    return None
                self._annotate(error)
                raise
            return is_first

    def close(self) -> None:
        """Give the pinned session back to the pool, if there is one."""
        with self._lock:
            lease = self._lease
            if lease is not None:
                # In this order: nothing is pinned any more, whatever interrupts the rest.
                self._lease = self.connection = None
                lease.close()
        super().close()

    def send_messages(self, email_messages: Iterable[Any]) -> int:
        """Send each of the messages; return how many of them the server has taken.

        Raises the first error that there was, when all of them have been tried. `send_many()` says
        of each what became of it.
        """
        if not email_messages:
            return 0
        if self._sends_as_django():
            return self._as_django(super().send_messages, email_messages)
        sent = 0
        error: Exception | None = None
        if isinstance(email_messages, list) and len(email_messages) == 1:
            # Most of all mail: nothing of what follows is of use to it.
            if not email_messages[0].recipients():
                return 0
            results: Iterable[Result] = self._hand_over([self._render(email_messages[0])])
        else:
            results = self._deliver(m for m in email_messages if m.recipients())
        for result in results:
            if result.status == "sent":
                sent += 1
            elif error is None and not (
                # What the server and the network do is an OSError, smtplib's exceptions included.
                self.fail_silently and isinstance(result.error, OSError)
            ):
                error = result.error
        if error is not None:
            raise error
        return sent

    def prep_address(self, address: Any, force_ascii: bool = True) -> str:
        """Return `address` as it goes into the envelope: Django's method, but faster.

        A full stop in the name is accepted, as in "Acme Inc. <a@example.com>".
        """
        plain = addr_spec(address)
        if plain:
            return plain
        from django_mailers.mailboxes import unnamed

        prepared = checked(super().prep_address(unnamed(address), force_ascii))
        if force_ascii and not prepared.isascii():
            from ..render import localparts

            raise localparts.refusal(address)
        return prepared

    def _send(self, email_message: Any) -> bool:
        """Send a message by `connection`: as Django's method, but with the bytes of `render()`."""
        if not email_message.recipients():
            return False
        sender = self.prep_address(email_message.from_email)
        recipients = [self.prep_address(name) for name in email_message.recipients()]
        content = render(email_message)
        try:
            self.connection.sendmail(sender, recipients, content)
        except smtplib.SMTPException:
            if self.fail_silently:
                return False
            raise
        return True

    # What django_mailers.send_many() calls

    def send_many(self, messages: Sequence[Any]) -> list[Outcome]:
        """Send each of the messages, which have recipients; return what became of it, in order.

        Raises only what is about no message: a `token` that cannot be imported, for one. Returns
        NotImplemented if it is for `send_messages()` to send them, of a subclass.
        """
        if self._sends_as_django() or self._is_changed(["send_messages"]):
            return NotImplemented
        results = list(self._deliver(messages))
        if len(results) < len(messages):
            # There is no session to be had: what is left would wait for another timeout.
            left = len(messages) - len(results)
            results += [Result("skipped", error=results[-1].error) for _ in range(left)]
        return [Outcome.of(result) for result in results]

    def _deliver(self, messages: Iterable[Any]) -> Iterator[Result]:
        """Send the messages, as many at a time as may be held in memory; yield the results.

        It ends early if nothing of what was held could be sent, as there is no session to be had.
        """
        sent = total = 0
        for window in self._windows(messages):
            total += len(window)
            try:
                results = self._hand_over(window)
            except BaseException as error:
                if sent:
                    note_sent(error, sent, total)
                raise
            yield from results
            sent += sum(result.status == "sent" for result in results)
            if all(result.status == "skipped" for result in results):
                return

    def _windows(self, messages: Iterable[Any]) -> Iterator[list[Envelope | Result]]:
        """Render the messages; yield as many of them at a time as may be held in memory.

        What `messages` raises is raised when those before are sent.
        """
        window: list[Envelope | Result] = []
        size = 0
        failure: Exception | None = None
        remaining = iter(messages)
        while True:
            try:
                message = next(remaining)
            except StopIteration:
                break
            except Exception as error:
                if is_injected(error):
                    raise
                failure = error
                break
            item = self._render(message)
            more = len(item.content) if isinstance(item, Envelope) else 0
            if window and (size + more > WINDOW_SIZE or len(window) >= WINDOW_MESSAGES):
                yield window
                window, size = [], 0
            window.append(item)
            size += more
        if window:
            yield window
        if failure is not None:
            raise failure

    def _render(self, message: Any) -> Envelope | Result:
        """Return what is to be handed over; or, if it cannot be rendered, a Result already."""
        try:
            return Envelope(
                self.prep_address(message.from_email),
                [self.prep_address(name) for name in message.recipients()],
                render(message),
            )
        except Exception as error:
            if is_injected(error):
                raise
            # Whatever it is (a message may have a template to render), it is about this one, and
            # is raised or reported in its turn.
            return Result("failed", error=error)

    def _hand_over(self, window: Sequence[Envelope | Result]) -> list[Result]:
        envelopes = [item for item in window if isinstance(item, Envelope)]
        done: list[Result] = []
        if envelopes:
            with self._lock:
                lease = self._lease
                if lease is not None:
                    try:
                        done = lease.deliver(envelopes)
                    finally:
                        # It may be another one by now.
                        self.connection = lease.session
            if lease is None:
                done = self.pool.deliver(envelopes, parallel=self.parallel)
        for result in done:
            if result.error is not None:
                self._annotate(result.error)
        if len(done) == len(window):
            return done
        delivered = iter(done)
        return [item if isinstance(item, Result) else next(delivered) for item in window]

    def _annotate(self, error: BaseException) -> None:
        """Say whose reply `error` is, if it is one: its own text is the server's."""
        if is_reply(error):
            to = "" if self.alias is None else f" to the mailer {self.alias!r}"
            annotate(error, f"Reply of {place(self.host, self.port)}{to}.")

    def _as_django(self, method: Callable[..., Any], *args: Any) -> Any:
        """Call a method of Django's; what it raises shows no more than what ours do."""
        outer = sys.exc_info()[1]
        try:
            return method(*args)
        except Exception as error:
            self._annotate(error)
            # It is of no use, and Django keeps it until the garbage collector comes.
            partial, self._partial_connection = self._partial_connection, None
            if partial is not None:
                partial.close()
            tb, login = error.__traceback__, smtplib.SMTP.login.__code__
            if all(frame.f_code is not login for frame, _ in traceback.walk_tb(tb)):
                raise
            hide(error, f"\0{self.username}\0{self.password}", self.password)
            failure = without_frames(error, outer)
        if isinstance(failure, UnicodeError):
            # It has what it could not encode among its attributes.
            failure = ValueError("The user name and the password must be ASCII.")
        raise failure

    def _sends_as_django(self) -> bool:
        return self._is_changed(CHANGEABLE) or self._has_foreign_connection()

    def _is_changed(self, names: Iterable[str]) -> bool:
        """Whether a subclass overrides one of `names`, or somebody has set it on this instance."""
        mine = type(self)
        return not vars(self).keys().isdisjoint(names) or (
            mine is not EmailBackend
            and any(getattr(mine, name) is not getattr(EmailBackend, name) for name in names)
        )

    def _has_foreign_connection(self) -> bool:
        """Whether somebody has set `connection`, which is used then, and left alone."""
        if self.connection is None:
            return False
        return self._lease is None or self.connection is not self._lease.session

    def _server(self) -> Server:
        security = "tls" if self.use_ssl else "starttls" if self.use_tls else None
        source = self.source_address
        return Server(
            self.host,
            int(self.port),
            security,
            self._tls(),
            # As Django's: no password, no login.
            self.username if self.password else None,
            self.password,
            self._authenticate(),
            self.timeout,
            self.local_hostname or DNS_NAME.get_fqdn(),
            (source, 0) if isinstance(source, str) else source,
            self.pipelining == "auto",
            self.chunking == "auto",
        )

    def _tls(self) -> TLSConfig:
        version = self.tls_min_version
        return TLSConfig(
            self.ca_file,
            self.ssl_certfile,
            self.ssl_keyfile,
            None if version is None else options.TLS_VERSIONS[version],
        )

    def _authenticate(self) -> XOAuth2 | None:
        if self.auth is None:
            return None
        token: Any = self.token
        if isinstance(token, str):
            try:
                token = import_string(token)
            except ImportError as error:
                raise InvalidMailer(
                    f"Could not import 'token' {self.token!r}: {error}", alias=self.alias
                ) from error
        return XOAuth2(self.username, token)

    @staticmethod
    def option_conflict(options: Mapping[str, Any]) -> str | None:
        """Say which of `options`, whose values are possible each by itself, do not go together."""
        get = options.get
        if 0 < get("pool_size", PoolOptions.pool_size) < get("parallel", 1):
            return "OPTIONS 'parallel' must not be greater than 'pool_size'."
        if get("ssl_keyfile") and not get("ssl_certfile"):
            return "OPTIONS 'ssl_keyfile' needs 'ssl_certfile'."
        if get("auth") is not None and not (get("username") and get("token")):
            return "OPTIONS 'auth' needs 'username' and 'token'."
        if get("auth") is None and get("token") is not None:
            return "OPTIONS 'token' needs 'auth', which must be 'xoauth2'."
        if not get("use_tls") and not get("use_ssl"):
            # Whoever says how TLS is to be done believes that it is.
            for name in ("ca_file", "tls_min_version"):
                if get(name) is not None:
                    return f"OPTIONS {name!r} needs 'use_tls' or 'use_ssl'."
        return None


@receiver(setting_changed)
def _close_pools(*, setting: str, **kwargs: Any) -> None:
    """In tests: what is sent by other settings goes over other sessions."""
    if setting == "MAILERS" or setting.startswith("EMAIL_"):
        close_pools()
