"""Settings objects that somebody makes by hand, copies of Django's defaults, and names of 6.1 and
6.0 that are published."""

from unittest import skipIf, skipUnless

import django
from django.conf import global_settings
from django.test import SimpleTestCase, tag

from django_mailers import emailsettings

from .support.processes import ProcessTestCase, run_python
from .support.utils import NATIVE

# A project that is set up, and the warnings of what it does then.
RECORD = """
import os, warnings
from django_mailers import RemovedInDjango2028Warning
from django.conf import LazySettings, Settings, UserSettingsHolder
def warned(function):
    '''The texts of the deprecations that `function` causes, each at a line of this script.'''
    with warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("always")
        function()
    assert all(w.filename == "<string>" for w in recorded), [w.filename for w in recorded]
    assert {w.category for w in recorded} <= {RemovedInDjango2028Warning}
    return sorted({str(w.message) for w in recorded})
def deprecated(*names):
    return [
        f"The {name} setting is deprecated. Migrate to MAILERS before Django 2028."
        for name in names
    ]
def raises(error, text, function):
    try:
        function()
    except error as caught:
        assert str(caught) == text, caught
    else:
        raise AssertionError("no error")
CONFLICT = "Deprecated email settings are not allowed when MAILERS is defined: EMAIL_HOST."
"""


class HandMadeTests(ProcessTestCase):
    """`LazySettings()` and `Settings()` warn and hide as in 6.1, whoever makes them."""

    def run_in_project(self, source, **modules):
        self.assertRuns(
            "configure()\n" + RECORD + self.dedent(source), folder=self.project(**modules)
        )

    @staticmethod
    def dedent(source):
        import textwrap

        return textwrap.dedent(source)

    def test_configured(self):
        self.run_in_project(
            """
            own = LazySettings()
            assert warned(lambda: own.configure(EMAIL_HOST="h", DEBUG=True)) == deprecated(
                "EMAIL_HOST"
            )
            assert warned(lambda: own.EMAIL_HOST) == deprecated("EMAIL_HOST")
            assert warned(lambda: own.EMAIL_PORT) == deprecated("EMAIL_PORT")
            assert warned(lambda: own.EMAIL_PORT) == []  # as it is cached
            assert (own.EMAIL_HOST, own.EMAIL_PORT) == ("h", 25)
            own.MAILERS = {}
            for _ in range(2):
                for name in ("EMAIL_HOST", "EMAIL_PORT"):
                    text = f"The {name} setting is not available when MAILERS is defined."
                    raises(AttributeError, text, lambda: getattr(own, name))
            assert not hasattr(settings, "EMAIL_HOST")
            """
        )

    def test_conflict_in_configure(self):
        self.run_in_project(
            """
            from django.core.exceptions import ImproperlyConfigured
            raises(ImproperlyConfigured, CONFLICT, lambda: LazySettings().configure(
                EMAIL_HOST="h", MAILERS={}, MAILERS_BRIDGE=False
            ))
            """
        )

    def test_of_a_module(self):
        self.run_in_project(
            """
            own = LazySettings()
            os.environ["DJANGO_SETTINGS_MODULE"] = "other"
            assert warned(lambda: own.DEBUG) == deprecated("EMAIL_HOST", "EMAIL_PORT")
            assert warned(lambda: own.EMAIL_HOST) == deprecated("EMAIL_HOST")
            assert warned(lambda: own.EMAIL_PORT) == deprecated("EMAIL_PORT")
            assert (own.EMAIL_HOST, own.EMAIL_PORT) == ("h", 26)
            own.MAILERS = {}
            assert not hasattr(own, "EMAIL_HOST") and not hasattr(own, "EMAIL_PORT")
            assert warned(lambda: Settings("other")) == deprecated("EMAIL_HOST", "EMAIL_PORT")
            """,
            other="EMAIL_HOST = 'h'\nEMAIL_PORT = 26\n",
        )

    def test_of_a_module_with_both(self):
        self.run_in_project(
            """
            from django.core.exceptions import ImproperlyConfigured
            raises(ImproperlyConfigured, CONFLICT, lambda: Settings("both"))
            """,
            both="EMAIL_HOST = 'h'\nMAILERS = {}\nMAILERS_BRIDGE = False\n",
        )

    def test_what_is_cached_beside_mailers(self):
        """The second look at a setting must not find what the first one has cached."""
        self.run_in_project(
            """
            own = LazySettings()
            own.configure(MAILERS={})
            for _ in range(3):
                assert not hasattr(own, "EMAIL_HOST")
            assert "EMAIL_HOST" not in dir(own)
            """
        )

    def test_projects_own_are_told_once(self):
        """When the app is loaded, or by Django 6.1 when they are, and not both."""
        self.assertRuns(
            """
            import warnings
            with warnings.catch_warnings(record=True) as recorded:
                warnings.simplefilter("always")
                import django_mailers
                django_mailers.install()
                from django.conf import LazySettings
                LazySettings().configure(EMAIL_HOST="other")
                recorded.clear()
                import django
                django.setup()
            texts = [str(warning.message) for warning in recorded]
            assert texts == [
                "The EMAIL_HOST setting is deprecated. Migrate to MAILERS before Django 2028."
            ], texts
            """,
            folder=self.project(
                project="INSTALLED_APPS = ['django_mailers']\nEMAIL_HOST = 'h'\nUSE_TZ = True\n"
            ),
            settings_module="project",
        )


COPY = """
from django.conf import global_settings
for name in dir(global_settings):
    if name.isupper():
        globals()[name] = getattr(global_settings, name)
INSTALLED_APPS = ["django_mailers"]
SECRET_KEY = "x"
USE_TZ = True
"""


class CopiedDefaultsTests(ProcessTestCase):
    """django-configurations gives a project's settings module all of Django's global settings."""

    CHECK = """
    import warnings
    with warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("always")
        import django
        django.setup()
        from django.core import checks
        found = [message.id for message in checks.run_checks(tags=["mail"])]
    texts = [str(w.message) for w in recorded if "EMAIL_" in str(w.message)]
    print(texts, found)
    """

    def found(self, *lines):
        module = "\n".join([COPY, *lines])
        return self.assertRuns(
            self.CHECK, folder=self.project(project=module), settings_module="project"
        ).strip()

    @skipIf(NATIVE, "6.1 takes them for the project's own, and refuses them")
    def test_beside_mailers(self):
        mailers = "MAILERS = {'default': {'OPTIONS': {'host': 'h'}}}"
        for bridge in (False, True):
            with self.subTest(bridge=bridge):
                self.assertEqual(self.found(mailers, f"MAILERS_BRIDGE = {bridge}"), "[] []")

    @skipIf(NATIVE, "6.1 takes them for the project's own, and refuses them")
    def test_what_differs_is_the_projects(self):
        mailers = "MAILERS = {'default': {'OPTIONS': {'host': 'h'}}}"
        text = (
            "The EMAIL_HOST setting has no effect when MAILERS is defined. Remove it from the "
            "settings."
        )
        self.assertEqual(self.found(mailers, "EMAIL_HOST = 'old'"), f"[{text!r}] ['mailers.W008']")

    @skipIf(NATIVE, "6.1 takes them for the project's own")
    def test_without_mailers(self):
        self.assertEqual(self.found(), "[] []")
        text = "The EMAIL_HOST setting is deprecated. Migrate to MAILERS before Django 2028."
        self.assertEqual(self.found("EMAIL_HOST = 'old'"), f"[{text!r}] []")


class DefinedTests(SimpleTestCase):
    def test_single_default_is_the_projects(self):
        """Django 6.1 refuses it beside MAILERS, whatever its value."""
        values = {"EMAIL_PORT": 25, "MAILERS": {}, "DEBUG": True}
        self.assertEqual(emailsettings.defined_among(values), {"EMAIL_PORT", "MAILERS"})

    @skipUnless(hasattr(global_settings, "EMAIL_HOST"), "Django has no EMAIL_* settings any more")
    def test_all_email_settings_are_the_projects(self):
        names = emailsettings.EMAIL_SETTINGS - {"EMAIL_FILE_PATH"}
        values = {name: getattr(global_settings, name) for name in names}
        self.assertEqual(emailsettings.defined_among(values), names)

    @skipUnless(hasattr(global_settings, "EMAIL_HOST"), "Django has no EMAIL_* settings any more")
    def test_copy(self):
        values = {name: getattr(global_settings, name) for name in dir(global_settings)}
        self.assertEqual(emailsettings.defined_among(values), set())
        values |= {"EMAIL_HOST": "h", "EMAIL_FILE_PATH": "/tmp/mail"}
        self.assertEqual(emailsettings.defined_among(values), {"EMAIL_HOST", "EMAIL_FILE_PATH"})


class PublishedTests(ProcessTestCase):
    def test_checks(self):
        """`django.core.checks.mail` of 6.1, which others import to call."""
        self.assertRuns(
            """
            import django_mailers
            django_mailers.install()
            from django.core.checks.mail import (
                NON_PRODUCTION_EMAIL_BACKENDS,
                check_mailers_default_alias,
                check_mailers_production_backend,
            )
            from django.core import checks
            assert checks.mail.check_mailers_default_alias is check_mailers_default_alias
            assert len(NON_PRODUCTION_EMAIL_BACKENDS) == 4
            configure(MAILERS={})
            [warning] = check_mailers_default_alias(None)
            assert warning.id == "mail.W001"
            assert check_mailers_production_backend(None) == []
            dummy = "django.core.mail.backends.dummy.EmailBackend"
            settings.MAILERS = {"default": {"BACKEND": dummy}}
            [error] = check_mailers_production_backend(None)
            assert error.id == "mail.E001"
            # Registered once.
            found = checks.run_checks(tags=["mail"], include_deployment_checks=True)
            assert [message.id for message in found] == ["mail.E001"], found
            """
        )

    @skipIf(NATIVE, "it is Django's own")
    def test_checks_are_not_imported_for_it(self):
        self.assertRuns(
            """
            import sys
            import django_mailers
            django_mailers.install()
            assert "django.core.checks" not in sys.modules
            assert not settings.configured
            """
        )

    LEGACY = ("BadHeaderError", "SafeMIMEMultipart", "SafeMIMEText")

    @tag("slow")
    def test_legacy_names_warn_at_the_import(self):
        for name in self.LEGACY:
            with self.subTest(name=name):
                result = run_python(
                    f"""
                    import warnings
                    configure()
                    with warnings.catch_warnings(record=True) as recorded:
                        warnings.simplefilter("always")
                        from django.core.mail import EmailMessage, {name}
                    from django_mailers import RemovedInDjango2028Warning
                    assert {{w.category for w in recorded}} == {{RemovedInDjango2028Warning}}
                    print({{str(w.message).partition(" ")[0] for w in recorded}})
                    # From 6.0 on Django's own warning names the line in Django.
                    if {django.VERSION < (6, 0)}:
                        assert [w.filename for w in recorded] == ["<string>"], recorded
                    """
                )
                self.assertEqual((result.stderr, result.stdout), ("", f"{{{name!r}}}\n"))
