"""`django.core.mail.mailers`: from an alias to a backend instance."""

import copy

from django.conf import settings
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import InvalidMailer, MailerDoesNotExist, mailers
from django.core.mail.backends import console, dummy, locmem, smtp
from django.test import SimpleTestCase, override_settings

from .support.utils import (
    CONSOLE,
    DUMMY,
    LOCMEM,
    RECORDING,
    SMTP,
    ExactErrors,
    ignore_deprecations,
    legacy_settings,
)


class LookupTests(ExactErrors, SimpleTestCase):
    def test_every_access_builds_an_instance(self):
        first, second = mailers["bulk"], mailers["bulk"]
        self.assertIs(type(first), locmem.EmailBackend)
        self.assertIs(type(second), locmem.EmailBackend)
        self.assertIsNot(first, second)
        self.assertIsNot(mailers.default, mailers.default)

    def test_instances_know_their_alias(self):
        self.assertEqual(mailers["bulk"].alias, "bulk")
        self.assertEqual(mailers["default"].alias, "default")
        self.assertEqual(mailers.default.alias, "default")
        self.assertEqual(mailers.get("bulk").alias, "bulk")
        with ignore_deprecations():
            self.assertEqual(mail.get_connection().alias, "default")

    def test_contains(self):
        self.assertIn("default", mailers)
        self.assertIn("bulk", mailers)
        self.assertNotIn("nowhere", mailers)
        self.assertNotIn(None, mailers)

    @override_settings(MAILERS={"b": {}, "default": {}, "a": {}})
    def test_iterates_over_the_aliases_in_the_order_of_the_setting(self):
        self.assertEqual(list(mailers), ["b", "default", "a"])

    def test_contains_and_iteration_build_nothing(self):
        log = []
        entry = {"BACKEND": RECORDING, "OPTIONS": {"log": log}}
        with override_settings(MAILERS={"default": entry, "broken": {"BACKEND": "no.such"}}):
            self.assertIn("default", mailers)
            self.assertIn("broken", mailers)
            self.assertEqual(list(mailers), ["default", "broken"])
            self.assertEqual(log, [])
            self.assertEqual(log, [mailers["default"]])

    def test_get(self):
        fallback = object()
        self.assertIs(type(mailers.get("bulk")), locmem.EmailBackend)
        self.assertIs(type(mailers.get("bulk", fallback)), locmem.EmailBackend)
        self.assertIsNone(mailers.get("nowhere"))
        self.assertIs(mailers.get("nowhere", fallback), fallback)
        self.assertIs(mailers.get("nowhere", default=fallback), fallback)

    @override_settings(MAILERS={"broken": {}})
    def test_get_does_not_hide_a_configuration_error(self):
        with self.assertRaisesExactly(
            InvalidMailer, "MAILERS['broken']: OPTIONS must define 'host'."
        ):
            mailers.get("broken")

    def test_settings_are_read_at_each_access(self):
        held = mailers
        with override_settings(MAILERS={"default": {"BACKEND": DUMMY}, "more": {"BACKEND": DUMMY}}):
            self.assertIs(type(held.default), dummy.EmailBackend)
            self.assertEqual(list(held), ["default", "more"])
            with override_settings(MAILERS={"default": {"BACKEND": CONSOLE}}):
                self.assertIs(type(held.default), console.EmailBackend)
                self.assertNotIn("more", held)
            self.assertIs(type(held["more"]), dummy.EmailBackend)
        self.assertIs(type(held.default), locmem.EmailBackend)
        self.assertEqual(list(held), ["default", "bulk"])

    @ignore_deprecations()
    def test_settings_of_old_have_no_effect(self):
        """H31"""
        with override_settings(EMAIL_BACKEND=DUMMY, EMAIL_HOST="192.0.2.1"):
            self.assertIs(type(mailers.default), locmem.EmailBackend)
            self.assertIs(type(mail.get_connection()), locmem.EmailBackend)

    def test_changes_in_place_are_seen(self):
        with override_settings(MAILERS={}):
            settings.MAILERS["late"] = {"BACKEND": DUMMY}
            self.assertIs(type(mailers["late"]), dummy.EmailBackend)
            del settings.MAILERS["late"]
            self.assertNotIn("late", mailers)

    def test_settings_attribute_is_the_setting(self):
        self.assertIs(mailers.settings, settings.MAILERS)


class DoesNotExistTests(ExactErrors, SimpleTestCase):
    def test_text(self):
        for alias in ("nowhere", "", "Default", None, 0):
            with (
                self.subTest(alias=alias),
                self.assertRaisesExactly(
                    MailerDoesNotExist, f"The mailer '{alias}' is not configured."
                ),
            ):
                mailers[alias]

    def test_the_lookup_that_failed_inside_is_not_shown(self):
        with self.assertRaises(MailerDoesNotExist) as caught:
            mailers["nowhere"]
        self.assertIsNone(caught.exception.__cause__)
        self.assertTrue(caught.exception.__suppress_context__)

    def test_is_caught_as_any_of_its_bases(self):
        self.assertEqual(MailerDoesNotExist.__bases__, (InvalidMailer, KeyError))
        for error in (KeyError, LookupError, InvalidMailer, ImproperlyConfigured):
            with self.subTest(error=error), self.assertRaises(error):
                mailers["nowhere"]

    def test_can_be_built_from_an_alias_only(self):
        self.assertEqual(MailerDoesNotExist(alias="x").args, ("The mailer 'x' is not configured.",))
        with self.assertRaises(TypeError):
            MailerDoesNotExist("The mailer 'x' is not configured.")


class InvalidMailerTests(ExactErrors, SimpleTestCase):
    def assertInvalid(self, entry, text):
        with (
            override_settings(MAILERS={"broken": entry}),
            self.assertRaisesExactly(InvalidMailer, f"MAILERS['broken']: {text}") as caught,
        ):
            mailers["broken"]
        return caught.exception

    def test_is_improperly_configured_but_not_a_key_error(self):
        self.assertEqual(InvalidMailer.__bases__, (ImproperlyConfigured,))

    def test_names_the_alias_that_it_is_given(self):
        self.assertEqual(InvalidMailer("Out of stamps.").args, ("Out of stamps.",))
        self.assertEqual(
            InvalidMailer("Out of stamps.", alias="it's").args,
            ('MAILERS["it\'s"]: Out of stamps.',),
        )

    def test_backend_module_missing(self):
        error = self.assertInvalid(
            {"BACKEND": "nowhere.backends.EmailBackend"},
            "Could not find BACKEND 'nowhere.backends.EmailBackend': No module named 'nowhere'",
        )
        self.assertIsInstance(error.__cause__, ModuleNotFoundError)

    def test_backend_class_missing(self):
        error = self.assertInvalid(
            {"BACKEND": "django.core.mail.backends.console.Backend"},
            "Could not find BACKEND 'django.core.mail.backends.console.Backend': "
            'Module "django.core.mail.backends.console" does not define a "Backend" '
            "attribute/class",
        )
        self.assertIsInstance(error.__cause__, ImportError)

    def test_backend_is_no_path(self):
        self.assertInvalid(
            {"BACKEND": "console"},
            "Could not find BACKEND 'console': console doesn't look like a module path",
        )
        self.assertInvalid(
            {"BACKEND": ""}, "Could not find BACKEND '':  doesn't look like a module path"
        )

    def test_options_hold_alias(self):
        for value in ("other", "broken", None):
            with self.subTest(alias=value):
                self.assertInvalid(
                    {"BACKEND": DUMMY, "OPTIONS": {"alias": value}},
                    "OPTIONS must not define 'alias'.",
                )

    def test_alias_in_options_is_reported_before_a_missing_backend(self):
        self.assertInvalid(
            {"BACKEND": "nowhere", "OPTIONS": {"alias": "x"}}, "OPTIONS must not define 'alias'."
        )

    def test_unknown_options(self):
        for path in (SMTP, CONSOLE, DUMMY, LOCMEM):
            with self.subTest(backend=path):
                self.assertInvalid(
                    {"BACKEND": path, "OPTIONS": {"pool": 3, "hots": "127.0.0.1"}},
                    "Unknown options 'pool', 'hots'.",
                )

    def test_host_missing(self):
        self.assertInvalid({"BACKEND": SMTP}, "OPTIONS must define 'host'.")
        self.assertInvalid({"OPTIONS": {"port": 25}}, "OPTIONS must define 'host'.")
        self.assertInvalid({"OPTIONS": {"host": None}}, "OPTIONS must define 'host'.")

    def test_unknown_options_are_reported_before_a_missing_host(self):
        self.assertInvalid({"OPTIONS": {"hots": "127.0.0.1"}}, "Unknown options 'hots'.")

    def test_use_tls_with_use_ssl(self):
        self.assertInvalid(
            {"OPTIONS": {"host": "127.0.0.1", "use_tls": True, "use_ssl": True}},
            "The 'use_ssl' and 'use_tls' OPTIONS are incompatible. "
            "Set at most one of them to True.",
        )


class EntryTests(SimpleTestCase):
    @override_settings(MAILERS={"default": {"OPTIONS": {"host": "127.0.0.1"}}})
    def test_backend_omitted_is_smtp(self):
        self.assertIs(type(mailers.default), smtp.EmailBackend)
        self.assertEqual(mailers.default.host, "127.0.0.1")

    @override_settings(MAILERS={"default": {"BACKEND": DUMMY, "DEFAULTS": {}, "backend": SMTP}})
    def test_further_keys_of_an_entry_are_ignored(self):
        self.assertIs(type(mailers.default), dummy.EmailBackend)

    def test_options_arrive_as_keyword_arguments(self):
        log = []
        token = object()
        entry = {"BACKEND": RECORDING, "OPTIONS": {"log": log, "token": token, "fail_silently": 1}}
        with override_settings(MAILERS={"api": entry}):
            self.assertEqual(mailers["api"].options, {"token": token, "fail_silently": 1})
        self.assertIs(log[0].options["token"], token)

    @ignore_deprecations()
    def test_options_are_never_changed(self):
        MAILERS = {
            "default": {"OPTIONS": {"host": "127.0.0.1", "username": "who"}},
            "greedy": {
                "BACKEND": "tests.test_handler.GreedyBackend",
                "OPTIONS": {"api_key": "k", "region": "eu"},
            },
        }
        before = copy.deepcopy(MAILERS)
        with override_settings(MAILERS=MAILERS):
            self.assertEqual(mailers["greedy"].taken, {"api_key": "k", "region": "eu"})
            self.assertEqual(mailers["greedy"].taken, {"api_key": "k", "region": "eu"})
            self.assertEqual(mail.get_connection(username="other").username, "other")
            self.assertTrue(mail.get_connection(fail_silently=True).fail_silently)
            self.assertEqual(mailers.default.username, "who")
            self.assertFalse(mailers.default.fail_silently)
        self.assertEqual(MAILERS, before)


class GreedyBackend(dummy.EmailBackend):
    """Empties the dictionary that it gets its options in."""

    def __init__(self, *, alias=None, **options):
        self.taken = {name: options.pop(name) for name in list(options)}
        super().__init__(alias=alias, **options)


@override_settings(MAILERS={}, ADMINS=["admin@example.com"], MANAGERS=["manager@example.com"])
class MailDisabledTests(ExactErrors, SimpleTestCase):
    """MAILERS = {} is a project that sends no mail."""

    sends = {
        "send_mail": lambda using: mail.send_mail("s", "b", None, ["to@example.com"], **using),
        "send_mass_mail": lambda using: mail.send_mass_mail(
            [("s", "b", None, ["to@example.com"])], **using
        ),
        "mail_admins": lambda using: mail.mail_admins("s", "b", **using),
        "mail_managers": lambda using: mail.mail_managers("s", "b", **using),
        "EmailMessage.send": lambda using: mail.EmailMessage(to=["to@example.com"]).send(**using),
        "EmailMultiAlternatives.send": lambda using: mail.EmailMultiAlternatives(
            to=["to@example.com"]
        ).send(**using),
    }

    def test_every_way_to_send_raises(self):
        for name, send in self.sends.items():
            for using, alias in (({}, "default"), ({"using": "bulk"}, "bulk")):
                with (
                    self.subTest(name, **using),
                    self.assertRaisesExactly(
                        MailerDoesNotExist, f"The mailer '{alias}' is not configured."
                    ),
                ):
                    send(using)

    @ignore_deprecations()
    def test_fail_silently_does_not_hide_it(self):
        for name, send in self.sends.items():
            with (
                self.subTest(name),
                self.assertRaisesExactly(
                    MailerDoesNotExist, "The mailer 'default' is not configured."
                ),
            ):
                send({"fail_silently": True})

    def test_nothing_to_look_up(self):
        with self.assertRaises(MailerDoesNotExist):
            mailers["default"]
        with ignore_deprecations(), self.assertRaises(MailerDoesNotExist):
            mail.get_connection()
        self.assertIsNone(mailers.get("default"))
        self.assertEqual(list(mailers), [])
        self.assertNotIn("default", mailers)


class WithoutMailersTests(ExactErrors, SimpleTestCase):
    """A project that has no MAILERS yet: the EMAIL_* settings still make the default mailer."""

    @legacy_settings(EMAIL_BACKEND=LOCMEM)
    def test_default_is_built_from_email_backend(self):
        for backend in (mailers.default, mailers["default"], mailers.get("default")):
            self.assertIs(type(backend), locmem.EmailBackend)
            self.assertIsNone(backend.alias)
        self.assertIs(type(mail.get_connection()), locmem.EmailBackend)

    @legacy_settings(
        EMAIL_HOST="192.0.2.1",
        EMAIL_PORT=2525,
        EMAIL_HOST_USER="user",
        EMAIL_HOST_PASSWORD="secret",
        EMAIL_USE_TLS=True,
        EMAIL_TIMEOUT=3,
    )
    def test_default_backend_is_smtp(self):
        for backend in (mailers.default, mail.get_connection()):
            self.assertIs(type(backend), smtp.EmailBackend)
            self.assertEqual(
                (backend.host, backend.port, backend.username, backend.password),
                ("192.0.2.1", 2525, "user", "secret"),
            )
            self.assertEqual((backend.use_tls, backend.use_ssl, backend.timeout), (True, False, 3))

    @legacy_settings(EMAIL_BACKEND=LOCMEM)
    def test_no_alias_is_known(self):
        self.assertNotIn("default", mailers)
        self.assertEqual(list(mailers), [])
        self.assertEqual(mailers.settings, {})
        self.assertIsNone(mailers.get("bulk"))
        with self.assertRaisesExactly(MailerDoesNotExist, "The mailer 'bulk' is not configured."):
            mailers["bulk"]

    @legacy_settings(EMAIL_BACKEND=LOCMEM, ADMINS=["admin@example.com"])
    def test_sending(self):
        mail.send_mail("one", "b", None, ["to@example.com"])
        mail.send_mail("two", "b", None, ["to@example.com"], using="default")
        mail.send_mass_mail([("three", "b", None, ["to@example.com"])])
        mail.mail_admins("four", "b")
        mail.EmailMessage("five", to=["to@example.com"]).send()
        self.assertEqual(
            [(message.subject, message.sent_using) for message in mail.outbox],
            [
                ("one", None),
                ("two", None),
                ("three", None),
                ("[Django] four", None),
                ("five", None),
            ],
        )

    @legacy_settings(EMAIL_BACKEND=LOCMEM)
    def test_using_an_alias_that_cannot_be(self):
        with self.assertRaisesExactly(MailerDoesNotExist, "The mailer 'bulk' is not configured."):
            mail.send_mail("s", "b", None, ["to@example.com"], using="bulk")

    @legacy_settings()
    def test_get_connection_takes_a_path_and_options(self):
        self.assertIs(type(mail.get_connection(DUMMY)), dummy.EmailBackend)
        backend = mail.get_connection(SMTP, host="192.0.2.7", username="u", fail_silently=True)
        self.assertEqual(
            (backend.host, backend.port, backend.username, backend.fail_silently),
            ("192.0.2.7", 25, "u", True),
        )
        with self.assertRaisesExactly(ImportError, "nowhere doesn't look like a module path"):
            mail.get_connection("nowhere")

    @legacy_settings(EMAIL_BACKEND=RECORDING)
    def test_the_backend_is_given_what_the_caller_named_and_nothing_else(self):
        log = []
        mail.get_connection(log=log)
        mail.get_connection(log=log, fail_silently=True)
        mail.get_connection(log=log, username=None, token="t")
        self.assertEqual(
            [backend.options for backend in log],
            [{}, {"fail_silently": True}, {"username": None, "token": "t"}],
        )

    def test_coming_and_going_of_the_setting(self):
        with legacy_settings(EMAIL_BACKEND=DUMMY):
            self.assertIs(type(mailers.default), dummy.EmailBackend)
            with override_settings(MAILERS={"default": {"BACKEND": CONSOLE}}):
                self.assertIs(type(mailers.default), console.EmailBackend)
            self.assertIs(type(mailers.default), dummy.EmailBackend)
        self.assertIs(type(mailers.default), locmem.EmailBackend)
