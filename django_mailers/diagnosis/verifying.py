"""`verify()`: whether a mailer can send, step by step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.mail import DNS_NAME, EmailMessage
from django.core.mail.backends import smtp

from django_mailers.backends.base import Wrapper
from django_mailers.delivery import send_over
from django_mailers.render import localparts
from django_mailers.signatures import DEVELOPMENT, path_of
from django_mailers.smtp.interrupts import is_injected
from django_mailers.types import Mailer

from .addresses import PORTS
from .probing import Target, probe
from .steps import Step, Stopwatch, Verification
from .subjects import UNNAMED, Subject

CONNECTING_HOOKS = ("open", "connection_class")
# In seconds. No socket can wait for much longer, which is an OverflowError.
MAX_TIMEOUT = 24 * 3600

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
    recipients     addresses that RCPT is tried with, after MAIL. No message is sent.
    send           whether a message is sent to `recipients`, if all of these have succeeded.
    timeout        the most seconds for each operation, if the mailer itself would not give up
                   before: for each address that is connected to, the TLS handshake, and each reply.
                   Looking up a name takes as long as the resolver of the system gives it.
    allow_private  whether an entry may name a host that is not on the public internet. An alias
                   always may, and so may the mailers that an entry names by their aliases.
    ports          the ports that an entry may name; None for all of them.
    on_step        called with the alias and each step as soon as it is done, to show progress.

    An entry may come from a form. So only public addresses are connected to, and the replies of
    services that are not mail servers are not shown. It is known how the SMTP backends of Django
    and of this package connect. Another backend may connect to any address: it is not tried without
    `allow_private`.

    Raises MailerDoesNotExist for an unknown alias, ValueError and TypeError for arguments that are
    impossible, alone or together, and what `on_step` does.
    """
    is_entry = not isinstance(mailer, str)
    alias = UNNAMED if is_entry else str(mailer)
    subject = Subject(mailer)
    # A page about an error would show the password in an entry.
    del mailer
    _check(sender, recipients, timeout)
    if send and not (sender and recipients):
        raise ValueError("To send, verify() needs a sender and recipients.")
    if send and is_entry and not allow_private:
        # The mailer would resolve the name again: to a private address now, perhaps (H67).
        raise ValueError("verify() sends through an entry only with allow_private=True.")
    wish = _Wish(
        None if sender is None else str(sender),
        [*map(str, recipients)],
        timeout,
        is_entry and not allow_private,
        ports if is_entry else None,
        on_step or (lambda alias, step: None),
    )
    verification = _verify(subject, alias, wish, seen=())
    if send and verification.ok:
        step = _send(subject, alias, wish)
        wish.on_step(alias, step)
        return Verification(alias, [*verification.steps, step], verification.targets)
    return verification


def _check(sender: object, recipients: object, timeout: float) -> None:
    if isinstance(recipients, str):
        raise TypeError("'recipients' must be a list of addresses, not a str.")
    if recipients and not sender:
        raise ValueError("To try recipients, verify() needs a sender.")
    # Neither is NaN.
    if not 0 < timeout <= MAX_TIMEOUT:
        raise ValueError(f"'timeout' must be greater than 0, and at most {MAX_TIMEOUT} seconds.")


def _verify(subject: Subject, alias: str, wish: _Wish, seen: Sequence[str]) -> Verification:
    steps: list[Step] = []

    def note(step: Step) -> None:
        steps.append(step)
        wish.on_step(alias, step)

    made = _made(subject, is_target=bool(seen))
    if isinstance(made, Step):
        note(made)
        return Verification(alias, steps)
    note(Step("configuration", True, path_of(type(made))))
    if isinstance(made, Wrapper):
        targets = [*dict.fromkeys(target for _, target in made.named())]
        if not targets:
            note(Step("mailers", True, "The mailer is chosen for each message."))
        # They are aliases, whatever names them.
        wish = replace(wish, only_public=False, ports=None)
        # A circle is an error of the configuration, and was found.
        return Verification(
            alias,
            steps,
            [
                _verify(Subject(name), name, wish, (*seen, alias))
                for name in targets
                if name not in seen
            ],
        )
    for step in _steps(subject, made, wish):
        note(step)
    return Verification(alias, steps)


def _made(subject: Subject, *, is_target: bool) -> Mailer | Step:
    """Return the mailer, or a step with the reason why it cannot be made."""
    try:
        return subject.make()
    except ImproperlyConfigured as error:
        if not is_target and subject.is_unknown:
            raise
        # Not str(): that of a KeyError has quotes.
        return Step("configuration", False, str(error.args[0] if error.args else error))
    except Exception as error:
        if is_injected(error):
            raise
        # A backend may raise anything when it is made.
        return Step("configuration", False, subject.told(error))


def _steps(subject: Subject, made: Any, wish: _Wish) -> Iterable[Step]:
    own = getattr(made, "verify", None)
    if own is None and _is_plain_smtp(made):
        return _probed(made, wish)
    if path_of(type(made)) in DEVELOPMENT:
        return [Step("open", True, "This backend sends nothing.")]
    if wish.only_public:
        text = "It is not known where this backend connects to, so it was not tried."
        return [Step("open", False, text, "Pass allow_private=True if the entry can be trusted.")]
    return _opened(subject, made) if own is None else _own_steps(subject, own)


def _probed(made: Any, wish: _Wish) -> Iterable[Step]:
    try:
        target = _target(made, wish)
    except (ImproperlyConfigured, ValueError) as error:
        return [Step("configuration", False, str(error.args[0] if error.args else error))]
    if wish.ports is not None and target.port not in wish.ports:
        allowed = ", ".join(map(str, sorted(wish.ports)))
        text = f"Port {target.port} is not one for mail; these are: {allowed}."
        return [Step("address", False, text, "Correct 'port'.")]
    return probe(target, wish.sender, wish.recipients)


def _is_plain_smtp(made: Mailer) -> bool:
    """Whether it connects as Django's SMTP backend, or as ours, does."""
    from django_mailers.backends.smtp import EmailBackend

    cls: Any = type(made)
    if not isinstance(made, smtp.EmailBackend):
        return False
    base: Any = EmailBackend if isinstance(made, EmailBackend) else smtp.EmailBackend
    return all(getattr(cls, name) is getattr(base, name) for name in CONNECTING_HOOKS)


def _target(made: Any, wish: _Wish) -> Target:
    port = _port(made)
    security = "tls" if made.use_ssl else "starttls" if made.use_tls else None
    log_in = None
    if getattr(made, "auth", None) is not None:
        log_in = made._authenticate()
    elif made.username and made.password:
        from django_mailers.smtp.auth import log_in as login

        log_in = partial(_log_in, login, made)
    source = getattr(made, "source_address", None)
    return Target(
        host=made.host or "",
        port=port,
        security=security,
        context=lambda: made.ssl_context,
        log_in=log_in,
        secrets=[f"\0{made.username}\0{made.password}", made.password] if made.password else [],
        timeout=min(wish.timeout, made.timeout or wish.timeout),
        local_hostname=getattr(made, "local_hostname", None) or DNS_NAME.get_fqdn(),
        source_address=(source, 0) if isinstance(source, str) else source,
        prepared=partial(_prepared, made),
        smtputf8=getattr(made, "smtputf8", False) == "auto",
        only_public=wish.only_public,
    )


def _port(made: Any) -> int:
    """Return the port of a mailer. Raises ValueError for what Django's backend does not check."""
    if not isinstance(made.host, str | None):
        raise ValueError("OPTIONS 'host' must be a str.")
    try:
        return int(made.port) or (465 if made.use_ssl else 25)
    except (TypeError, ValueError):
        raise ValueError("OPTIONS 'port' must be a number.") from None


def _log_in(login: Callable[..., Any], made: Any, session: Any) -> None:
    login(session, made.username, made.password)


def _prepared(made: Any, address: str, is_utf8: bool) -> str:
    """Return what the mailer makes of an address when it sends. Raises ValueError."""
    try:
        force_ascii = not is_utf8 or localparts.is_ascii(address)
        return str(made.prep_address(address, force_ascii=force_ascii))
    except Exception as error:
        if is_injected(error) or isinstance(error, ValueError):
            raise
        # Python's parser raises anything for some addresses (H21).
        raise ValueError("This is not an address.") from None


def _own_steps(subject: Subject, own: Callable[[], Any]) -> Iterator[Step]:
    """Yield what the backend's own `verify()` returns: steps, or nothing if it raises nothing."""
    watch = Stopwatch()
    try:
        steps = [*(own() or ())]
    except Exception as error:
        if is_injected(error):
            raise
        # Of any backend.
        yield Step("verify", False, subject.told(error), ms=watch.ms)
        return
    for step in steps:
        if not isinstance(step, Step):
            text = f"verify() has returned an object of type {type(step).__name__}."
            yield Step("verify", False, text, "It must return a list of diagnosis.Step.")
            return
        yield step
    if not steps:
        yield Step("verify", True, ms=watch.ms)


def _opened(subject: Subject, made: Mailer) -> Iterator[Step]:
    watch = Stopwatch()
    try:
        if hasattr(made, "open"):
            made.open()
        if hasattr(made, "close"):
            made.close()
    except Exception as error:
        if is_injected(error):
            raise
        # Of any backend.
        yield Step("open", False, subject.told(error), ms=watch.ms)
        return
    detail = "It can be opened and closed. Nothing more is known about this backend."
    yield Step("open", True, detail, ms=watch.ms)


def _send(subject: Subject, alias: str, wish: _Wish) -> Step:
    message = EmailMessage(
        "A test of your mailer",
        f"This message was sent by the mailer {alias!r} to verify it.",
        wish.sender,
        [*wish.recipients],
    )
    watch = Stopwatch()
    [result] = send_over(subject.make(), [message], using=alias)
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
