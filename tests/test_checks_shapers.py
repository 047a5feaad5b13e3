"""What the system checks say of redirect, transform and other mailers that name callables."""

import sys
import tempfile
from pathlib import Path

from django.test import SimpleTestCase, override_settings
from django.test.utils import extend_sys_path

from .support.checks import message, run
from .support.shapers import HERE, entry
from .support.utils import LOCMEM, OURS

SMTP = {"BACKEND": OURS, "OPTIONS": {"host": "localhost"}}
MEMORY = {"BACKEND": LOCMEM}
REDIRECT = {"to": ["team@example.com"]}


class CallableTests(SimpleTestCase):
    maxDiff = None

    def found(self, *transforms, **settings):
        it = entry("transform", "default", transforms=[*transforms])
        with override_settings(MAILERS={"default": SMTP, "it": it}, **settings):
            return run()

    def test_good(self):
        self.assertEqual(self.found(f"{HERE}.shout", f"{HERE}.suffix", len), [])

    def test_what_cannot_be_imported(self):
        self.assertEqual(
            self.found(f"{HERE}.shout", "nowhere.shout", f"{HERE}.not_callable"),
            [
                message(
                    "E040",
                    "MAILERS['it']: Could not import OPTIONS 'transforms' 'nowhere.shout': No "
                    "module named 'nowhere'",
                ),
                message(
                    "E040",
                    f"MAILERS['it']: OPTIONS 'transforms' '{HERE}.not_callable' is not callable.",
                ),
            ],
        )

    def test_a_module_that_fails(self):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "failing_transform.py").write_text("raise ValueError('s3cr3t')\n")
            with extend_sys_path(folder):
                found = self.found("failing_transform.shout")
        self.assertNotIn("failing_transform", sys.modules)
        text = (
            "MAILERS['it']: Could not import OPTIONS 'transforms' 'failing_transform.shout': it "
            "raised ValueError."
        )
        self.assertEqual(found, [message("E040", text)])

    def test_any_option_of_that_kind(self):
        options = {
            **SMTP["OPTIONS"],
            "auth": "xoauth2",
            "username": "shop",
            "use_tls": True,
            "token": "nowhere.token",
        }
        with override_settings(MAILERS={"default": {"BACKEND": OURS, "OPTIONS": options}}):
            found = run()
        text = (
            "MAILERS['default']: Could not import OPTIONS 'token' 'nowhere.token': No module named "
            "'nowhere'"
        )
        self.assertEqual(found, [message("E040", text)])

    def test_a_wrong_value_is_reported_once(self):
        self.assertEqual([one.id for one in self.found("nowhere.shout")], ["mailers.E040"])
        self.assertEqual([one.id for one in self.found(1)], ["mailers.E010"])


class RedirectTests(SimpleTestCase):
    maxDiff = None

    def found(self, *, deploy=False, **entries):
        with override_settings(MAILERS=entries):
            return [
                (one.id, one.msg.partition(":")[0])
                for one in run(deploy=deploy)
                if one.id.startswith("mailers.W04")
            ]

    def test_in_production(self):
        entries = {"default": entry("redirect", "smtp", **REDIRECT), "smtp": SMTP}
        self.assertEqual(self.found(**entries), [])
        self.assertEqual(
            self.found(deploy=True, **entries), [("mailers.W040", "MAILERS['default']")]
        )
        with override_settings(MAILERS=entries):
            self.assertIn(
                message(
                    "W040",
                    "MAILERS['default']: Only the recipients in OPTIONS 'allow' get mail. All "
                    "other mail goes to 'to'.",
                ),
                run(deploy=True),
            )

    def test_what_goes_past_it(self):
        redirect = entry("redirect", "smtp", **REDIRECT)
        for others, expected in [
            ({}, []),
            ({"bulk": SMTP}, ["bulk"]),
            ({"bulk": {"BACKEND": "tests.support.wrappers.ForeignBackend"}}, ["bulk"]),
            ({"bulk": MEMORY}, []),
            ({"bulk": entry("defaults", "default")}, []),
            ({"bulk": entry("defaults", "second"), "second": redirect}, []),
            ({"bulk": entry("defaults", "memory"), "memory": MEMORY}, []),
            # Straight to the mailer of the redirection.
            ({"bulk": entry("defaults", "smtp")}, ["bulk"]),
            ({"bulk": entry("tee", "default", also=["smtp"])}, ["bulk"]),
            (
                {"bulk": entry("tee", "default", also=["archive"]), "archive": SMTP},
                ["bulk", "archive"],
            ),
            # What is behind it is its own.
            ({"bulk": entry("redirect", "a", **REDIRECT), "a": entry("observe", "smtp")}, []),
            # Reported elsewhere.
            ({"bulk": entry("defaults", "nowhere")}, []),
            ({"bulk": {"BACKEND": "nowhere.EmailBackend"}}, []),
        ]:
            with self.subTest(others):
                found = self.found(default=redirect, smtp=SMTP, **others)
                self.assertEqual(
                    found, [("mailers.W041", f"MAILERS[{alias!r}]") for alias in expected]
                )
        with override_settings(MAILERS={"default": redirect, "smtp": SMTP, "bulk": SMTP}):
            text = (
                "MAILERS['bulk']: It sends to anybody, although MAILERS['default'] redirects mail. "
                "Its messages do not go through that mailer."
            )
            self.assertEqual(run(), [message("W041", text)])

    def test_without_a_redirection(self):
        self.assertEqual(self.found(default=SMTP, bulk=SMTP, deploy=True), [])
