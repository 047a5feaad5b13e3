"""django-anymail's APIs get no Message-ID and no Date of ours.

They would be custom headers, which some providers refuse: a provider makes both itself.
"""

from importlib import import_module
from unittest import mock

from anymail.backends.base import AnymailBaseBackend
from django.core.mail import EmailMessage, mailers
from django.test import override_settings

from django_mailers.delivery.identity import fix_identity, identity_of, renders_mime

from .cases import PackageTestCase

OPTIONS = {
    "brevo": {"api_key": "k"},
    "mailersend": {"api_token": "k"},
    "mailgun": {"api_key": "k"},
    "mailtrap": {"api_token": "k"},
    "postal": {"api_key": "k", "api_url": "https://postal.example.com/"},
    "postmark": {"server_token": "k"},
    "resend": {"api_key": "k"},
    "scaleway": {"secret_key": "k", "project_id": "p"},
    "sparkpost": {"api_key": "k"},
}


def custom_headers(backend, email):
    """What the payload has of either header, in whichever form."""
    payload = backend.build_message_payload(email, backend.send_defaults)
    data = str(payload.serialize_data() or payload.data).lower() + str(payload.data).lower()
    return [name for name in ("message-id", "'date'", "h:date", '"date"') if name in data]


class AnymailIdentityTests(PackageTestCase):
    def test_every_provider(self):
        for name, options in OPTIONS.items():
            path = f"anymail.backends.{name}"
            entries = {
                "it": {
                    "BACKEND": "tests.support.wrappers.TwiceBackend",
                    "OPTIONS": {"mailers": ["api"]},
                },
                "api": {"BACKEND": f"{path}.EmailBackend", "OPTIONS": options},
            }
            email = EmailMessage("S", "B", "ada@example.com", ["bob@example.com"])
            email.tags = ["invoice"]
            sent = []

            def send(backend, message, sent=sent):
                sent.append(message)
                return True

            with (
                self.subTest(name),
                override_settings(MAILERS=entries),
                mock.patch.object(AnymailBaseBackend, "_send", send),
            ):
                self.assertIs(renders_mime(import_module(path).EmailBackend), False)
                self.assertEqual(mailers["it"].send_messages([email]), 1)
                backend = mailers["api"]
                self.assertEqual(len(sent), 2)
                for one in sent:
                    self.assertEqual(custom_headers(backend, one), [])
                    self.assertEqual(one.tags, ["invoice"])
                    # They are beside the message, the same both times.
                    self.assertEqual([*identity_of(one)], ["Date", "Message-ID"])
                self.assertEqual(identity_of(sent[0]), identity_of(sent[1]))
                # As it would be otherwise.
                self.assertNotEqual(custom_headers(backend, fix_identity(email)), [])
