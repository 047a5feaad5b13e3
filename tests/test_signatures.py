"""The names of Django's mail API and their signatures: the ones of 6.1, on every Django."""

import json
import pickle
import smtplib
import ssl
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from importlib import import_module

import django
from django.core import mail
from django.core.mail import message
from django.core.mail.backends import base, filebased, locmem, smtp
from django.test import SimpleTestCase
from django.utils import deprecation

import django_mailers

from .record_signatures import DATA, LEGACY, PUBLIC, describe_django
from .support.utils import ignore_deprecations


class SignatureTests(SimpleTestCase):
    maxDiff = None

    def test_names_and_signatures(self):
        recorded, found = json.loads(DATA.read_text()), describe_django()
        for name in sorted(recorded.keys() | found.keys()):
            with self.subTest(name):
                self.assertEqual(
                    found.get(name, "missing"), recorded.get(name, "not in Django 6.1")
                )

    def test_everything_says_where_it_is_imported_from(self):
        """Tracebacks name it, and so do pickles, of a task that is to call send_mail() too."""
        for module_name in PUBLIC.keys() - {"django.core.mail.deprecation"}:
            module = import_module(module_name)
            for name in PUBLIC[module_name]:
                value = getattr(module, name)
                if hasattr(value, "__qualname__"):
                    with self.subTest(f"{module_name}.{name}"):
                        self.assertEqual(
                            f"{value.__module__}.{value.__qualname__}", f"{module_name}.{name}"
                        )

    def test_same_thing_under_each_of_its_names(self):
        for name in ("EmailAlternative", "EmailAttachment", "EmailMessage"):
            self.assertIs(getattr(mail, name), getattr(message, name))
        self.assertIs(mail.EmailMultiAlternatives, message.EmailMultiAlternatives)
        self.assertIs(mail.DNS_NAME, message.DNS_NAME)
        self.assertIs(mail.DNS_NAME, smtp.DNS_NAME)

    def test_pickles(self):
        for value in (
            mail.EmailMessage,
            mail.EmailMultiAlternatives,
            mail.InvalidMailer,
            mail.MailerDoesNotExist,
            mail.send_mail,
            locmem.EmailBackend,
        ):
            with self.subTest(value=value):
                self.assertIs(pickle.loads(pickle.dumps(value)), value)
        error = pickle.loads(pickle.dumps(mail.InvalidMailer("Out of stamps.", alias="x")))
        self.assertIs(type(error), mail.InvalidMailer)
        self.assertEqual(error.args, ("MAILERS['x']: Out of stamps.",))

    def test_names_that_doubles_replace(self):
        """H13"""
        self.assertIs(smtp.smtplib, smtplib)
        self.assertIs(smtp.ssl, ssl)
        self.assertIs(locmem.mail, mail)
        self.assertIs(smtp.BaseEmailBackend, base.BaseEmailBackend)
        self.assertTrue(hasattr(filebased, "os"))


class DetectionTests(SimpleTestCase):
    """All the ways in which packages ask whether MAILERS is there answer the same (H1, H2)."""

    def test_names(self):
        for name in ("mailers", "InvalidMailer", "MailerDoesNotExist", "DEFAULT_MAILER_ALIAS"):
            with self.subTest(name):
                self.assertTrue(hasattr(mail, name))

    def test_modules(self):
        exceptions = import_module("django.core.mail.exceptions")
        handler = import_module("django.core.mail.handler")
        old = import_module("django.core.mail.deprecation")
        self.assertIs(mail.exceptions, exceptions)
        self.assertIs(mail.handler, handler)
        self.assertIs(mail.deprecation, old)
        self.assertIs(mail.InvalidMailer, exceptions.InvalidMailer)
        self.assertIs(mail.MailerDoesNotExist, exceptions.MailerDoesNotExist)
        self.assertIs(mail.DEFAULT_MAILER_ALIAS, handler.DEFAULT_MAILER_ALIAS)
        self.assertIs(type(mail.mailers), handler.MailersHandler)

    def test_warning_category(self):
        names = ("RemovedInDjango2028Warning", "RemovedInDjango70Warning")
        found = [getattr(deprecation, name) for name in names if hasattr(deprecation, name)]
        # The release of 2028 was called 7.0 when 6.1 and 6.1.1 were made.
        only_one = (6, 1) <= django.VERSION < (6, 1, 2)
        self.assertEqual(
            found, [django_mailers.RemovedInDjango2028Warning] * (1 if only_one else 2)
        )
        self.assertTrue(issubclass(found[0], PendingDeprecationWarning))

    def test_what_is_unknown_stays_unknown(self):
        self.assertFalse(hasattr(mail, "mailer"))
        with self.assertRaises(AttributeError) as caught:
            _ = mail.mailer
        self.assertEqual(
            caught.exception.args, ("module 'django.core.mail' has no attribute 'mailer'",)
        )


@ignore_deprecations()
class LegacyNamesTests(SimpleTestCase):
    """Deprecated since 6.0; code of today still imports them."""

    def test_importable(self):
        for name in sorted(LEGACY):
            with self.subTest(name):
                self.assertTrue(hasattr(message, name))

    def test_from_the_package(self):
        from django.core.mail import (
            BadHeaderError,
            SafeMIMEMultipart,
            SafeMIMEText,
            forbid_multi_line_headers,
        )

        self.assertTrue(issubclass(BadHeaderError, ValueError))
        self.assertTrue(issubclass(SafeMIMEText, MIMEText))
        self.assertTrue(issubclass(SafeMIMEMultipart, MIMEMultipart))
        self.assertIs(SafeMIMEText, message.SafeMIMEText)
        self.assertEqual(forbid_multi_line_headers("Subject", "text", "utf-8"), ("Subject", "text"))
        with self.assertRaises(BadHeaderError):
            forbid_multi_line_headers("Subject", "two\nlines", "utf-8")

    def test_star_import(self):
        namespace = {}
        exec("from django.core.mail import *", namespace)
        self.assertEqual(set(mail.__all__) - namespace.keys(), set())
        self.assertIs(namespace["mailers"], mail.mailers)

    def test_bad_header_error_catches_what_message_raises(self):
        for headers in (
            {"X-Test": "two\nlines"},
            {"Reply-To": "a@example.com\nBcc: b@example.com"},
        ):
            with self.subTest(**headers), self.assertRaises(message.BadHeaderError):
                mail.EmailMessage("s", "b", to=["to@example.com"], headers=headers).message()

    def test_safe_mime_parts_are_attachments_still(self):
        part = message.SafeMIMEText("text", "plain", "utf-8")
        self.assertIsInstance(part, MIMEBase)
        built = mail.EmailMessage("s", "b", to=["to@example.com"], attachments=[part]).message()
        self.assertIs(built.get_payload()[1], part)
