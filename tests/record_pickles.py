"""Record messages as a bare Django pickles them, for tests/test_pickles.py.

    python -m tests.record_pickles

Run it with each Django before 6.1, without django_mailers among its apps: it adds to
tests/data/pickles.json what that Django makes. From Django 6.1 on, nothing is to be recorded.
"""

from __future__ import annotations

import base64
import json
import pickle
from email.mime.image import MIMEImage
from pathlib import Path

import django
from django.conf import settings
from django.core import mail

FILE = Path(__file__).resolve().parent / "data" / "pickles.json"
LOCMEM = "django.core.mail.backends.locmem.EmailBackend"
# That of Python 3.8 and later.
PROTOCOL = 4


def plain():
    return mail.EmailMessage(
        "Plain", "Text.", "from@example.com", ["to@example.com"], headers={"X-Shop": "1"}
    )


def full():
    message = mail.EmailMultiAlternatives(
        "Gr\xfc\xdfe",
        "Text.",
        "\xc4nn <from@example.com>",
        ["to@example.com"],
        bcc=["bcc@example.com"],
        cc=["cc@example.com"],
        reply_to=["reply@example.com"],
        attachments=[("a.txt", "File.", "text/plain"), ("a.bin", b"\x00", "application/x-bin")],
    )
    message.attach_alternative("<p>Text.</p>", "text/html")
    return message


def with_image():
    message = mail.EmailMessage("Image", "Text.", "from@example.com", ["to@example.com"])
    message.attach(MIMEImage(b"\x89PNG\r\n\x1a\n", "png"))
    return message


def sent():
    """One that has been sent, and holds the backend that did."""
    mail.outbox = []
    message = plain()
    message.send()
    return message


MESSAGES = (plain, full, with_image, sent)


def main():
    settings.configure(EMAIL_BACKEND=LOCMEM, USE_TZ=True)
    django.setup()
    series = ".".join(map(str, django.VERSION[:2]))
    assert not hasattr(mail, "mailers"), "nothing is to be recorded with this Django"
    recorded = json.loads(FILE.read_text()) if FILE.exists() else {}
    recorded[series] = {
        make.__name__: base64.b64encode(pickle.dumps(make(), PROTOCOL)).decode()
        for make in MESSAGES
    }
    FILE.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
