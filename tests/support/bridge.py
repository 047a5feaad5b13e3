"""Scripts that run with the legacy bridge on or off, each in a process of its own."""

from .forks import ForkingTestCase

# What the scripts below have at hand: MAILERS with an SMTP default, and the recorded warnings.
PREPARE = """
import sys, warnings
if {early}:
    import django_mailers
    django_mailers.install()
LOCMEM = "django.core.mail.backends.locmem.EmailBackend"
SMTP = "django.core.mail.backends.smtp.EmailBackend"
MAILERS = {{
    "default": {{"BACKEND": SMTP, "OPTIONS": {{
        "host": "smtp.example.com", "username": "user", "password": "secret", "use_tls": True,
    }}}},
    "memory": {{"BACKEND": LOCMEM}},
}}
def start(**options):
    options.setdefault("MAILERS", MAILERS)
    configure(MAILERS_BRIDGE={bridge}, **options)
recorded = []
def lines():
    '''The texts of the deprecations so far, each from a line of this script.'''
    found = [str(w.message) for w in recorded]
    assert all(w.filename == "<string>" for w in recorded), [w.filename for w in recorded]
    recorded.clear()
    return found
def show(message, category, filename, lineno, file=None, line=None):
    from django_mailers import RemovedInDjango2028Warning
    assert category is RemovedInDjango2028Warning, category
    recorded.append(warnings.WarningMessage(message, category, filename, lineno))
warnings.simplefilter("always")
warnings.showwarning = show
def raises(error, text, function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except error as caught:
        assert caught.args == (text,), caught.args
    else:
        raise AssertionError(f"no {{error}}")
"""


class BridgeTestCase(ForkingTestCase):
    def on(self, source, *, early=False):
        self.run_with("True", source, early)

    def off(self, source, *, early=False):
        self.run_with("False", source, early)

    def run_with(self, bridge, source, early):
        prepare = PREPARE.format(bridge=bridge, early=early)
        # Before anything of Django is loaded, which the parent of a fork has loaded.
        run = self.assertRuns if early else self.assertRunsForked
        run("\n".join((prepare, self.dedent(source))))

    @staticmethod
    def dedent(source):
        import textwrap

        return textwrap.dedent(source)
