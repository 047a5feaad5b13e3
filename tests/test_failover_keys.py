"""What a mailer of a failover is remembered by."""

from django.core.mail import mailers
from django.test import SimpleTestCase, override_settings

from django_mailers.backends._failover import keys

from .support.providers import PROVIDER


class KeysTests(SimpleTestCase):
    def digest(self, backend=PROVIDER, **options):
        with override_settings(MAILERS={"a": {"BACKEND": backend, "OPTIONS": options}}):
            return keys.key_of("a")

    def test_no_secret_is_in_it(self):
        for options in [
            {"password": "s3cr3t"},
            {"api_key": "s3cr3t"},
            {"url": "https://shop:s3cr3t@example.com"},
            {"credentials": ["s3cr3t"]},
            {"object": object()},
        ]:
            with self.subTest(options):
                self.assertEqual(self.digest(name="x", **options), self.digest(name="x"))
        self.assertEqual(
            self.digest(host="h", password="s3cr3t"), self.digest(host="h", password="other")
        )

    def test_what_tells_mailers_apart(self):
        different = [
            self.digest(),
            self.digest(name="x"),
            self.digest(name="y"),
            self.digest(names=["x", 1]),
            self.digest("other.EmailBackend", name="x"),
            self.digest(host="h"),
            self.digest(host="i"),
            self.digest(host="h", port=25),
            self.digest(host="h", username="u"),
        ]
        self.assertEqual(len(set(different)), len(different))
        self.assertEqual(self.digest(host="h", timeout=3), self.digest(host="h"))

    def test_aliases_that_no_cache_would_take(self):
        with override_settings(MAILERS={"a b:\n" + "x" * 300: {"BACKEND": PROVIDER}}):
            [alias] = mailers
            self.assertRegex(keys.key_of(alias), r"^[!-~]{50,200}$")

    def test_timeouts(self):
        for timeout, expected in [(3, 3), (2.5, 2.5), (None, 30), (True, 30), ("9", 30), (0, 30)]:
            entry = {"BACKEND": PROVIDER, "OPTIONS": {"timeout": timeout}}
            with self.subTest(timeout), override_settings(MAILERS={"a": entry, "b": {}}):
                self.assertEqual([keys.timeout_of("a"), keys.timeout_of("b")], [expected, 30])
