"""Under Django's test environment every mailer is locmem, whoever sets it up and whenever (H29)."""

import unittest
from importlib.util import find_spec

import django
from django.conf import settings
from django.core import mail
from django.core.mail import mailers
from django.core.mail.backends import dummy, locmem
from django.test import SimpleTestCase, override_settings, tag
from django.test import runner as django_test_runner
from django.test import utils as django_test_utils

from . import settings as suite_settings
from .support.projects import MAILERS, MANAGE, ProjectMixin
from .support.utils import DUMMY, LOCMEM, ExactErrors

ALREADY_CALLED = (
    "setup_test_environment() was already called and can't be called again without first "
    "calling teardown_test_environment()."
)
IN_TESTS = {alias: {"BACKEND": LOCMEM} for alias in MAILERS}


class ThisSuiteTests(ExactErrors, SimpleTestCase):
    """Runs in the environment itself, in a parallel worker too."""

    def test_every_alias_is_locmem(self):
        self.assertEqual(
            settings.MAILERS, {alias: {"BACKEND": LOCMEM} for alias in suite_settings.MAILERS}
        )
        self.assertEqual({type(mailers[alias]) for alias in mailers}, {locmem.EmailBackend})

    def test_outbox(self):
        self.assertEqual(mail.outbox, [])
        mail.send_mail("s", "b", None, ["to@example.com"])
        mail.send_mail("s", "b", None, ["to@example.com"], using="bulk")
        self.assertEqual([message.sent_using for message in mail.outbox], ["default", "bulk"])

    test_outbox_is_empty_in_every_test = test_outbox

    def test_override_settings_wins(self):
        with override_settings(MAILERS={"other": {"BACKEND": DUMMY}}):
            self.assertEqual(list(mailers), ["other"])
            self.assertIs(type(mailers["other"]), dummy.EmailBackend)
        self.assertIs(type(mailers["default"]), locmem.EmailBackend)

    def test_cannot_be_set_up_twice(self):
        before = settings.MAILERS
        for setup in (
            django_test_utils.setup_test_environment,
            django_test_runner.setup_test_environment,
        ):
            with self.assertRaisesExactly(RuntimeError, ALREADY_CALLED):
                setup()
        self.assertIs(settings.MAILERS, before)


# What the scripts below begin with: the references come first of all, as test runners take them.
START = """
    import json

    from django.test.utils import setup_test_environment, teardown_test_environment

    import django
    from django.conf import settings
    from django.core import mail
    from django.test import override_settings


    def state():
        return {
            "mailers": getattr(settings, "MAILERS", None),
            "debug": settings.DEBUG,
            "hosts": settings.ALLOWED_HOSTS,
            "outbox": hasattr(mail, "outbox"),
        }


    def send(*aliases):
        for alias in aliases:
            mail.EmailMessage("s", "b", to=["to@example.com"]).send(using=alias)
        return [message.sent_using for message in mail.outbox]


"""
OUTSIDE = {"mailers": MAILERS, "debug": False, "hosts": [], "outbox": False}
INSIDE = {"mailers": IN_TESTS, "debug": False, "hosts": ["testserver"], "outbox": True}


@tag("slow")
class StartOrderTests(ProjectMixin, SimpleTestCase):
    """Processes of their own; this suite runs in the order "settings, install, setup"."""

    def test_before_django_setup(self):
        # The backport comes while the settings are read, or later, with the apps.
        for install in (True, False):
            with self.subTest(install=install):
                self.write_settings(install=install)
                states = self.script(
                    START,
                    """
                    setup_test_environment()
                    django.setup()
                    inside, sent = state(), send("bulk", None)
                    teardown_test_environment()
                    print(json.dumps([inside, sent, state()]))
                    """,
                )
                self.assertEqual(states, [INSIDE, ["bulk", "default"], OUTSIDE])

    def test_after_django_setup(self):
        self.write_settings()
        states = self.script(
            START,
            """
            django.setup()
            states = [state()]
            for debug in (None, True):
                setup_test_environment(debug=debug)
                try:
                    setup_test_environment()
                except RuntimeError as error:
                    states += [str(error)]
                states += [state(), send("default", "bulk")]
                teardown_test_environment()
                states += [state()]
            # Not the setting that the project starts with, but the one of the moment.
            for mailers in ({}, {"other": {"OPTIONS": {"host": "192.0.2.2"}}}):
                with override_settings(MAILERS=mailers):
                    setup_test_environment()
                    states += [state()["mailers"]]
                    teardown_test_environment()
                    states += [state()["mailers"]]
            print(json.dumps(states))
            """,
        )
        once = [ALREADY_CALLED, INSIDE, ["default", "bulk"], OUTSIDE]
        debug = [ALREADY_CALLED, INSIDE | {"debug": True}, ["default", "bulk"], OUTSIDE]
        other = {"OPTIONS": {"host": "192.0.2.2"}}
        overridden = [{}, {}, {"other": {"BACKEND": LOCMEM}}, {"other": other}]
        self.assertEqual(states, [OUTSIDE, *once, *debug, *overridden])

    def test_without_mailers(self):
        self.write_settings(MAILERS=None, EMAIL_BACKEND=DUMMY)
        for order in (
            "setup_test_environment(); django.setup()",
            "django.setup(); setup_test_environment()",
        ):
            with self.subTest(order):
                states = self.script(
                    # 6.1 deprecates EMAIL_BACKEND.
                    "import warnings; warnings.simplefilter('ignore')\n",
                    START,
                    order,
                    """
                    states = [state(), settings.EMAIL_BACKEND, send(None, "default")]
                    teardown_test_environment()
                    states += [state(), settings.EMAIL_BACKEND]
                    print(json.dumps(states))
                    """,
                )
                inside, outside = INSIDE | {"mailers": None}, OUTSIDE | {"mailers": None}
                self.assertEqual(states, [inside, LOCMEM, [None, None], outside, DUMMY])


# The tests of the project: two classes, so that two processes have something to do.
TESTS = """
    from django.core import mail
    from django.test import SimpleTestCase, override_settings


    class FirstTests(SimpleTestCase):
        def test_outbox(self):
            self.assertEqual(mail.outbox, [])
            mail.send_mail("one", "body", None, ["to@example.com"])
            mail.send_mail("two", "body", None, ["to@example.com"], using="bulk")
            self.assertEqual(
                [(message.subject, message.sent_using) for message in mail.outbox],
                [("one", "default"), ("two", "bulk")],
            )

        test_outbox_again = test_outbox

        def test_override_wins(self):
            dummy = {"BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
            with override_settings(MAILERS={"other": dummy}):
                mail.send_mail("one", "body", None, ["to@example.com"], using="other")
                with self.assertRaises(mail.MailerDoesNotExist):
                    mail.send_mail("two", "body", None, ["to@example.com"])
            self.test_outbox()


    LOCMEM = {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}


    @override_settings(MAILERS={"mine": LOCMEM})
    class SecondTests(SimpleTestCase):
        def test_override_of_a_class_wins(self):
            self.assertEqual(list(mail.mailers), ["mine"])
            mail.send_mail("one", "body", None, ["to@example.com"], using="mine")
            self.assertEqual([message.sent_using for message in mail.outbox], ["mine"])
"""
RUNNERS = """
    import unittest

    from django.conf import settings
    from django.test.runner import DiscoverRunner
    from django.test.utils import setup_test_environment, teardown_test_environment


    class Extended(DiscoverRunner):
        def setup_test_environment(self, **kwargs):
            super().setup_test_environment(**kwargs)
            print("in tests:", settings.MAILERS)

        def teardown_test_environment(self, **kwargs):
            super().teardown_test_environment(**kwargs)
            print("processes:", self.parallel)
            print("after tests:", settings.MAILERS)


    class Own:
        # Nothing of Django but the two functions.

        def __init__(self, **options):
            pass

        def run_tests(self, labels):
            setup_test_environment()
            print("in tests:", settings.MAILERS)
            suite = unittest.defaultTestLoader.loadTestsFromName("test_project")
            result = unittest.TextTestRunner().run(suite)
            teardown_test_environment()
            print("after tests:", settings.MAILERS)
            return not result.wasSuccessful()
"""


class RunnerTests(ProjectMixin, SimpleTestCase):
    """A TEST_RUNNER of the user's own keeps working."""

    def assertPasses(self, runner, *arguments, manage=(MANAGE,), lines=()):
        self.write_settings(TEST_RUNNER=f"runners.{runner}")
        self.write("manage.py", *manage)
        self.write("test_project.py", TESTS)
        self.write("runners.py", RUNNERS)
        output = self.command("manage.py", "test", *arguments)
        self.assertIn("\nRan 4 tests in ", output)
        said = ("in tests", "OK", "processes", "after tests")
        self.assertCountEqual(
            [line for line in output.splitlines() if line.startswith(said)],
            [f"in tests: {IN_TESTS}", "OK", *lines, f"after tests: {MAILERS}"],
        )

    def assertPassesInParallel(self, method=None):
        start = f"""
            import multiprocessing

            if __name__ == "__main__":
                multiprocessing.set_start_method({method!r})
        """
        manage = (start, MANAGE) if method else (MANAGE,)
        self.assertPasses("Extended", "--parallel", "2", manage=manage, lines=["processes: 2"])

    @tag("slow")
    def test_subclass_in_parallel(self):
        # With forkserver, Python's default from 3.14 on, Django 5.2 sets nothing up in them.
        self.assertPassesInParallel("fork" if django.VERSION < (6, 0) else None)

    @tag("slow")
    def test_subclass_in_spawned_processes(self):
        """They inherit nothing: each of them sets up its own test environment."""
        self.assertPassesInParallel("spawn")

    @tag("slow")
    def test_runner_of_its_own(self):
        self.assertPasses("Own")


@tag("slow")
@unittest.skipUnless(find_spec("pytest_django"), "pytest-django is not installed")
class PytestTests(ProjectMixin, SimpleTestCase):
    """pytest-django's mailoutbox, with no configuration besides the settings."""

    def test_mailoutbox(self):
        self.write_settings()
        self.write(
            "test_project.py",
            TESTS,
            """

            def send(*aliases):
                for alias in aliases:
                    mail.EmailMessage("s", "b", to=["to@example.com"]).send(using=alias)
                return [message.sent_using for message in mail.outbox]


            def test_mailoutbox(mailoutbox):
                assert send(None, "bulk") == ["default", "bulk"]
                assert mailoutbox is mail.outbox


            test_mailoutbox_again = test_mailoutbox


            def test_without_a_fixture():
                assert send("bulk") == ["bulk"]


            def test_settings_fixture(settings, mailoutbox):
                settings.MAILERS = {"mine": LOCMEM}
                assert send("mine") == ["mine"]


            def test_settings_fixture_is_undone(mailoutbox):
                assert send("bulk", "default") == ["bulk", "default"]


            def test_dns_name(mailoutbox):
                # H13: the plugin replaces django.core.mail.message.DNS_NAME.
                send("bulk")
                message_id = mailoutbox[0].message()["Message-ID"]
                assert message_id.endswith("@fake-tests.example.com>")
            """,
        )
        output = self.command("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_project.py")
        self.assertRegex(output, r"^\.{10} +\[100%\]\n10 passed in [0-9.]+s\n$")
