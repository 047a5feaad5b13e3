"""SMTP over pooled sessions: `"BACKEND": "django_mailers.backends.smtp.EmailBackend"`."""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.core.mail import DNS_NAME
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.functional import cached_property

from django_mailers.options import (
    AUTO,
    CALLABLE,
    COUNT,
    DELAY,
    DKIM,
    EHLO_NAME,
    PATH,
    SECONDS,
    SIZE,
    SOURCE,
    Option,
    import_callable,
    one_of,
)

from ..smtp.envelope import Envelope, Result
from ..smtp.interrupts import is_injected, note_sent
from ..smtp.lease import Lease, deliver
from ..smtp.server import NO_TLS_OPTIONS, PoolOptions, Server, TLSConfig
from ..smtp.shared import close_pools, shared_pool
from ._djangosmtp import DjangosBackend
from .base import ReportingBackend

if TYPE_CHECKING:
    from django_mailers.delivery import SendResult
    from django_mailers.types import Message

    from ..smtp.pool import Pool

# Seconds for each operation. Django's backend waits for ever by default.
DEFAULT_TIMEOUT = 30
TLS_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
POOL_DEFAULTS = PoolOptions()
# The options besides Django's.
OPTIONS = {
    "pool_size": Option(SIZE, POOL_DEFAULTS.pool_size, "sessions"),
    "max_messages": Option(COUNT, POOL_DEFAULTS.max_messages, "messages"),
    "max_age": Option(SECONDS, POOL_DEFAULTS.max_age, "seconds"),
    "max_idle": Option(SECONDS, POOL_DEFAULTS.max_idle, "seconds"),
    "check_after": Option(DELAY, POOL_DEFAULTS.check_after, "seconds"),
    "acquire_timeout": Option(DELAY, POOL_DEFAULTS.acquire_timeout, "seconds"),
    "parallel": Option(COUNT, 1, "sessions"),
    "pipelining": Option(AUTO, "auto"),
    "chunking": Option(AUTO, "auto"),
    "smtputf8": Option(AUTO, False),
    "ca_file": Option(PATH),
    "tls_min_version": Option(one_of(*TLS_VERSIONS)),
    "local_hostname": Option(EHLO_NAME),
    "source_address": Option(SOURCE),
    "auth": Option(one_of("xoauth2")),
    "token": Option(CALLABLE),
    "dkim": Option(DKIM),
}
# If a subclass or an instance overrides one of these, Django's methods connect, or send, so that
# the override takes effect.
CONNECTING_HOOKS = ("connection_class", "ssl_context")
SENDING_HOOKS = (*CONNECTING_HOOKS, "open", "close", "_send")


class EmailBackend(ReportingBackend, DjangosBackend):
    """Django's SMTP backend, with sessions that are kept for the next message, and that pipeline.

    It takes Django's OPTIONS, of which `timeout` is 30 seconds by default, and those in the table
    above; docs/smtp.rst says what each of them does.

    Mailers with the same settings share their sessions, in all threads of a process. Several
    threads may use an instance; they take turns with a session that `open()` has pinned to it. A
    forked process begins with no sessions.
    """

    # Django 6.1 sets it; django-stubs 6.1 does not have it.
    alias: str | None
    renders_mime = True
    option_kinds = OPTIONS

    pool_size: int
    max_messages: int | None
    max_age: float
    max_idle: float
    check_after: float
    acquire_timeout: float | None
    parallel: int
    pipelining: str | bool
    chunking: str | bool
    smtputf8: str | bool
    ca_file: str | os.PathLike[str] | None
    tls_min_version: str | None
    local_hostname: str | None
    source_address: str | tuple[str, int] | None
    auth: str | None
    token: Callable[[], str] | str | None
    dkim: Mapping[str, Any] | None
    # The session that is pinned to this instance.
    _lease: Lease | None = None

    def set_options(self, given: Mapping[str, Any]) -> None:
        if self.timeout is None:
            self.timeout = DEFAULT_TIMEOUT
        # For most messages a mailer is made that has none of these. Of Django's own options only
        # the key and its certificate may not go together.
        if given or self.ssl_keyfile or self.required_options:
            super().set_options(given)

    @property
    def pool(self) -> Pool:
        """The pool of this process for this mailer; its `stats()` tell what it does."""
        # Now and not before, as attributes are changed after the instance was made (H18).
        options = PoolOptions(
            self.pool_size,
            self.max_messages,
            self.max_age,
            self.max_idle,
            self.check_after,
            self.acquire_timeout,
        )
        return shared_pool(self._server(), options)

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        """A context of this instance alone; changes of it take effect."""
        return self._tls().create_context()

    # Django's methods

    def open(self) -> bool | None:
        """Pin a session to this instance until `close()`; return whether none was pinned before.

        A pinned session that has ended is replaced when it is needed.

        Raises what `smtplib` does and `OSError`; returns None instead if `fail_silently` is on.
        """
        if self._is_djangos(CONNECTING_HOOKS):
            return self._open_as_django()
        with self._lock:
            is_first = self.connection is None
            lease = self._lease = self._lease or Lease(self.pool)
            try:
                self.connection, _ = lease.open()
            except BaseException as error:
                # Even if it is an interrupt, nothing is pinned.
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
                # In this order: whatever interrupts the rest, nothing is pinned any more.
                self._lease = self.connection = None
                lease.close()
        super().close()

    def send_messages(self, email_messages: Iterable[Any]) -> int:
        """Send each of the messages; return how many of them the server has taken.

        All of them are tried, then the first error there was is raised. `send_many()` reports what
        became of each.
        """
        if not email_messages:
            return 0
        if self._is_djangos(SENDING_HOOKS):
            return self._send_as_django(email_messages)
        if not (isinstance(email_messages, list) and len(email_messages) == 1):
            return self.count_sent(self._deliver(m for m in email_messages if m.recipients()))
        # Most of all mail is one message at a time.
        [message] = email_messages
        recipients = message.recipients()
        if not recipients:
            return 0
        envelope = self._render(message, recipients, is_alone=True)
        return self.count_sent(self._hand_over([envelope]))

    def send_many(self, messages: Sequence[Message]) -> list[SendResult]:
        """Send each of `messages`, which have recipients; return a result for each, in order.

        Raises only what is not about a message: a `token` that cannot be imported, for example.
        """
        if self._is_djangos((*SENDING_HOOKS, "send_messages")):
            # Imported here because most processes never need it.
            from ..delivery.onebyone import send_one_by_one

            return send_one_by_one(self, messages, keep_open=self.connection is not None)
        from django_mailers.delivery.wire import send_result

        results: list[Result] = list(self._deliver(messages))
        given = [
            send_result(message, result, self.alias)
            for message, result in zip(messages, results, strict=False)
        ]
        # No session can be opened, and each of these would wait for another timeout.
        left = messages[len(results) :]
        return given + [given[-1].about(message) for message in left]

    def _deliver(self, messages: Iterable[Message]) -> Iterator[Result]:
        """Send the messages, as many at a time as may be held in memory; yield the results.

        It ends early if nothing of what was held could be sent, as there is no session to be had.
        """
        # Imported here because most processes send one message at a time.
        from ._windows import windows

        sent = total = 0
        for window in windows(messages, self._render):
            total += len(window)
            try:
                results = self._hand_over(window)
            except BaseException as error:
                if sent:
                    note_sent(error, sent, total)
                raise
            yield from results
            sent += sum(result.status == "sent" for result in results)
            if all(result.status == "untried" for result in results):
                return

    def _render(
        self,
        message: Message,
        recipients: Sequence[Any] | None = None,
        *,
        is_alone: bool = False,
    ) -> Envelope | Result:
        """Return the envelope to be handed over; or a Result, if it cannot be rendered.

        `is_alone` says that no other message is about to be rendered.
        """
        try:
            if recipients is None:
                recipients = message.recipients()
            if self.smtputf8 == "auto":
                # Imported here because most processes never need it.
                from ._utf8 import utf8_envelope

                envelope = utf8_envelope(self, message, recipients)
                if envelope is not None:
                    return envelope
            return Envelope(
                self.prep_address(message.from_email),
                list(map(self.prep_address, recipients)),
                self._content(message, is_alone=is_alone),
            )
        except Exception as error:
            if is_injected(error):
                raise
            # The message's own code may fail: it may render a template. The error is about this
            # message, and is raised or reported in its turn.
            return Result("failed", error=error)

    def _content(self, message: Message, *, is_alone: bool = False) -> bytes:
        return self.signed(super()._content(message, is_alone=is_alone))

    def signed(self, content: bytes) -> bytes:
        """Return `content`, a whole message, with a signature if the option `dkim` asks for one."""
        if self.dkim is None:
            return content
        # Imported here because most processes never need them.
        from ..dkim import Signing
        from ..smtp.wire import normalize

        return Signing(self.dkim).sign(normalize(content))

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
                done = deliver(self.pool, envelopes, parallel=self.parallel)
        for result in done:
            if result.error is not None:
                self._annotate(result.error)
        if len(done) == len(window):
            return done
        delivered = iter(done)
        return [item if isinstance(item, Result) else next(delivered) for item in window]

    def _is_djangos(self, names: Sequence[str]) -> bool:
        """Whether Django's methods have to be used, so that what was changed takes effect.

        That is the case if a subclass overrides one of `names`, or if one of them, or `connection`,
        has been set on this instance.
        """
        connection, lease, cls = self.connection, self._lease, type(self)
        return (
            not vars(self).keys().isdisjoint(names)
            or (connection is not None and (lease is None or connection is not lease.session))
            or (
                cls is not EmailBackend
                and any(getattr(cls, name) is not getattr(EmailBackend, name) for name in names)
            )
        )

    def _server(self) -> Server:
        security = "tls" if self.use_ssl else "starttls" if self.use_tls else None
        source = self.source_address
        return Server(
            self.host,
            # 0 is the protocol's own, as with smtplib.
            int(self.port) or (smtplib.SMTP_SSL_PORT if self.use_ssl else smtplib.SMTP_PORT),
            security,
            self._tls(),
            # As Django's: no password, no login.
            self.username if self.password else None,
            self.password,
            None if self.auth is None else self._authenticate(),
            self.timeout,
            self.local_hostname or DNS_NAME.get_fqdn(),
            (source, 0) if isinstance(source, str) else source,
            self.pipelining == "auto",
            self.chunking == "auto",
        )

    def _tls(self) -> TLSConfig:
        version = self.tls_min_version
        options = (
            self.ca_file,
            self.ssl_certfile,
            self.ssl_keyfile,
            None if version is None else TLS_VERSIONS[version],
        )
        return TLSConfig(*options) if any(options) else NO_TLS_OPTIONS

    def _authenticate(self) -> Callable[[Any], object]:
        # Imported here because most processes never need it.
        from ..smtp.auth import XOAuth2

        return XOAuth2(self.username, import_callable(self.token, "token", self.alias))

    @staticmethod
    def option_conflict(options: Mapping[str, Any]) -> str | None:
        """Say which of `options`, whose values are possible each by itself, do not go together."""
        get = options.get
        if 0 < get("pool_size", POOL_DEFAULTS.pool_size) < get("parallel", 1):
            return "OPTIONS 'parallel' must not be greater than 'pool_size'."
        if get("ssl_keyfile") and not get("ssl_certfile"):
            return "OPTIONS 'ssl_keyfile' needs 'ssl_certfile'."
        if get("auth") is not None and not (get("username") and get("token")):
            return "OPTIONS 'auth' needs 'username' and 'token'."
        if get("auth") is None and get("token") is not None:
            return "OPTIONS 'token' needs 'auth', which must be 'xoauth2'."
        if not get("use_tls") and not get("use_ssl"):
            # A project that says how TLS is to be done relies on it.
            for name in ("ca_file", "tls_min_version"):
                if get(name) is not None:
                    return f"OPTIONS {name!r} needs 'use_tls' or 'use_ssl'."
        return None if get("dkim") is None else _dkim_complaint(get("dkim"))


def _dkim_complaint(option: Any) -> str | None:
    # Imported here because most processes never need it.
    from ..dkim import complaint

    return complaint(option)


@receiver(setting_changed)
def _close_pools(*, setting: str, **kwargs: Any) -> None:
    """In tests: close the sessions of the settings that were overridden."""
    if setting == "MAILERS" or setting.startswith("EMAIL_"):
        close_pools()
