"""What a process imports that has the app, and no more."""

from unittest import skipIf, skipUnless

import django
from django.test import SimpleTestCase, tag

from .support.processes import run_python
from .support.servers import HOST, enter
from .support.sink import Sink

IS_NATIVE = django.VERSION >= (6, 1)
MODULES = """
import sys
def modules():
    names = {name for name in sys.modules if f"{name}.".startswith("django_mailers.")}
    return sorted(name.removeprefix("django_mailers").lstrip(".") for name in names)
"""
# What every process with the app has.
APP = ["", "apps", "conf"]
# What one plain message needs. Each module costs about 0.15 ms, and half as much again for each
# 10 KB of its bytecode.
FIRST_MAIL = [
    *("backends", "backends._djangosmtp", "backends.base", "backends.smtp", "options"),
    *("render", "render.addresses"),
    *("smtp", "smtp.envelope", "smtp.errors", "smtp.interrupts", "smtp.lease", "smtp.locks"),
    *("smtp.pipelining", "smtp.pool", "smtp.progress", "smtp.replies", "smtp.server"),
    *("smtp.session", "smtp.shared", "smtp.slots", "smtp.stock", "smtp.transaction", "smtp.wire"),
]
# What writes messages directly: the first one is left to Django's rendering.
SECOND_MAIL = [
    *("ownership", "render.bodies", "render.direct", "render.eligible", "render.headers"),
    "render.selftest",
]
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

    @tag("slow")
    def test_the_bridge_where_it_is_asked_for(self):
        for options in ("MAILERS_BRIDGE=True", "MAILERS_BRIDGE=1"):
            with self.subTest(options):
                source = f"configure({options})\nprint('bridge.sending' in modules())"
                self.assertEqual(self.run_with(source), "True\n")

    @tag("slow")
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

    def test_what_a_rendered_message_imports(self):
        """Neither checks, nor what asynchronous code needs, nor what finds out about signatures."""
        source = """
configure()
from django.core.mail import EmailMessage
from django_mailers.render import render
before = modules()
render(EmailMessage("s", "t", "a@example.com", ["b@example.com"]))
print([name for name in modules() if name not in before and not name.startswith("render.")])
print([name for name in ("render.localparts", "mailboxes", "signatures") if name in modules()])
"""
        ownership = "['ownership']" if IS_NATIVE else "[]"
        self.assertEqual(self.run_with(source), f"{ownership}\n[]\n")

    @skipUnless(IS_NATIVE, "Django's own backend is the backport's")
    def test_a_first_mail(self):
        """A process that sends one plain message waits until all of this is imported."""
        sink = enter(self, Sink())
        source = f"""
configure(MAILERS={{"default": {{
    "BACKEND": "django_mailers.backends.smtp.EmailBackend",
    "OPTIONS": {{"host": {HOST!r}, "port": {sink.port}}},
}}}})
from django.core.mail import send_mail
before = modules()
for _ in range(2):
    assert send_mail("News", "Teapots!", "shop@example.com", ["ann@example.com"]) == 1
    print(*[name for name in modules() if name not in before])
    before = modules()
"""
        first, second = self.run_with(source).splitlines()
        self.assertEqual(first.split(), FIRST_MAIL)
        self.assertEqual(second.split(), SECOND_MAIL)
