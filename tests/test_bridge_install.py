"""The bridge on top of the polyfill: one trampoline for each function, and what a message costs."""

from django_mailers import polyfill

from .support.forks import ForkingTestCase

NATIVE = not polyfill.installed()

# A backend that looks at who called it, in a process of its own.
WATCHING = """
import sys
from django.core.mail.backends.base import BaseEmailBackend
class Watching(BaseEmailBackend):
    frames, calls = [], []
    def send_messages(self, messages):
        sys.setprofile(None)
        frame = sys._getframe(1)
        self.frames.clear()
        while frame is not None:
            self.frames.append(frame)
            frame = frame.f_back
        return len(messages)
sys.modules["watching"] = sys.modules["__main__"]
def count(frame, event, argument):
    name = str(frame.f_globals.get("__name__"))
    if event == "call" and name.partition(".")[0] in {"django", "django_mailers"}:
        Watching.calls.append(frame.f_code.co_name)
def through_trampolines():
    files = ("<django_mailers>", "<django_mailers, silent>")
    return [f.f_code.co_name for f in Watching.frames if f.f_code.co_filename in files]
MAILERS = {"default": {"BACKEND": "watching.Watching"}}
from django.core.mail import EmailMessage, send_mail
"""


class TrampolineTests(ForkingTestCase):
    def watching(self, source):
        import textwrap

        return self.assertRunsForked(WATCHING + textwrap.dedent(source))

    def test_one_for_each_function(self):
        expected = {"True": ["send", "send_mail"], "False": [] if NATIVE else ["send", "send_mail"]}
        for bridge, names in expected.items():
            with self.subTest(bridge=bridge):
                self.watching(
                    f"""
                    configure(MAILERS=MAILERS, MAILERS_BRIDGE={bridge})
                    assert send_mail("s", "", None, ["a@example.com"]) == 1
                    assert through_trampolines() == {names}, through_trampolines()
                    """
                )

    def test_install_in_settings_comes_first(self):
        """Then the bridge is built on what leads elsewhere already, which holds for all of it."""
        self.watching(
            """
            import django_mailers
            django_mailers.install()
            from django_mailers.polyfill import trampolines
            code = send_mail.__code__
            configure(MAILERS=MAILERS, MAILERS_BRIDGE=True)
            assert send_mail.__code__ is not code
            assert EmailMessage("s", "", None, ["a@example.com"]).send() == 1
            assert through_trampolines() == ["send"]
            """
        )

    def test_calls_of_a_warm_message(self):
        """From send_mail() to send_messages(); Django 6.1 alone makes 37."""
        printed = self.watching(
            """
            configure(MAILERS=MAILERS)
            for _ in range(4):
                Watching.calls.clear()
                sys.setprofile(count)
                send_mail("s", "", None, ["a@example.com"])
            print(len(Watching.calls))
            """
        )
        self.assertLessEqual(int(printed), 40 if NATIVE else 66)

    def test_who_called(self):
        """The line that called, whether or not a bridge is in between."""
        for bridge in (True, False):
            with self.subTest(bridge=bridge):
                self.watching(
                    f"""
                    import warnings
                    configure(MAILERS=MAILERS, MAILERS_BRIDGE={bridge})
                    from django.core import mail
                    def warned(call):
                        with warnings.catch_warnings(record=True) as recorded:
                            warnings.simplefilter("always")
                            call()
                        assert {{w.filename for w in recorded}} <= {{"<string>"}}, recorded
                        lines = {{w.lineno for w in recorded}}
                        assert lines <= {{call.__code__.co_firstlineno}}, lines
                        return len(recorded)
                    to = ["a@example.com"]
                    own = Watching()
                    assert warned(lambda: send_mail("s", "", None, to)) == 0
                    assert warned(lambda: send_mail("s", "", None, to, True)) == 2
                    assert warned(lambda: send_mail("s", "", None, to, connection=own)) == 1
                    assert warned(lambda: mail.get_connection()) == 1
                    assert warned(lambda: mail.get_connection(None, True)) == 2
                    assert warned(lambda: EmailMessage("s", "", None, to).send(True)) == 1
                    assert warned(lambda: EmailMessage("s", "", None, to, None, own)) == 2
                    """
                )
