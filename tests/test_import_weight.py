"""What a process imports that has the app, and no more."""

from unittest import skipIf, skipUnless

import django
from django.test import SimpleTestCase

from .support.processes import run_python

IS_NATIVE = django.VERSION >= (6, 1)
MODULES = """
import sys
def modules():
    names = {name for name in sys.modules if f"{name}.".startswith("django_mailers.")}
    return sorted(name.removeprefix("django_mailers").lstrip(".") for name in names)
"""
# What every process with the app has.
APP = ["", "apps", "conf"]
ROOMS = ("backport", "bridge", "checks", "migrate", "polyfill", "testing")


class ImportTests(SimpleTestCase):
    def run_with(self, source):
        process = run_python(MODULES + source)
        self.assertEqual(process.stderr, "")
        return process.stdout

    @skipUnless(IS_NATIVE, "Django has no MAILERS of its own")
    def test_set_up(self):
        for options in ("MAILERS_BRIDGE=False", "MAILERS={'default': {'BACKEND': 'x.Y'}}"):
            with self.subTest(options):
                self.assertEqual(
                    self.run_with(f"configure({options})\nprint(modules())"), f"{APP}\n"
                )
        # Not even by the setting, which is not there.
        source = """
from django.conf import settings
settings.configure(INSTALLED_APPS=["django_mailers"], MAILERS={})
import django
django.setup()
print(modules())
"""
        self.assertEqual(self.run_with(source), f"{APP}\n")

    @skipUnless(IS_NATIVE, "Django has no MAILERS of its own")
    def test_a_settings_file_that_installs(self):
        source = """
import django_mailers
django_mailers.install()
print(modules())
configure()
print(modules())
"""
        self.assertEqual(self.run_with(source), f"{['', 'conf']}\n{APP}\n")

    @skipUnless(IS_NATIVE, "Django has no MAILERS of its own")
    def test_checks_are_imported_when_they_run(self):
        source = """
configure()
before = modules()
from django.core.checks import run_checks
assert run_checks(tags=["caches"]) == []
assert modules() == before
assert run_checks(tags=["mail"]) == []
print("checks.entries" in modules())
"""
        self.assertEqual(self.run_with(source), "True\n")

    def test_the_bridge_where_it_is_asked_for(self):
        for options in ("MAILERS_BRIDGE=True", "MAILERS_BRIDGE=1"):
            with self.subTest(options):
                source = f"configure({options})\nprint('bridge.sending' in modules())"
                self.assertEqual(self.run_with(source), "True\n")

    @skipUnless(IS_NATIVE, "Django has no MAILERS of its own")
    def test_no_backport_with_the_bridge(self):
        source = """
configure(MAILERS_BRIDGE=True)
print([name for name in modules() if name.partition(".")[0] in ("backport", "migrate", "testing")])
"""
        self.assertEqual(self.run_with(source), "[]\n")

    @skipIf(IS_NATIVE, "Django has MAILERS of its own")
    def test_below_6_1(self):
        source = f"""
configure(MAILERS_BRIDGE={{}})
rooms = {{{{name.partition(".")[0] for name in modules()}}}}
print([room for room in {ROOMS!r} if room in rooms])
"""
        for bridge, rooms in [
            (False, ["backport", "polyfill"]),
            (True, ["backport", "bridge", "polyfill"]),
        ]:
            with self.subTest(bridge=bridge):
                self.assertEqual(self.run_with(source.format(bridge)), f"{rooms}\n")

    def test_a_first_mail(self):
        """Sending a plain message imports neither checks, nor what asynchronous code needs."""
        source = """
configure()
from django.core.mail import EmailMessage
from django_mailers.render import render
before = modules()
render(EmailMessage("s", "t", "a@example.com", ["b@example.com"]))
print([name for name in modules() if name not in before])
print([name for name in ("render.localparts", "mailboxes", "signatures") if name in modules()])
"""
        self.assertEqual(self.run_with(source), "[]\n[]\n")
