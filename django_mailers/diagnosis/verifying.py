"""`verify()`: whether a mailer can send, step by step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.mail import DNS_NAME, EmailMessage, mailers
from django.core.mail.backends import smtp

from django_mailers.backends.base import Wrapper
from django_mailers.delivery import send_over
from django_mailers.routing import build_mailer
from django_mailers.signatures import DEVELOPMENT, path_of
from django_mailers.types import Mailer

from .addresses import PORTS
from .probing import Target, probe
from .steps import Step, Stopwatch, Verification

# The alias of a mailer that is not in MAILERS.
UNNAMED = "(not in MAILERS)"
CONNECTING_HOOKS = ("open", "connection_class")

OnStep = Callable[[str, Step], None]


@dataclass(frozen=True)
class _Wish:
    """The arguments of `verify()` that hold for the other mailers, too."""

    sender: str | None
    recipients: Sequence[str]
    timeout: float
    only_public: bool
    ports: Collection[int] | None
    on_step: OnStep


def verify(
    mailer: str | Mapping[str, Any],
    *,
    sender: str | None = None,
    recipients: Sequence[str] = (),
    send: bool = False,
    timeout: float = 10,
    allow_private: bool = False,
    ports: Collection[int] | None = PORTS,
    on_step: OnStep | None = None,
) -> Verification:
    """Find out whether a mailer can send; return the steps, each with its details and a hint.

    mailer         an alias of MAILERS, or a dict like an entry of it: {"BACKEND", "OPTIONS"}.
    sender         an address that MAIL is tried with; None to leave that out.
    recipients     addresses that RCPT is tried with. No message is sent.
    send           whether a message is sent to `recipients`, if all steps have succeeded.
    timeout        the most seconds for each operation, if the mailer itself would not give up
                   before.
    allow_private  whether an entry may name a host that is not on the public internet. An alias
                   always may.
    ports          the ports that an entry may name; None for all of them.
    on_step        called with the alias and each step as soon as it is done, to show progress.

    An entry may come from a form. So for one with an SMTP backend, only public addresses are
    connected to, and the replies of services that are not mail servers are not shown. Another
    backend connects by itself: do not take 'BACKEND' from a form.

    Raises MailerDoesNotExist for an unknown alias, and ValueError for `send` without an address
    to send to, or for an entry without `allow_private`.
    """
    if send and not (sender and recipients):
        raise ValueError("To send, verify() needs a sender and recipients.")
    is_entry = not isinstance(mailer, str)
    if send and is_entry and not allow_private:
        # The mailer would resolve the name again: to a private address now, perhaps (H67).
        raise ValueError("verify() sends through an entry only with allow_private=True.")
    wish = _Wish(
        sender,
        recipients,
        timeout,
        is_entry and not allow_private,
        ports if is_entry else None,
        on_step or (lambda alias, step: None),
    )
    alias = UNNAMED if isinstance(mailer, Mapping) else mailer
    verification = _verify(mailer, alias, wish, seen=())
    if send and verification.ok:
        step = _send(mailer, alias, wish)
        wish.on_step(alias, step)
        return Verification(alias, [*verification.steps, step], verification.targets)
    return verification


def _verify(
    mailer: str | Mapping[str, Any], alias: str, wish: _Wish, seen: Sequence[str]
) -> Verification:
    steps: list[Step] = []

    def note(step: Step) -> None:
        steps.append(step)
        wish.on_step(alias, step)

    try:
        made = _made(mailer)
    except ImproperlyConfigured as error:
        if not seen and isinstance(mailer, str) and mailer not in mailers:
            raise
        # Not str(): that of a KeyError has quotes.
        note(Step("configuration", False, str(error.args[0])))
        return Verification(alias, steps)
    note(Step("configuration", True, path_of(type(made))))
    if isinstance(made, Wrapper):
        targets = [*dict.fromkeys(target for _, target in made.named())]
        if not targets:
            note(Step("mailers", True, "The mailer is chosen for each message."))
        # A circle is an error of the configuration, and was found.
        return Verification(
            alias,
            steps,
            [_verify(name, name, wish, (*seen, alias)) for name in targets if name not in seen],
        )
    for step in _steps(made, wish):
        note(step)
    return Verification(alias, steps)


def _made(mailer: str | Mapping[str, Any]) -> Mailer:
    return mailers[mailer] if isinstance(mailer, str) else build_mailer(mailer, alias=UNNAMED)


def _steps(made: Any, wish: _Wish) -> Iterable[Step]:
    own = getattr(made, "verify", None)
    if own is not None:
        return _own_steps(own)
    if _is_plain_smtp(made):
        if wish.ports is not None and int(made.port) not in wish.ports:
            allowed = ", ".join(map(str, sorted(wish.ports)))
            text = f"Port {made.port} is not one for mail; these are: {allowed}."
            return [Step("address", False, text, "Correct 'port'.")]
        return probe(_target(made, wish), wish.sender, wish.recipients)
    return _opened(made)


def _is_plain_smtp(made: Mailer) -> bool:
    """Whether it connects as Django's SMTP backend, or as ours, does."""
    from django_mailers.backends.smtp import EmailBackend

    cls: Any = type(made)
    if not isinstance(made, smtp.EmailBackend):
        return False
    base: Any = EmailBackend if isinstance(made, EmailBackend) else smtp.EmailBackend
    return all(getattr(cls, name) is getattr(base, name) for name in CONNECTING_HOOKS)


def _target(made: Any, wish: _Wish) -> Target:
    security = "tls" if made.use_ssl else "starttls" if made.use_tls else None
    log_in = None
    if getattr(made, "auth", None) is not None:
        log_in = made._authenticate()
    elif made.username and made.password:
        from django_mailers.smtp.auth import log_in as login

        log_in = partial(_log_in, login, made)
    return Target(
        host=made.host,
        port=int(made.port) or (465 if made.use_ssl else 25),
        security=security,
        context=lambda: made.ssl_context,
        log_in=log_in,
        secrets=[f"\0{made.username}\0{made.password}", made.password] if made.password else [],
        timeout=min(wish.timeout, made.timeout or wish.timeout),
        local_hostname=getattr(made, "local_hostname", None) or DNS_NAME.get_fqdn(),
        only_public=wish.only_public,
    )


def _log_in(login: Callable[..., Any], made: Any, session: Any) -> None:
    login(session, made.username, made.password)


def _own_steps(own: Callable[[], Any]) -> Iterator[Step]:
    """Yield what the backend's own `verify()` returns: steps, or nothing if it raises nothing."""
    watch = Stopwatch()
    try:
        steps = [*(own() or ())]
    except Exception as error:
        # Of any backend.
        yield Step("verify", False, f"{type(error).__name__}: {error}", ms=watch.ms)
        return
    yield from steps or [Step("verify", True, ms=watch.ms)]


def _opened(made: Mailer) -> Iterator[Step]:
    if path_of(type(made)) in DEVELOPMENT:
        yield Step("open", True, "This backend sends nothing.")
        return
    watch = Stopwatch()
    try:
        if hasattr(made, "open"):
            made.open()
        if hasattr(made, "close"):
            made.close()
    except Exception as error:
        # Of any backend.
        yield Step("open", False, f"{type(error).__name__}: {error}", ms=watch.ms)
        return
    detail = "It can be opened and closed. Nothing more is known about this backend."
    yield Step("open", True, detail, ms=watch.ms)


def _send(mailer: str | Mapping[str, Any], alias: str, wish: _Wish) -> Step:
    message = EmailMessage(
        "A test of your mailer",
        f"This message was sent by the mailer {alias!r} to verify it.",
        wish.sender,
        [*wish.recipients],
    )
    watch = Stopwatch()
    [result] = send_over(_made(mailer), [message], using=alias)
    reply = "" if result.code is None else f"{result.code} {result.text}"
    said = reply or ("" if result.error is None else str(result.error)) or result.reason
    refused = len(result.refused_recipients)
    detail = (
        f"{result.status} by {result.via!r}: {said}" if result.via else f"{result.status}: {said}"
    )
    hint = "" if result.is_success else "Look at the reply."
    if refused:
        hint = f"{refused} of the recipients were refused."
    return Step("send", result.is_success, detail.rstrip(": "), hint, watch.ms)
