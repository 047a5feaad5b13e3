"""The mail that the demo sends: that of the site, and some through the other backends."""

from collections.abc import Callable
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage, send_mail, send_mass_mail
from django.test import Client
from django.urls import reverse

from demo import background
from django_mailers import send_many
from shop.mail import send_newsletter, send_pickup_notices, send_welcome

ADA = "ada@example.com"


class Letters(NamedTuple):
    """What `send()` sends and by which API, and the subjects that have to arrive then.

    `via` is the mailer that brings them there, if `alias` is not the one. `held_back` has the
    names of the errors of those that must not arrive.
    """

    what: str
    api: str
    alias: str
    subjects: list[str]
    send: Callable[[], object]
    via: str = ""
    held_back: tuple[str, ...] = ()


def letters_of_the_site() -> list[Letters]:
    user = User.objects.create(username="ada", email=ADA, password="not a hash, but not unusable")
    browser = Client(SERVER_NAME="localhost", raise_request_exception=False)
    # The first form that a process handles compiles templates, which would be counted as time for
    # mail. This one is incomplete, so it sends nothing.
    browser.post(reverse("contact"), {"email": ADA})
    question = {"name": "Ada", "email": ADA, "question": "Do you have Verne?"}
    return [
        Letters(
            "welcome",
            "send_mail()",
            "default",
            ["Welcome to Quay Books"],
            lambda: send_welcome(user),
        ),
        Letters(
            "pick-up notices",
            "send_mass_mail()",
            "default",
            ["Moby-Dick is here", "Emma is here"],
            lambda: send_pickup_notices([(ADA, "Moby-Dick"), ("bob@example.com", "Emma")]),
        ),
        Letters(
            "contact form",
            "EmailMessage.send()",
            "default",
            ["A question from the web site"],
            lambda: browser.post(reverse("contact"), question),
        ),
        Letters(
            "password reset",
            "PasswordResetView",
            "default",
            ["A new password for Quay Books"],
            lambda: browser.post(reverse("password_reset"), {"email": ADA}),
        ),
        Letters(
            "newsletter",
            "EmailMultiAlternatives.send(using=)",
            "newsletter",
            ["New in July"],
            lambda: send_newsletter("New in July", "Verne.", "<b>Verne.</b>", [ADA]),
        ),
        Letters(
            "error report",
            "AdminEmailHandler(using=)",
            "errors",
            [
                f"{settings.EMAIL_SUBJECT_PREFIX}"
                "ERROR (EXTERNAL IP): Internal Server Error: /broken/"
            ],
            lambda: browser.get(reverse("broken")),
        ),
    ]


def letters_for_other_mailers() -> list[Letters]:
    return [
        Letters(
            "note on screen",
            "send_mail(using=)",
            "screen",
            ["For the screen"],
            lambda: send_mail("For the screen", "", None, [ADA], using="screen"),
        ),
        Letters(
            "note on disk",
            "send_mail(using=)",
            "disk",
            ["For the disk"],
            lambda: send_mail("For the disk", "", None, [ADA], using="disk"),
        ),
        Letters(
            "notes in memory",
            "send_mass_mail(using=)",
            "memory",
            ["To remember", "And another one"],
            lambda: send_mass_mail(
                [("To remember", "", None, [ADA]), ("And another one", "", None, [ADA])],
                using="memory",
            ),
        ),
    ]


def letters_for_composed_mailers() -> list[Letters]:
    to_both = [ADA, *settings.MANAGERS]
    issues = [EmailMessage(f"Issue {number}", "", to=[ADA]) for number in (1, 2, 3)]
    return [
        Letters(
            "first one is down",
            "send_mail(using=)",
            "reliable",
            ["It gets through"],
            lambda: send_mail("It gets through", "", None, [ADA], using="reliable"),
            via="default",
        ),
        Letters(
            "staging",
            "send_mail(using=)",
            "staging",
            ["A rehearsal", "A rehearsal"],
            lambda: send_mail("A rehearsal", "", None, to_both, using="staging"),
            via="default",
        ),
        Letters(
            "three of two",
            "send_many(using=)",
            "limited",
            ["Issue 1", "Issue 2"],
            lambda: send_many(issues, using="limited"),
            via="newsletter",
            held_back=("RateLimited",),
        ),
    ]


def letters_in_the_background() -> list[Letters]:
    if not background.IS_INSTALLED:
        return []

    def send() -> None:
        send_mail("Your receipt", "", None, [ADA], using="background")
        background.run_worker()

    return [
        Letters(
            "receipt",
            "send_mail(using=)",
            "background",
            ["Your receipt"],
            send,
            via="default",
        ),
    ]
