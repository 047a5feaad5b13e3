"""The system checks of failover and round robin."""

import socket
from unittest import mock

from django.core.mail import mailers
from django.test import SimpleTestCase, override_settings

from django_mailers.backends.failover import EmailBackend

from .support.checks import message, run
from .support.providers import FAILOVER, ROUNDROBIN
from .support.utils import CONSOLE, LOCMEM, OURS, SMTP

DJANGOS = {"BACKEND": SMTP, "OPTIONS": {"host": "smtp.example.com", "timeout": 10}}
POOLED = {"BACKEND": OURS, "OPTIONS": {"host": "mx.example.com"}}
MEMORY, REDIS = (
    "django.core.cache.backends.locmem.LocMemCache",
    "django.core.cache.backends.redis.RedisCache",
)
DUMMY = "django.core.cache.backends.dummy.DummyCache"
FORWARDING = "tests.support.wrappers.ForwardingBackend"
CACHES = {
    "default": {"BACKEND": MEMORY},
    "dummy": {"BACKEND": DUMMY},
    "redis": {"BACKEND": REDIS, "LOCATION": "redis://127.0.0.1:1"},
    "missing": {"BACKEND": "nowhere.Cache"},
}


class TwoMailers(EmailBackend):
    """A project's own."""


class FailoverCheckTests(SimpleTestCase):
    maxDiff = None

    def check(self, expected, *, entries=(), a=DJANGOS, b=POOLED, **options):
        """Compare what is said of a failover, and a round robin, over "a" and "b"."""
        options = {"mailers": ["a", "b"], **options}
        for backend in (FAILOVER, ROUNDROBIN):
            it = {"BACKEND": backend, "OPTIONS": options}
            settings = {"a": a, "b": b, **dict(entries), "it": it}
            with (
                self.subTest(backend, **options),
                override_settings(MAILERS=settings, CACHES=CACHES),
            ):
                self.assertEqual(
                    run(),
                    [
                        message(number.removeprefix("mailers."), f"MAILERS['it']: {text}", *hint)
                        for number, text, *hint in expected
                    ],
                )

    def test_fine(self):
        self.check([])
        self.check([], cache="redis", rest=1, max_rest=5, unknown="next", classify="operator.truth")
        # What cannot be imported is not ours to say.
        self.check([], cache="missing")

    def test_one_mailer(self):
        self.check([("mailers.W020", "OPTIONS 'mailers' names one mailer only.")], mailers=["a"])

    def test_fail_silently(self):
        silent = {"BACKEND": SMTP, "OPTIONS": {**DJANGOS["OPTIONS"], "fail_silently": True}}
        text = "OPTIONS 'mailers' names 'a', which sets 'fail_silently'."
        self.check([("mailers.W021", text)], a=silent)
        self.check(
            [], a={"BACKEND": SMTP, "OPTIONS": {**DJANGOS["OPTIONS"], "fail_silently": False}}
        )

    def test_no_timeout(self):
        endless = {"BACKEND": SMTP, "OPTIONS": {"host": "smtp.example.com"}}
        text = "OPTIONS 'mailers' names 'a', which has no 'timeout'."
        self.check([("mailers.W022", text)], a=endless)
        through = {"BACKEND": FORWARDING, "OPTIONS": {"using": "c"}}
        self.check(
            [
                (
                    "mailers.W022",
                    "OPTIONS 'mailers' names 'b', which sends through 'c', which has no 'timeout'.",
                )
            ],
            b=through,
            entries={"c": {"BACKEND": SMTP, "OPTIONS": {"host": "mx.example.com"}}},
        )
        with mock.patch.object(socket, "getdefaulttimeout", return_value=30):
            self.check([], a=endless)

    def test_the_same(self):
        host = {"host": "smtp.example.com", "port": 587, "use_tls": True, "username": "shop"}
        same = ("mailers.W023", "OPTIONS 'mailers' names 'a' and 'b', which are one and the same.")
        one = {"BACKEND": OURS, "OPTIONS": host}
        for other, expected in [
            ({**host, "host": "SMTP.example.com."}, [same]),
            ({**host, "password": "other"}, [same]),
            ({**host, "timeout": 5}, [same]),
            ({**host, "username": "bulk"}, []),
            ({**host, "port": 25}, []),
            ({**host, "host": "mx.example.com"}, []),
        ]:
            self.check(expected, a=one, b={"BACKEND": OURS, "OPTIONS": other})
        provider = {"BACKEND": "tests.support.wrappers.ForeignBackend"}
        self.check([same], a=provider, b=provider)
        # In development all of them print, or keep, what they get.
        for backend in (CONSOLE, LOCMEM):
            self.check([], a={"BACKEND": backend}, b={"BACKEND": backend})
        twice = "OPTIONS 'mailers' names 'a' and 'a', which are one and the same."
        self.check([("mailers.W023", twice)], mailers=["a", "b", "a"])

    def test_caches(self):
        for cache in ("default", "dummy"):
            text = f"OPTIONS 'cache' names {cache!r}, which processes do not share."
            self.check([("mailers.W024", text)], cache=cache)
        self.check(
            [
                (
                    "mailers.W024",
                    "OPTIONS 'cache' names 'reddis', which is not in CACHES.",
                    "Did you mean 'redis'?",
                )
            ],
            cache="reddis",
        )

    def test_what_others_say(self):
        """Wrong values, and options that do not go together."""
        for backend, options, *expected in [
            (
                FAILOVER,
                {"mailers": "a"},
                "E010",
                "OPTIONS 'mailers' must be a list of aliases.",
                "The value is of type str.",
            ),
            (FAILOVER, {}, "E009", "OPTIONS must define 'mailers'."),
            (
                FAILOVER,
                {"mailers": ["a", "b"], "unknown": "retry"},
                "E010",
                "OPTIONS 'unknown' must be 'raise' or 'next'.",
                "No other value is allowed.",
            ),
            (
                FAILOVER,
                {"mailers": ["a", "b"], "rest": 1000},
                "E016",
                "OPTIONS 'rest' must not be greater than 'max_rest'.",
            ),
            (
                ROUNDROBIN,
                {"mailers": ["a", "b"], "weights": [1, 2, 3]},
                "E016",
                "OPTIONS 'weights' must have one item for each of 'mailers'.",
            ),
            (
                ROUNDROBIN,
                {"mailers": ["a", "b"], "weights": [1, 0]},
                "E010",
                "OPTIONS 'weights' must be a list of ints greater than 0.",
                "The items of the value are not valid.",
            ),
        ]:
            id_, text, *hint = expected
            entries = {"a": DJANGOS, "b": POOLED, "it": {"BACKEND": backend, "OPTIONS": options}}
            with self.subTest(options), override_settings(MAILERS=entries):
                self.assertEqual(run(), [message(id_, f"MAILERS['it']: {text}", *hint)])

    def test_missing_targets(self):
        """That they are missing is all that is said of them."""
        it = {"BACKEND": FAILOVER, "OPTIONS": {"mailers": ["a", "c"]}}
        with override_settings(MAILERS={"a": DJANGOS, "it": it}):
            self.assertEqual([found.id for found in run()], ["mailers.E012"])

    def test_a_circle_is_no_endless_loop(self):
        forwarding = {
            alias: {"BACKEND": FORWARDING, "OPTIONS": {"using": using}}
            for alias, using in [("b", "c"), ("c", "b")]
        }
        it = {"BACKEND": FAILOVER, "OPTIONS": {"mailers": ["a", "b"]}}
        with override_settings(MAILERS={"a": DJANGOS, **forwarding, "it": it}):
            self.assertEqual([found.id for found in run()], ["mailers.E013"])

    def test_a_subclass(self):
        it = {"BACKEND": f"{__name__}.TwoMailers", "OPTIONS": {"mailers": ["a"]}}
        with override_settings(MAILERS={"a": DJANGOS, "it": it}):
            self.assertEqual([found.id for found in run()], ["mailers.W020"])
            self.assertTrue(mailers["it"])
