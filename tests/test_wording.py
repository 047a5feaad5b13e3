"""One wording for one thing: what an option, a setting or an argument must be."""

from django.core.exceptions import ImproperlyConfigured
from django.test import SimpleTestCase, override_settings

from django_mailers import conf
from django_mailers.errorreports.limits import check_seconds
from django_mailers.options import COUNT, DELAY, SECONDS, SIZE
from django_mailers.wording import listed


class WordingTests(SimpleTestCase):
    def test_kinds(self):
        self.assertEqual(
            [kind.expected for kind in (COUNT, SIZE, SECONDS, DELAY)],
            [
                "an int greater than 0",
                "an int, 0 or greater",
                "a number of seconds greater than 0",
                "a number of seconds, 0 or greater",
            ],
        )

    def test_a_setting(self):
        for value in (0, -1, "4", 1.5, True, None):
            with self.subTest(value=value), override_settings(MAILERS_ASYNC_THREADS=value):
                with self.assertRaises(ImproperlyConfigured) as caught:
                    conf.async_threads()
                self.assertEqual(
                    str(caught.exception), f"MAILERS_ASYNC_THREADS must be {COUNT.expected}."
                )

    def test_an_argument(self):
        with self.assertRaises(ValueError) as caught:
            check_seconds("window", 0)
        self.assertEqual(
            str(caught.exception), f"'window' must be {SECONDS.expected}, or None, not 0."
        )

    def test_lists(self):
        for names, expected in [
            (["a"], "a"),
            (["a", "b"], "a and b"),
            (["a", "b", "c"], "a, b and c"),
            (map(repr, ["a", "b"]), "'a' and 'b'"),
        ]:
            with self.subTest(expected=expected):
                self.assertEqual(listed(names), expected)
