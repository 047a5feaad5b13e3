"""Every message of tests/support/corpus.py has the bytes that native Django 6.1 gave it."""

import platform
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from unittest import SkipTest, skipIf

import django
from django.test import SimpleTestCase, tag

from .support.corpus import CORPUS, SETTINGS
from .support.processes import run_python
from .support.recordings import POLICIES, Recordings, email_package, normalise, render


class CheckedTestCase(SimpleTestCase):
    maxDiff = None

    def check(
        self,
        recordings,
        name,
        policy,
        rendering,
        version=None,
        package=None,
    ):
        """Fail, or on a Python that nobody recorded skip, if `rendering` is not as recorded."""
        version = version or platform.python_version()
        package = package or email_package()
        recorded = recordings.messages[name][policy]
        python = recordings.python(version, package)
        if python is not None:
            expected = recorded[python]
            if rendering != expected and _raises_type_error(rendering, expected):
                # Its text is that of the function of Python's which met the value first: on Django
                # 5.2 with Python 3.14 it is another one.
                return
            self.assertEqual(rendering, expected)
        elif rendering not in recorded.values():
            self.skipTest(
                f"{name} ({policy}): no recorded rendering is equal, and Python {version} "
                f"(email package {package}) was not recorded. Run tests/record_corpus.py with it, "
                f"on Django 6.1, and review the difference."
            )


def _raises_type_error(*renderings):
    return all(isinstance(one, dict) and one.get("raises") == "TypeError" for one in renderings)


class CorpusTests(CheckedTestCase):
    """On Django 6.1 these prove the recordings, on 5.2 and 6.0 the backport."""

    @tag("slow")
    def test_messages(self):
        self.check_all("SMTP")

    @tag("slow")
    def test_messages_under_other_policies(self):
        self.check_all(*POLICIES.keys() - {"SMTP"})

    def check_all(self, *policies):
        recordings = Recordings.load()
        different = set()
        for name in CORPUS:
            for policy in policies:
                with self.subTest(name, policy=policy):
                    try:
                        self.check(recordings, name, policy, render(name, policy))
                    except SkipTest:
                        different.add(name)
                        raise
        # The patch releases of a Python change the bytes of few messages, a broken backport of
        # many: where Python may be blamed, it may not be blamed for everything.
        self.assertLess(len(different), len(CORPUS) / 20, sorted(different))

    def test_each_message_is_recorded_on_each_python(self):
        recordings = Recordings.load()
        self.assertGreaterEqual(len(CORPUS), 80)
        self.assertEqual(sorted(recordings.messages), sorted(CORPUS))
        self.assertEqual(set(SETTINGS) - set(CORPUS), set())
        for name, policies in recordings.messages.items():
            with self.subTest(name):
                self.assertEqual(
                    {policy: sorted(renderings) for policy, renderings in policies.items()},
                    dict.fromkeys(POLICIES, sorted(recordings.pythons)),
                )

    def test_each_supported_python_is_recorded(self):
        minors = {".".join(version.split(".")[:2]) for version in Recordings.load().pythons}
        self.assertEqual(minors, {"3.10", "3.11", "3.12", "3.13", "3.14", "3.15"})

    def test_most_messages_are_no_errors(self):
        made = [
            name
            for name, policies in Recordings.load().messages.items()
            if all(isinstance(lines, list) for lines in policies["SMTP"].values())
        ]
        self.assertGreaterEqual(len(made), 60)


class CheckTests(CheckedTestCase):
    """What `check()` lets through, and what not."""

    def setUp(self):
        self.recordings = Recordings("6.1.3", {"3.11.7": "aaaa", "3.12.1": "bbbb"})
        self.recordings.messages = {"one": {"SMTP": {"3.11.7": ["old"], "3.12.1": ["new"]}}}

    def test_recorded_python(self):
        self.check(self.recordings, "one", "SMTP", ["old"], "3.11.7", "aaaa")
        with self.assertRaises(self.failureException):
            self.check(self.recordings, "one", "SMTP", ["new"], "3.11.7", "aaaa")
        with self.assertRaises(self.failureException):
            self.check(self.recordings, "one", "SMTP", {"raises": "ValueError"}, "3.11.7", "aaaa")

    def test_patch_release_with_a_recorded_email_package(self):
        self.check(self.recordings, "one", "SMTP", ["old"], "3.11.9", "aaaa")
        with self.assertRaises(self.failureException):
            self.check(self.recordings, "one", "SMTP", ["new"], "3.11.9", "aaaa")

    def test_unrecorded_python(self):
        self.check(self.recordings, "one", "SMTP", ["old"], "3.12.9", "cccc")
        self.check(self.recordings, "one", "SMTP", ["new"], "3.12.9", "aaaa")
        with self.assertRaises(SkipTest) as caught:
            self.check(self.recordings, "one", "SMTP", ["other"], "3.12.9", "cccc")
        self.assertEqual(
            str(caught.exception),
            "one (SMTP): no recorded rendering is equal, and Python 3.12.9 (email package cccc) "
            "was not recorded. Run tests/record_corpus.py with it, on Django 6.1, and review the "
            "difference.",
        )


class NormaliseTests(SimpleTestCase):
    def test_generated(self):
        now = datetime.now(timezone(timedelta(hours=5, minutes=45)))
        self.assertEqual(
            normalise(
                b"Date: %b\r\n"
                b"Message-ID: <176000000000.123.456@corpus.example>\r\n"
                b'boundary="===============5555555555555555555=="\r\n'
                b'boundary="===============3333333333333333333=="\r\n'
                b"--===============3333333333333333333==--\r\n"
                b"--===============5555555555555555555==--\r\n" % format_datetime(now).encode()
            ),
            b"Date: NOW +0545\r\n"
            b"Message-ID: <ID@corpus.example>\r\n"
            b'boundary="===============0000000000000000001=="\r\n'
            b'boundary="===============0000000000000000002=="\r\n'
            b"--===============0000000000000000002==--\r\n"
            b"--===============0000000000000000001==--\r\n",
        )

    def test_date_without_zone(self):
        now = format_datetime(datetime.now(timezone.utc).replace(tzinfo=None)).encode()
        self.assertEqual(normalise(b"Date: %b\n" % now), b"Date: NOW -0000\n")

    def test_explicit(self):
        explicit = (
            b"Date: Fri, 09 Nov 2001 01:08:47 +0100\n"
            b"Message-ID: <176000000000.123.456@example.com>\n"
            b'Content-Type: multipart/mixed; boundary="explicit"\n'
        )
        self.assertEqual(normalise(explicit), explicit)


class RecorderTests(SimpleTestCase):
    """tests/record_corpus.py records nothing but a native Django 6.1."""

    def record(self, before=""):
        stored = Recordings.path.read_bytes()
        process = run_python(f"{before}\nimport tests.record_corpus as r\nr.main()")
        self.assertEqual(Recordings.path.read_bytes(), stored)
        self.assertEqual((process.returncode, process.stdout), (1, ""))
        return process.stderr

    def test_backport_installed(self):
        self.assertEqual(
            self.record("configure()"),
            "django_mailers is imported: what it makes is no reference.\n",
        )

    @skipIf(django.VERSION >= (6, 1), "this Django may be recorded")
    def test_other_django(self):
        self.assertEqual(
            self.record(), f"Django 6.1 is the reference, this is {django.__version__}.\n"
        )
