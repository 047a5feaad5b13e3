"""`backport/` can be deleted: on a Django with MAILERS of its own nothing needs it."""

import textwrap
from unittest import skipUnless

from django.test import tag

from django_mailers import polyfill

from .support.processes import ProcessTestCase

NATIVE = not polyfill.installed()

# As if the folder was not there.
WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "django_mailers.backport" or name.startswith("django_mailers.backport."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
try:
    import django_mailers.backport
except ModuleNotFoundError:
    pass
else:
    raise AssertionError("the test imports it")
import warnings
"""


@skipUnless(NATIVE, "below Django 6.1 the backport is what the app is about")
class WithoutBackportTests(ProcessTestCase):
    def without(self, source):
        return self.assertRuns(WITHOUT + textwrap.dedent(source))

    def test_public_names(self):
        printed = self.without(
            """
            import django_mailers
            django_mailers.install()
            django_mailers.install(bridge=True)
            configure()
            found = [name for name in django_mailers.__all__ if getattr(django_mailers, name)]
            assert found == django_mailers.__all__
            from django.utils.deprecation import RemovedInDjango2028Warning
            assert django_mailers.RemovedInDjango2028Warning is RemovedInDjango2028Warning
            print(len(found))
            """
        )
        self.assertGreater(int(printed), 10)

    @tag("slow")
    def test_all_other_modules(self):
        """None of them needs it, not even one that most projects never import."""
        printed = self.without(
            """
            import importlib, pkgutil
            configure()
            import django_mailers
            # They need packages that a project may not have.
            extras = {"cryptography", "dns", "django_tasks_db", "health_check", "libcst", "pytest"}
            count = 0
            for module in pkgutil.walk_packages(django_mailers.__path__, "django_mailers."):
                if module.name.endswith((".backport", ".__main__")):
                    continue
                try:
                    importlib.import_module(module.name)
                except ModuleNotFoundError as error:
                    assert (error.name or "").partition(".")[0] in extras, (module.name, error)
                count += 1
            print(count)
            """
        )
        self.assertGreater(int(printed), 150)

    def test_sends(self):
        self.without(
            """
            configure()
            from django.core import mail
            from django_mailers import send_many
            assert mail.send_mail("s", "", None, ["a@example.com"], using="b") == 1
            report = send_many([mail.EmailMessage("t", "", None, ["a@example.com"])], using="b")
            assert [result.status for result in report] == ["sent"]
            assert [m.sent_using for m in mail.outbox] == ["b", "b"]
            """
        )

    def test_bridge(self):
        self.without(
            """
            configure(MAILERS_BRIDGE=True, ADMINS=["admin@example.com"])
            from django.core import mail
            from django_mailers import RemovedInDjango2028Warning, bridge
            assert bridge.is_wanted()
            to = ["a@example.com"]
            locmem = "django.core.mail.backends.locmem.EmailBackend"
            with warnings.catch_warnings(record=True) as recorded:
                warnings.simplefilter("always")
                connection = mail.get_connection(locmem, fail_silently=True)
                mail.send_mail("1", "", None, to, True, connection=connection)
                mail.EmailMessage("2", "", None, to).send()
                mail.mail_admins("3", "", using="b")
                assert settings.EMAIL_BACKEND == locmem
                assert mail.EmailMessage("4", "", None, to).get_connection().alias == "default"
            assert [m.subject for m in mail.outbox] == ["1", "2", "[Django] 3"]
            assert {w.category for w in recorded} == {RemovedInDjango2028Warning}
            assert {w.filename for w in recorded} == {"<string>"}
            assert len(recorded) == 6, [str(w.message) for w in recorded]
            """
        )

    def test_checks(self):
        self.without(
            """
            configure(MAILERS={"default": {"BACKEND": "django_mailers.backends.smtp.EmailBackend"}})
            from django.core.checks import run_checks
            assert [m.id for m in run_checks(tags=["mail"])] == ["mailers.E009"]
            """
        )
