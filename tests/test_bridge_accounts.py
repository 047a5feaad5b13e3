"""The bridge: which account old code sends through, and the hooks that it still calls."""

from .support.bridge import BridgeTestCase

ACCOUNTS = """
OURS = "django_mailers.backends.smtp.EmailBackend"
def entry(path, name):
    options = {"host": f"{name}.example.com", "username": name, "password": f"{name}-secret"}
    return {"BACKEND": path, "OPTIONS": options}
QUEUE = {"BACKEND": "queues.Queue"}
from django.core.mail.backends.base import BaseEmailBackend
class Queue(BaseEmailBackend):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
    def send_messages(self, messages):
        from django.core import mail
        delivery = mail.get_connection(SMTP)
        assert not isinstance(delivery, Queue)
        return delivery.alias, delivery.host, delivery.username
sys.modules["queues"] = sys.modules["__main__"]
"""


class AccountTests(BridgeTestCase):
    """Django's SMTP path means our SMTP backend as well."""

    def account(self, mailers, expected, path="SMTP"):
        self.on(
            self.dedent(ACCOUNTS)
            + self.dedent(
                f"""
                start(MAILERS={mailers})
                from django.core import mail
                backend = mail.get_connection({path})
                found = backend.alias, backend.host, backend.username, backend.password
                assert found == {expected!r}, found
                """
            )
        )

    def test_default_first(self):
        """Not the first with the very path, which is another account."""
        self.account(
            '{"other": entry(SMTP, "b"), "default": entry(OURS, "a")}',
            ("default", "a.example.com", "a", "a-secret"),
        )

    def test_behind_a_queue(self):
        self.account(
            '{"default": QUEUE, "real": entry(OURS, "a")}',
            ("real", "a.example.com", "a", "a-secret"),
        )

    def test_the_very_path_before_its_like(self):
        self.account(
            '{"default": QUEUE, "a": entry(OURS, "a"), "b": entry(SMTP, "b")}',
            ("b", "b.example.com", "b", "b-secret"),
        )

    def test_our_path_means_ours(self):
        self.account(
            '{"default": entry(SMTP, "b"), "a": entry(OURS, "a")}',
            ("a", "a.example.com", "a", "a-secret"),
            path="OURS",
        )

    def test_queue_that_delivers_by_path(self):
        self.on(
            self.dedent(ACCOUNTS)
            + self.dedent(
                """
                start(MAILERS={"default": QUEUE, "real": entry(OURS, "a")})
                from django.core import mail
                sent = mail.mailers["default"].send_messages([])
                assert sent == ("real", "a.example.com", "a"), sent
                """
            )
        )

    def test_build_mailer(self):
        """An old subclass reads the settings that it is made of, not those of an alias (H14)."""
        self.on(
            self.dedent(ACCOUNTS)
            + self.dedent(
                """
                from django.core.mail.backends.smtp import EmailBackend
                class Old(EmailBackend):
                    def __init__(self, host=None, port=None, username=None, password=None):
                        super().__init__(host, port, username, password)
                start(MAILERS={"default": entry(SMTP, "a"), "other": entry(SMTP, "b")})
                from django_mailers import build_mailer
                config = {"BACKEND": "queues.Old", "OPTIONS": {"host": "tenant.example.com"}}
                for alias in ("tenant", "default", "other"):
                    backend = build_mailer(config, alias)
                    found = backend.alias, backend.host, backend.username, backend.password
                    assert found == (alias, "tenant.example.com", "", ""), found
                """
            )
        )

    def test_in_tests(self):
        """Every mailer is locmem there, and what the path means is asked of the settings."""
        self.on(
            self.dedent(ACCOUNTS)
            + self.dedent(
                """
                start(MAILERS={"other": entry(SMTP, "b"), "default": entry(OURS, "a")})
                from django.core import mail
                from django.test.utils import setup_test_environment
                setup_test_environment()
                backend = mail.get_connection(SMTP)
                assert backend.alias == "default", backend.alias
                assert type(backend).__module__.endswith("locmem")
                """
            )
        )


class CalledHookTests(BridgeTestCase):
    """Hooks that old code calls, which Django does not have any more (H20)."""

    REPORTS = """
    import logging
    from django.core import mail
    from django.utils.log import AdminEmailHandler
    class Handler(AdminEmailHandler):
        def send_mail(self, subject, message, *args, **kwargs):
            mail.mail_admins(subject, message, *args, connection=self.connection(), **kwargs)
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "broken", (), None)
    """

    def test_handler(self):
        """The body of 5.2's own send_mail()."""
        self.on(
            self.dedent(self.REPORTS)
            + self.dedent(
                """
                start(
                    MAILERS={"default": {"BACKEND": LOCMEM}, "errors": {"BACKEND": LOCMEM}},
                    ADMINS=["admin@example.com"],
                )
                Handler().emit(record)
                Handler(using="errors").emit(record)
                Handler(email_backend=LOCMEM).emit(record)
                handler = Handler()
                handler.send_mail("s", "", fail_silently=True, html_message="<p>")
                assert [m.sent_using for m in mail.outbox] == [
                    "default", "errors", "default", "default"
                ]
                texts = lines()
                assert (
                    "__main__.Handler.connection() does not exist since Django 6.1. Use "
                    "mail_admins() with 'using'."
                ) in texts, texts
                """
            )
        )

    def test_handler_without_mailers(self):
        self.on(
            self.dedent(self.REPORTS)
            + self.dedent(
                """
                settings.configure(
                    EMAIL_BACKEND=LOCMEM, ADMINS=["admin@example.com"], MAILERS_BRIDGE=True,
                    INSTALLED_APPS=["django_mailers"], SECRET_KEY="x", USE_TZ=True,
                )
                import django
                django.setup()
                class Hooked(AdminEmailHandler):
                    calls = []
                    def connection(self):
                        self.calls.append(self)
                        return super().connection()
                Handler().emit(record)
                Hooked().emit(record)
                assert len(Hooked.calls) == 1 and len(mail.outbox) == 2
                """
            )
        )

    MESSAGE = """
    from django.core import mail
    from django.core.mail import EmailMessage
    class Hooked(EmailMessage):
        def get_connection(self, fail_silently=False):
            return super().get_connection(fail_silently)
    def message(cls=EmailMessage, **kwargs):
        return cls("s", "", None, ["a@example.com"], **kwargs)
    """

    def test_message(self):
        self.on(
            self.dedent(self.MESSAGE)
            + self.dedent(
                """
                start(MAILERS={"default": {"BACKEND": LOCMEM}, "memory": {"BACKEND": LOCMEM}})
                email = message()
                connection = email.get_connection()
                assert connection.alias == "default" and email.get_connection() is connection
                assert connection.send_messages([email]) == 1
                # As before 6.1, send() uses what the message has.
                connection.send_messages = lambda messages: 7
                assert email.send() == 7
                given = mail.mailers["memory"]
                assert message(connection=given).get_connection(True) is given
                assert message(Hooked).send() == 1
                assert message(mail.EmailMultiAlternatives).get_connection().alias == "default"
                texts = set(lines())
                assert (
                    "django.core.mail.message.EmailMessage.get_connection() does not exist since "
                    "Django 6.1. Use mailers[alias]."
                ) in texts, texts
                # Who only looks is not told, and Django does not see it.
                assert hasattr(EmailMessage, "get_connection") and hasattr(email, "get_connection")
                assert message().send() == 1
                assert not [t for t in lines() if "get_connection" in t]
                """
            )
        )

    def test_message_without_mailers(self):
        self.on(
            self.dedent(self.MESSAGE)
            + self.dedent(
                """
                settings.configure(
                    EMAIL_BACKEND=LOCMEM, MAILERS_BRIDGE=True, USE_TZ=True,
                    INSTALLED_APPS=["django_mailers"], SECRET_KEY="x",
                )
                import django
                django.setup()
                email = message()
                assert type(email.get_connection()).__module__.endswith("locmem")
                assert email.get_connection().send_messages([email]) == 1
                """
            )
        )

    def test_off(self):
        self.off(
            self.dedent(self.MESSAGE)
            + self.dedent(self.REPORTS)
            + self.dedent(
                """
                start(MAILERS={"default": {"BACKEND": LOCMEM}}, ADMINS=["admin@example.com"])
                assert not hasattr(message(), "get_connection")
                assert not hasattr(EmailMessage, "get_connection")
                raises(
                    AttributeError, "'Handler' object has no attribute 'connection'",
                    Handler().emit, record,
                )
                """
            )
        )

    def test_off_for_a_while(self):
        self.on(
            self.dedent(self.MESSAGE)
            + self.dedent(
                """
                start(MAILERS={"default": {"BACKEND": LOCMEM}})
                from django.test import override_settings
                with override_settings(MAILERS_BRIDGE=False):
                    raises(
                        AttributeError, "'EmailMessage' object has no attribute 'get_connection'",
                        lambda: message().get_connection(),
                    )
                """
            )
        )


class PairsTests(BridgeTestCase):
    """(name, address) pairs in ADMINS and MANAGERS."""

    def check(self, bridge):
        texts = [
            f"Using (name, address) pairs in the {name} setting is deprecated. Replace with a list "
            "of email address strings."
            for name in ("ADMINS", "MANAGERS")
        ]
        self.run_with(
            bridge,
            f"""
            def texts(): return [str(w.message) for w in recorded if "pairs" in str(w.message)]
            people = [("A", "a@example.com")]
            start(MAILERS={{"default": {{"BACKEND": LOCMEM}}}}, ADMINS=people, MANAGERS=people)
            from django.core import mail
            mail.mail_admins("s", "")
            mail.mail_managers("s", "", html_message="<p>")
            assert texts() == {texts!r}, texts()
            assert [m.to for m in mail.outbox] == [["a@example.com"]] * 2
            settings.ADMINS = ["a@example.com"]
            mail.mail_admins("s", "")
            mail.send_mail("s", "", None, ["a@example.com"])
            assert len(texts()) == 2
            """,
            early=False,
        )

    def test_on(self):
        self.check("True")

    def test_off(self):
        self.check("False")
