"""Fixtures for pytest, which finds this module by an entry point.

They have no effect on tests that do not request them. Importing this module does not import Django,
as pytest imports it in all projects, also in those without Django.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from django_mailers.testing import Fault, SentMail, SMTPServer


@pytest.fixture
def mailers_outbox() -> Iterator[SentMail]:
    """The messages that the test has sent until now, as a list.

    Without a test environment, which pytest-django sets up, mailers keep messages in memory until
    the end of the test.
    """
    from django_mailers.testing import captureMail
    from django_mailers.testing.override import in_memory

    with in_memory(), captureMail() as sent:
        yield sent


@pytest.fixture
def smtp_server() -> Iterator[SMTPServer]:
    """An SMTP server that runs during the test: an SMTPServer without TLS and users."""
    from django_mailers.testing import SMTPServer

    with SMTPServer() as server:
        yield server


@pytest.fixture
def override_mailers() -> Iterator[Callable[..., None]]:
    """A function that overrides mailers until the end of the test.

    Its arguments are those of `django_mailers.testing.override_mailers`.
    """
    from django_mailers import testing

    with ExitStack() as stack:

        def override(*args: Any, **entries: Any) -> None:
            stack.enter_context(testing.override_mailers(*args, **entries))

        yield override


@pytest.fixture
def failing_mailer() -> Iterator[Callable[..., Fault]]:
    """A function that makes a mailer fail until the end of the test; it returns the Fault.

    Its arguments are those of `django_mailers.testing.failing`.
    """
    from django_mailers import testing

    with ExitStack() as stack:

        def fail(alias: str, *args: Any, **options: Any) -> Fault:
            return stack.enter_context(testing.failing(alias, *args, **options))

        yield fail
