"""Comparing what `django_mailers.render` makes of a message with what Django does."""

import email.policy
import random
from contextlib import contextmanager
from email.errors import MessageError
from unittest import mock

from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.test import SimpleTestCase

from django_mailers import render as rendering
from django_mailers.render import eligible, render
from django_mailers.render.localparts import DEFECT

from .recordings import normalise, pinned


def by_django(message):
    return message.message(policy=email.policy.SMTP).as_bytes()


def outcome(way, message):
    """The bytes, or the type and the text of the error, that `way` makes of `message`."""
    # Boundaries and message ids are made of random numbers: of the same ones, if as many are drawn
    # in the same order.
    state = random.getstate()
    random.seed(1)
    try:
        return normalise(way(message))
    except Exception as error:
        return type(error), str(error)
    finally:
        random.setstate(state)


def is_local_part(made):
    """Whether Python has refused to write a local part that is not ASCII."""
    return (
        isinstance(made, tuple)
        and issubclass(made[0], MessageError)
        and made[1].startswith("Non-ASCII ")
    )


class RenderTestCase(SimpleTestCase):
    maxDiff = None

    def setUp(self):
        eligible._verdicts.clear()
        self.enterContext_(pinned())

    def enterContext_(self, manager):
        """`enterContext()`, which Python 3.10 lacks."""
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    @contextmanager
    def watched(self):
        """Give the list of the messages that are not written directly meanwhile."""
        messages = []
        original = rendering.normally

        def normally(message):
            messages.append(message)
            return original(message)

        with mock.patch.object(rendering, "normally", normally):
            yield messages

    def check(self, make, *, fast=None):
        """Compare with Django what render() makes of a message; return whether it was fast."""
        expected = outcome(by_django, make())
        with self.watched() as slow:
            found = outcome(render, make())
        if found != expected and is_local_part(expected):
            # Python 3.15; tests/test_local_parts.py has more.
            self.assertEqual((found[0], found[1][-len(DEFECT) :]), (ValueError, DEFECT))
        else:
            self.assertEqual(found, expected)
        if fast is not None:
            self.assertIs(not slow, fast)
        return not slow


def simple(kind=EmailMessage, **arguments):
    usual = {
        "subject": "Subject",
        "body": "Body\n",
        "from_email": "from@example.com",
        "to": ["to@example.com"],
    }
    return kind(**{**usual, **arguments})


def hook(name):
    """A function that does what Django's method of that name does, if there is one."""
    original = getattr(EmailMultiAlternatives, name, None)

    def call(*args, **kwargs):
        return original(*args, **kwargs)

    return {name: call}
