"""Checks of mailers that redirect mail: in production, and of mailers that bypass them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.core.checks import CheckMessage

from django_mailers.signatures import DEVELOPMENT, path_of

from .entries import Mailer
from .references import reachable, targets_of
from .table import check_message


def check_deployment(mailers: Sequence[Mailer]) -> Iterator[CheckMessage]:
    """Report each mailer that redirects: in production, customers would not get their mail."""
    for mailer in mailers:
        if mailer.derives_from("redirect"):
            text = "Only the recipients in OPTIONS 'allow' get mail. All other mail goes to 'to'."
            yield check_message("mailers.W040", text, alias=mailer.alias)


def check_mailers(mailers: Sequence[Mailer]) -> Iterator[CheckMessage]:
    """Report mailers that send to anybody although another one redirects mail."""
    redirecting = [mailer.alias for mailer in mailers if mailer.derives_from("redirect")]
    if not redirecting:
        return
    graph = {mailer.alias: targets_of(mailer) for mailer in mailers}
    behind = reachable(redirecting, graph)
    sending = [mailer.alias for mailer in mailers if _sends(mailer)]
    for mailer in mailers:
        if mailer.alias in behind:
            continue
        found = reachable([mailer.alias], graph, stops=redirecting)
        if any(alias in found for alias in sending):
            text = (
                f"It sends to anybody, although MAILERS[{redirecting[0]!r}] redirects mail. Its "
                "messages do not go through that mailer."
            )
            yield check_message("mailers.W041", text, alias=mailer.alias)


def _sends(mailer: Mailer) -> bool:
    """Whether it sends mail by itself, and not through others."""
    from django_mailers.backends.base import Wrapper

    return not issubclass(mailer.backend, Wrapper) and (
        not targets_of(mailer) and path_of(mailer.backend) not in DEVELOPMENT
    )
