"""`AdminEmailHandler` as in Django 6.1: error reports choose their mailer by `using`."""

import logging
import logging.config
from contextlib import contextmanager
from unittest.mock import call, patch

import django
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import InvalidMailer
from django.test import Client, RequestFactory, SimpleTestCase, override_settings
from django.utils.log import AdminEmailHandler
from django.views.debug import ExceptionReporter

from .support.reports import ShortReporter, outbox
from .support.utils import DUMMY, LOCMEM, SMTP, ExactErrors, legacy_settings


def handler(handler_class=AdminEmailHandler, **kwargs):
    return handler_class(reporter_class="tests.support.reports.ShortReporter", **kwargs)


@contextmanager
def logger(*handlers):
    """A logger of nobody else's."""
    logger = logging.Logger("tests.log")
    for item in handlers:
        logger.addHandler(item)
    yield logger
    for item in handlers:
        item.close()


class ConstructionTests(ExactErrors, SimpleTestCase):
    def test_using(self):
        self.assertIsNone(AdminEmailHandler().using)
        self.assertEqual(AdminEmailHandler(using="bulk").using, "bulk")
        self.assertEqual(AdminEmailHandler(False, None, None, "bulk").using, "bulk")

    def test_unknown_alias_is_not_looked_up_yet(self):
        self.assertEqual(AdminEmailHandler(using="nowhere").using, "nowhere")

    def test_email_backend_with_using(self):
        text = "The 'email_backend' argument is not compatible with 'using'."
        with self.assertRaisesExactly(ImproperlyConfigured, text):
            AdminEmailHandler(email_backend=LOCMEM, using="bulk")
        with legacy_settings(), self.assertRaisesExactly(ImproperlyConfigured, text):
            AdminEmailHandler(email_backend=LOCMEM, using="bulk")

    def test_email_backend_under_mailers(self):
        for mailers in ({"default": {"BACKEND": LOCMEM}}, {}):
            with (
                self.subTest(MAILERS=mailers),
                override_settings(MAILERS=mailers),
                self.assertRaisesExactly(
                    ImproperlyConfigured,
                    "The 'email_backend' argument is not valid when settings.MAILERS is defined.",
                ),
            ):
                AdminEmailHandler(email_backend=LOCMEM)
        self.assertIsNone(AdminEmailHandler(email_backend=None).email_backend)

    @legacy_settings()
    def test_email_backend_without_mailers(self):
        self.assertEqual(AdminEmailHandler(email_backend=DUMMY).email_backend, DUMMY)

    def test_subclass_with_connection(self):
        """H20: 5.2 called it; to ignore it would send the reports another way, in silence."""

        class Method(AdminEmailHandler):
            def connection(self):
                raise AssertionError("called")

        class Attribute(AdminEmailHandler):
            connection = None

        self.assertFalse(hasattr(AdminEmailHandler, "connection"))
        for handler_class in (Method, Attribute):
            for settings in (override_settings(), legacy_settings()):
                with (
                    self.subTest(handler_class.__name__, settings=settings),
                    settings,
                    self.assertRaisesExactly(
                        AttributeError,
                        "The undocumented AdminEmailHandler.connection() method is no longer used.",
                    ),
                ):
                    handler_class()

    def test_unknown_argument(self):
        with self.assertRaisesExactly(
            TypeError, "AdminEmailHandler.__init__() got an unexpected keyword argument 'alias'"
        ):
            AdminEmailHandler(alias="bulk")


@override_settings(ADMINS=["admin@example.com", "other@example.com"])
class EmitTests(ExactErrors, SimpleTestCase):
    def test_using(self):
        with logger(handler(), handler(using="bulk"), handler(using="default")) as log:
            log.error("boom %d", 1)
        body = "boom 1\n\nno exception / boom 1 / no request / is_email=True"
        self.assertEqual(
            outbox(),
            [
                ("[Django] ERROR: boom 1", body, "default"),
                ("[Django] ERROR: boom 1", body, "bulk"),
                ("[Django] ERROR: boom 1", body, "default"),
            ],
        )
        for message in mail.outbox:
            self.assertEqual(message.to, ["admin@example.com", "other@example.com"])
            self.assertEqual(message.from_email, "root@localhost")
            self.assertEqual(message.alternatives, [])

    def test_request(self):
        requests = RequestFactory()
        with logger(handler(using="bulk")) as log:
            for settings, address in (
                ({}, "EXTERNAL"),
                ({"INTERNAL_IPS": ["127.0.0.1"]}, "internal"),
            ):
                mail.outbox.clear()
                with self.subTest(address), override_settings(**settings):
                    log.critical("boom", extra={"request": requests.get("/page/")})
                    self.assertEqual(
                        outbox(),
                        [
                            (
                                f"[Django] CRITICAL ({address} IP): boom",
                                "boom\n\nno exception / boom / /page/ / is_email=True",
                                "bulk",
                            )
                        ],
                    )

    def test_something_else_as_the_request(self):
        with logger(handler()) as log:
            log.error("boom", extra={"request": "no request"})
        self.assertEqual(
            outbox(),
            [
                (
                    "[Django] ERROR: boom",
                    "boom\n\nno exception / boom / no request / is_email=True",
                    "default",
                )
            ],
        )

    def test_exception(self):
        with logger(handler()) as log:
            try:
                raise ValueError("why")
            except ValueError:
                log.exception("boom")
        [(subject, body, alias)] = outbox()
        self.assertEqual((subject, alias), ("[Django] ERROR: boom", "default"))
        # The traceback is the reporter's: logging's own would be a second one.
        self.assertEqual(body, "boom\n\nValueError / why / no request / is_email=True")

    def test_formatter(self):
        formatted = handler()
        formatted.setFormatter(logging.Formatter("%(levelname)s!\n%(message)s"))
        with logger(formatted) as log:
            log.error("boom")
        self.assertEqual(
            outbox()[0][:2],
            (
                "[Django] ERROR: boom",
                "ERROR!\nboom\n\nno exception / boom / no request / is_email=True",
            ),
        )

    def test_line_breaks_in_the_subject_are_escaped(self):
        with logger(handler(using="bulk")) as log:
            log.error("one\r\ntwo\nBcc: victim@example.com")
        self.assertEqual(
            outbox()[0][:2],
            (
                "[Django] ERROR: one\\r\\ntwo\\nBcc: victim@example.com",
                "one\r\ntwo\nBcc: victim@example.com\n\n"
                "no exception / one\r\ntwo\nBcc: victim@example.com / no request / is_email=True",
            ),
        )

    def test_include_html(self):
        with logger(handler(using="bulk", include_html=True)) as log:
            log.error("boom")
        [message] = mail.outbox
        self.assertEqual(
            message.alternatives,
            [
                mail.EmailAlternative(
                    "<p>no exception / boom / no request / is_email=True</p>", "text/html"
                )
            ],
        )

    @override_settings(DEFAULT_EXCEPTION_REPORTER="tests.support.reports.ShortReporter")
    def test_default_reporter(self):
        self.assertIs(AdminEmailHandler().reporter_class, ShortReporter)
        named = AdminEmailHandler(reporter_class="django.views.debug.ExceptionReporter")
        self.assertIs(named.reporter_class, ExceptionReporter)

    def test_reporter_of_django(self):
        relay = {"OPTIONS": {"host": "192.0.2.1", "username": "user", "password": "secret"}}
        with (
            override_settings(MAILERS={"bulk": {"BACKEND": LOCMEM}, "relay": relay}),
            logger(AdminEmailHandler(include_html=True, using="bulk")) as log,
        ):
            try:
                raise ValueError("why")
            except ValueError:
                log.exception("boom")
        [message] = mail.outbox
        self.assertTrue(
            message.body.startswith(
                f"boom\n\nValueError\nwhy\n\nDjango Version: {django.__version__}\n"
            )
        )
        # The settings are in the report: what is hidden under MAILERS is not (H9), no secret is.
        options = {"host": "192.0.2.1", "username": "user", "password": "*" * 20}
        shown = {"bulk": {"BACKEND": LOCMEM}, "relay": {"OPTIONS": options}}
        self.assertEqual(
            [line for line in message.body.splitlines() if line.startswith(("EMAIL_", "MAILERS "))],
            [
                "EMAIL_SUBJECT_PREFIX = '[Django] '",
                "EMAIL_USE_LOCALTIME = False",
                f"MAILERS = {shown}",
            ],
        )
        [alternative] = message.alternatives
        self.assertEqual(alternative.mimetype, "text/html")
        self.assertTrue(alternative.content.startswith("<!DOCTYPE html>"))

    def test_no_admins(self):
        broken = {"default": {"BACKEND": "nowhere.EmailBackend"}}
        with override_settings(ADMINS=[], MAILERS=broken), logger(handler()) as log:
            log.error("boom")
        self.assertEqual(mail.outbox, [])

    def test_missing_mailer_is_passed_over(self):
        with logger(handler(using="nowhere"), handler(using="bulk")) as log:
            log.error("boom")
        self.assertEqual([alias for *_, alias in outbox()], ["bulk"])
        with override_settings(MAILERS={}), logger(handler(), handler(using="bulk")) as log:
            log.error("boom")
        self.assertEqual(len(mail.outbox), 1)

    def test_broken_mailer_is_not(self):
        with (
            override_settings(MAILERS={"default": {"BACKEND": SMTP}}),
            logger(handler()) as log,
            self.assertRaisesExactly(
                InvalidMailer, "MAILERS['default']: OPTIONS must define 'host'."
            ),
        ):
            log.error("boom")

    def test_failure_to_send_comes_out(self):
        """H35: there is no fail_silently any more."""
        with (
            patch(f"{LOCMEM}.send_messages", side_effect=OSError("no route")),
            logger(handler(using="bulk")) as log,
            self.assertRaisesExactly(OSError, "no route"),
        ):
            log.error("boom")

    def test_wrong_admins_come_out(self):
        with (
            override_settings(ADMINS="admin@example.com"),
            logger(handler()) as log,
            self.assertRaisesExactly(
                ImproperlyConfigured, "The ADMINS setting must be a list of email address strings."
            ),
        ):
            log.error("boom")

    def test_mail_admins_is_looked_up_when_it_is_needed(self):
        """H13"""
        with (
            patch("django.core.mail.mail_admins") as mail_admins,
            logger(handler(), handler(using="bulk", include_html=True)) as log,
        ):
            log.error("boom")
        body = "boom\n\nno exception / boom / no request / is_email=True"
        html = "<p>no exception / boom / no request / is_email=True</p>"
        self.assertEqual(
            mail_admins.call_args_list,
            [
                call("ERROR: boom", body, using=None, html_message=None),
                call("ERROR: boom", body, using="bulk", html_message=html),
            ],
        )


class OverriddenHooksTests(SimpleTestCase):
    def test_send_mail(self):
        """Without ADMINS too: the override may know other people."""
        calls = []

        class Handler(AdminEmailHandler):
            def send_mail(self, *args, **kwargs):
                calls.append((args, kwargs))

        with logger(handler(Handler), handler(Handler, include_html=True)) as log:
            log.error("boom")
        text = "no exception / boom / no request / is_email=True"
        args = ("ERROR: boom", f"boom\n\n{text}")
        self.assertEqual(
            calls, [(args, {"html_message": None}), (args, {"html_message": f"<p>{text}</p>"})]
        )

    @override_settings(ADMINS=["admin@example.com"])
    def test_send_mail_that_goes_on_to_super(self):
        class Handler(AdminEmailHandler):
            def send_mail(self, subject, message, *args, **kwargs):
                super().send_mail(f"[shop] {subject}", message, *args, **kwargs)

        with logger(handler(Handler, using="bulk")) as log:
            log.error("boom")
        self.assertEqual(
            [(subject, alias) for subject, _, alias in outbox()],
            [("[Django] [shop] ERROR: boom", "bulk")],
        )

    @override_settings(ADMINS=["admin@example.com"])
    def test_format_subject(self):
        class Handler(AdminEmailHandler):
            def format_subject(self, subject):
                return super().format_subject(subject)[:12] + "..."

        with logger(handler(Handler)) as log:
            log.error("one\ntwo three")
        self.assertEqual(mail.outbox[0].subject, "[Django] ERROR: one\\n...")

    @override_settings(ADMINS=["admin@example.com"])
    def test_emit(self):
        class Handler(AdminEmailHandler):
            def emit(self, record):
                record.msg = f"<{record.msg}>"
                super().emit(record)

        with logger(handler(Handler, using="bulk")) as log:
            log.error("boom")
        self.assertEqual(mail.outbox[0].subject, "[Django] ERROR: <boom>")


@override_settings(ADMINS=["admin@example.com"])
class WithoutMailersTests(SimpleTestCase):
    def send(self, **kwargs):
        with logger(handler(**kwargs)) as log:
            log.error("boom")
        return [(message.subject, message.sent_using) for message in mail.outbox]

    def test_settings_of_old(self):
        with legacy_settings(EMAIL_BACKEND=LOCMEM):
            self.assertEqual(self.send(), [("[Django] ERROR: boom", None)])

    def test_email_backend(self):
        with legacy_settings(EMAIL_BACKEND=DUMMY):
            self.assertEqual(self.send(), [])
            self.assertEqual(self.send(email_backend=LOCMEM), [("[Django] ERROR: boom", None)])

    def test_the_backend_is_asked_to_fail_silently(self):
        for kwargs in ({}, {"email_backend": DUMMY}):
            with legacy_settings(), patch("django.core.mail.get_connection") as get_connection:
                self.send(**kwargs)
            self.assertEqual(
                get_connection.call_args_list,
                [call(backend=kwargs.get("email_backend"), fail_silently=True)],
            )
            self.assertEqual(len(get_connection.return_value.send_messages.call_args_list), 1)


@override_settings(ADMINS=["admin@example.com"])
class LoggingTests(ExactErrors, SimpleTestCase):
    def configure(self, **kwargs):
        """A logger with the one handler, through the door that the setting LOGGING uses."""
        log = logging.getLogger(f"tests.{self._testMethodName}")
        self.addCleanup(log.handlers.clear)
        logging.config.dictConfig(
            {
                "version": 1,
                "disable_existing_loggers": False,
                "handlers": {
                    "mail": {
                        "class": "django.utils.log.AdminEmailHandler",
                        "reporter_class": "tests.support.reports.ShortReporter",
                        "level": "ERROR",
                        **kwargs,
                    }
                },
                "loggers": {log.name: {"handlers": ["mail"], "propagate": False}},
            }
        )
        return log

    def test_using(self):
        log = self.configure(using="bulk", include_html=True)
        log.warning("not this")
        log.error("boom")
        self.assertEqual(
            [(message.subject, message.sent_using) for message in mail.outbox],
            [("[Django] ERROR: boom", "bulk")],
        )
        self.assertEqual(len(mail.outbox[0].alternatives), 1)

    def test_conflict(self):
        with self.assertRaisesExactly(ValueError, "Unable to configure handler 'mail'") as caught:
            self.configure(using="bulk", email_backend=LOCMEM)
        self.assertEqual(
            str(caught.exception.__cause__),
            "The 'email_backend' argument is not compatible with 'using'.",
        )

    def test_handler_that_django_configured(self):
        """H4: on 5.2 and 6.0 it can be older than the install."""
        logging.getLogger("django.nothing").error("boom")
        self.assertEqual(
            [(message.subject, message.sent_using) for message in mail.outbox],
            [("[Django] ERROR: boom", "default")],
        )

    def test_view_that_fails(self):
        response = Client(raise_request_exception=False).get("/fail/")
        self.assertEqual(response.status_code, 500)
        [message] = mail.outbox
        self.assertEqual(
            (message.subject, message.sent_using),
            ("[Django] ERROR (EXTERNAL IP): Internal Server Error: /fail/", "default"),
        )
        self.assertTrue(message.body.startswith("Internal Server Error: /fail/\n\nValueError at"))
