"""The plugin for pytest, and the test kit in the ways in which projects run tests."""

import os
import subprocess
import sys
import unittest
from importlib.util import find_spec

import django
from django.test import SimpleTestCase, tag

from .support.processes import PLUGIN_IS_INSTALLED, REPOSITORY
from .support.processes import PYTEST_PLUGIN as PLUGIN
from .support.projects import MANAGE, ProjectMixin

KNOWN = [] if PLUGIN_IS_INSTALLED else ["-p", PLUGIN]

# Tests of every kind that a project may have: of Django's classes, coroutines, a live server.
TESTS = """
    from urllib.request import urlopen

    from django.conf import settings
    from django.core import mail
    from django.db import transaction
    from django.test import LiveServerTestCase, SimpleTestCase, TestCase

    from django_mailers import asend_mail, send_many
    from django_mailers.testing import MailersTestMixin, failing, override_mailers

    DUMMY = {"BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
    PATH = "django_mailers.backends.maildir.EmailBackend"


    def email(subject="Hello"):
        return mail.EmailMessage(subject, "Text", "ada@example.com", ["bob@example.com"])


    class SimpleTests(MailersTestMixin, SimpleTestCase):
        def test_sent(self):
            self.assertNoMail()
            email().send(using="bulk")
            self.assertMailSent(using="bulk", to="bob@example.com", subject="Hello")

        test_sent_again = test_sent

        def test_failing(self):
            with failing("bulk", at="end", code="timeout"):
                report = send_many([email()], using="bulk")
            assert report[0].status == "unknown"

        async def test_coroutine(self):
            async with self.captureMail() as sent:
                await asend_mail("Hello", "Text", "ada@example.com", ["bob@example.com"])
            assert len(sent) == 1

        def test_real(self):
            with override_mailers(real="default"):
                assert mail.mailers["default"].host == "192.0.2.1"


    @override_mailers(real="default", bulk=DUMMY)
    class ClassTests(MailersTestMixin, TestCase):
        @classmethod
        def setUpTestData(cls):
            cls.in_test_data = settings.MAILERS

        def test_override(self):
            assert settings.MAILERS == self.in_test_data
            assert settings.MAILERS["bulk"] == DUMMY
            assert mail.mailers["default"].host == "192.0.2.1"

        def test_on_commit(self):
            with override_mailers(bulk={"BACKEND": settings.LOCMEM}):
                with self.captureMail(on_commit=True) as sent:
                    transaction.on_commit(lambda: email("later").send(using="bulk"))
            assert [one.subject for one in sent] == ["later"]


    class LiveTests(MailersTestMixin, LiveServerTestCase):
        def test_mail_of_the_server(self):
            with self.captureMail() as sent:
                assert urlopen(f"{self.live_server_url}/send/").read() == b"sent"
            assert sent[0].sent_using == "bulk"
            self.assertMailSent(subject="From a view", using="bulk")
"""
FIXTURES = """

    def test_outbox(mailers_outbox):
        assert mailers_outbox == []
        email().send(using="bulk")
        assert [one.sent_using for one in mailers_outbox] == ["bulk"]


    test_outbox_again = test_outbox


    def test_outbox_with_that_of_pytest_django(mailers_outbox, mailoutbox):
        email().send()
        assert mailers_outbox == mailoutbox == mail.outbox


    def test_server(smtp_server, override_mailers):
        entry = {"BACKEND": "django_mailers.backends.smtp.EmailBackend"}
        override_mailers(bulk={**entry, "OPTIONS": smtp_server.mailer_options})
        email().send(using="bulk")
        assert smtp_server.messages[0].rcpt_tos == ["bob@example.com"]


    def test_override(override_mailers):
        assert override_mailers(real="default", other=DUMMY) is None
        override_mailers(bulk=DUMMY)
        assert [*settings.MAILERS] == ["default", "bulk", "other"]
        assert settings.MAILERS["default"] == {"OPTIONS": {"host": "192.0.2.1"}}


    def test_override_is_undone(mailers_outbox):
        locmem = {"BACKEND": settings.LOCMEM}
        assert settings.MAILERS == {"default": locmem, "bulk": locmem}


    def test_the_first_fixture_ends_last(settings, failing_mailer, override_mailers):
        override_mailers(real="default", other=DUMMY)
        failing_mailer("bulk")
        settings.ADMINS = ["x@example.com"]


    def test_the_first_fixture_ends_last_too(override_mailers, settings):
        settings.ADMINS = ["x@example.com"]
        override_mailers(real="default", other=DUMMY)


    def test_they_are_undone(mailers_outbox):
        locmem = {"BACKEND": settings.LOCMEM}
        assert settings.MAILERS == {"default": locmem, "bulk": locmem}
        assert settings.ADMINS == []


    def test_failing(failing_mailer, mailers_outbox):
        fault = failing_mailer("bulk", 550, times=1)
        report = send_many([email("1"), email("2")], using="bulk")
        assert [result.status for result in report] == ["refused", "sent"]
        assert (fault.tried, fault.struck) == (2, 1)
        assert [one.subject for one in mailers_outbox] == ["2"]


    @override_mailers(bulk=DUMMY)
    class TestPlain:
        def test_one(self, mailers_outbox):
            email().send(using="bulk")
            email().send()
            assert [one.sent_using for one in mailers_outbox] == ["default"]
"""
URLS = """
    from django.core.mail import send_mail
    from django.http import HttpResponse
    from django.urls import path


    def send(request):
        send_mail("From a view", "Text", None, ["bob@example.com"], using="bulk")
        return HttpResponse("sent")


    urlpatterns = [path("send/", send)]
"""
SETTINGS = {
    "ROOT_URLCONF": "urls",
    "ALLOWED_HOSTS": ["*"],
    "USE_TZ": True,
    "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    "LOCMEM": "django.core.mail.backends.locmem.EmailBackend",
    "INSTALLED_APPS": ["django_mailers", "django.contrib.staticfiles"],
    "STATIC_URL": "/static/",
}


class KitMixin(ProjectMixin):
    def setUp(self):
        super().setUp()
        self.write_settings(**SETTINGS)
        self.write("manage.py", MANAGE)
        self.write("urls.py", URLS)

    def pytest(self, *arguments, status=0, **environment):
        """The output of pytest, which knows of the plugin, and of no others but these."""
        process = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *KNOWN, *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(self.folder), str(REPOSITORY)]),
                "PYTHONWARNINGS": "error",
                "DJANGO_SETTINGS_MODULE": "settings",
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        self.assertEqual(process.returncode, status, process.stdout)
        return process.stdout


@tag("slow")
@unittest.skipUnless(find_spec("pytest_django"), "pytest-django is not installed")
class PytestTests(KitMixin, SimpleTestCase):
    def test_fixtures(self):
        self.write("test_project.py", TESTS, FIXTURES)
        self.assertRegex(self.pytest("test_project.py"), r"\n19 passed in [0-9.]+s\n$")

    @unittest.skipUnless(find_spec("xdist"), "pytest-xdist is not installed")
    def test_xdist(self):
        self.write("test_project.py", TESTS, FIXTURES)
        for mode in ("load", "loadfile"):
            output = self.pytest("-n", "2", "--dist", mode, "test_project.py")
            self.assertRegex(output, r"\n19 passed in [0-9.]+s\n$")

    def test_a_failure_shows_the_test(self):
        self.write(
            "test_project.py",
            """
            from django_mailers.testing import assertMailSent

            def test_one():
                assertMailSent(subject="Hello")
            """,
        )
        output = self.pytest("test_project.py", status=1)
        self.assertIn('>       assertMailSent(subject="Hello")', output)
        self.assertIn("E       AssertionError: Expected 1 message, and found 0, with:", output)
        self.assertNotIn("assertions.py", output)

    def test_a_runner_of_django_that_calls_pytest(self):
        """pytest-django's documentation has one. There this package is imported before pytest."""
        self.write(
            "runner.py",
            f"""
            import sys

            class Runner:
                def __init__(self, **kwargs):
                    pass

                def run_tests(self, labels, **kwargs):
                    import pytest

                    options = ["-q", "-W", "error", "-p", "no:cacheprovider", *{KNOWN!r}]
                    return pytest.main([*options, *labels])
            """,
        )
        self.write_settings(**SETTINGS, TEST_RUNNER="runner.Runner")
        self.write("test_project.py", TESTS, FIXTURES)
        self.assertRegex(self.command("manage.py", "test", "test_project.py"), r"\n19 passed in ")

    @unittest.skipUnless(PLUGIN_IS_INSTALLED, "pytest does not know the plugin by its entry point")
    def test_without_the_plugin(self):
        self.write("test_project.py", "def test_one(mailers_outbox):\n    pass\n")
        output = self.pytest("-p", "no:django_mailers", "test_project.py", status=1)
        self.assertIn("fixture 'mailers_outbox' not found", output)

    def test_no_name_of_another_plugin(self):
        """pytest-django's mailoutbox, smtpdfix's smtpd; and nothing is used without being asked."""
        self.write("test_project.py", "def test_one():\n    pass\n")
        output = self.pytest("--fixtures", "-v", "test_project.py")
        _, _, ours = output.partition(f"fixtures defined from {PLUGIN}")
        ours, _, _ = ours.partition("fixtures defined from")
        names = [line.split()[0] for line in ours.split("\n") if " -- " in line]
        self.assertEqual(
            names, ["mailers_outbox", "smtp_server", "override_mailers", "failing_mailer"]
        )
        setup = self.pytest("--setup-show", "test_project.py")
        self.assertEqual([name for name in names if name in setup], [])


@tag("slow")
@unittest.skipUnless(find_spec("pytest"), "pytest is not installed")
class WithoutPytestDjangoTests(KitMixin, SimpleTestCase):
    def pytest(self, *arguments, **options):
        return super().pytest("-p", "no:django", *arguments, **options)

    def test_a_project_without_django(self):
        """pytest imports the plugin, and the plugin nothing."""
        self.write(
            "test_project.py",
            """
            import sys

            def test_one():
                loaded = {name.partition(".")[0] for name in sys.modules}
                assert "django_mailers" in loaded
                assert loaded.isdisjoint({"django", "settings"})

            def test_server(smtp_server):
                assert smtp_server.port
                assert "django" not in sys.modules
            """,
        )
        self.assertIn("2 passed", self.pytest("test_project.py"))
        self.assertIn("2 passed", self.pytest("test_project.py", DJANGO_SETTINGS_MODULE="missing"))

    def test_fixtures(self):
        """With Django, but without a test environment: mail must not leave all the same."""
        self.write("conftest.py", "import django\n\n\ndjango.setup()\n")
        self.write(
            "test_project.py",
            """
            from django.conf import settings
            from django.core import mail

            def email():
                return mail.EmailMessage("Hello", "Text", None, ["bob@example.com"])

            def test_outbox(mailers_outbox):
                email().send(using="bulk")
                email().send()
                assert [one.sent_using for one in mailers_outbox] == ["bulk", "default"]

            test_outbox_again = test_outbox

            def test_failing(mailers_outbox, failing_mailer):
                failing_mailer("default", at="connect", code="refused", times=1)
                try:
                    email().send()
                except ConnectionRefusedError:
                    assert email().send() == 1
                assert len(mailers_outbox) == 1

            def test_it_is_undone():
                assert settings.MAILERS["default"] == {"OPTIONS": {"host": "192.0.2.1"}}
            """,
        )
        self.assertIn("4 passed", self.pytest("test_project.py"))


@tag("slow")
class RunnerTests(KitMixin, SimpleTestCase):
    """Django's own runner, in processes of every kind."""

    def run_tests(self, *arguments, method=None):
        start = f"""
            import multiprocessing

            if __name__ == "__main__":
                multiprocessing.set_start_method({method!r})
        """
        self.write("manage.py", *([start] if method else []), MANAGE)
        self.write("test_project.py", TESTS)
        return self.command("manage.py", "test", *arguments)

    def assertPasses(self, output):
        self.assertIn("\nRan 8 tests in ", output)
        self.assertRegex(output, r"\nOK\n")

    def test_one_process(self):
        self.assertPasses(self.run_tests())

    def test_fork(self):
        self.assertPasses(self.run_tests("--parallel", "2", method="fork"))

    def test_spawn(self):
        self.assertPasses(self.run_tests("--parallel", "2", method="spawn"))

    @unittest.skipIf(django.VERSION < (6, 0), "Django 5.2 has one process with forkserver")
    def test_forkserver(self):
        self.assertPasses(self.run_tests("--parallel", "2", method="forkserver"))


class EntryPointTests(SimpleTestCase):
    def test_pyproject(self):
        """pytest finds the plugin by it; the name is as pytest's documentation has it."""
        text = (REPOSITORY / "pyproject.toml").read_text()
        self.assertIn(f'[project.entry-points.pytest11]\ndjango_mailers = "{PLUGIN}"\n', text)
