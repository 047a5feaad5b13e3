"""The checks of rate limits and of mailers that try again."""

from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.redis import RedisCache
from django.test import SimpleTestCase, override_settings

from django_mailers.backends.retry import EmailBackend as Retry
from django_mailers.checks import check_mailers

from .support.checks import message
from .support.utils import LOCMEM

RATELIMIT = "django_mailers.backends.ratelimit.EmailBackend"
RETRY = "django_mailers.backends.retry.EmailBackend"
CACHES = "django.core.cache.backends"
REDIS = f"{CACHES}.redis.RedisCache"


def found(id_, text, hint=None):
    return message(id_.removeprefix("mailers."), text, hint)


class OwnCache(BaseCache):
    """Counts as the base class does, and is never made by a check."""

    def __init__(self, *args):
        raise AssertionError("A check has made a cache.")


class CountingCache(OwnCache):
    def incr(self, key, delta=1, version=None):
        return 1


class OwnRedisCache(RedisCache):
    pass


class OwnRetry(Retry):
    delay = 100


class LimitsTests(SimpleTestCase):
    maxDiff = None

    def assertFound(self, mailers, *expected, **settings):
        entries = {
            alias: {"BACKEND": backend, "OPTIONS": options}
            for alias, (backend, options) in mailers.items()
        }
        entries["target"] = {"BACKEND": LOCMEM}
        settings.setdefault("CACHES", {"default": {"BACKEND": REDIS, "LOCATION": "redis://host"}})
        with override_settings(MAILERS=entries, **settings):
            self.assertEqual(check_mailers(None), [*expected])

    def limit(self, **options):
        return RATELIMIT, {"using": "target", "rate": "100/m", **options}

    def test_caches(self):
        alone = found(
            "mailers.W030",
            "MAILERS['bulk']: OPTIONS 'cache' names 'default', a cache that each process has for "
            "itself.",
        )
        nothing = found(
            "mailers.W030",
            "MAILERS['bulk']: OPTIONS 'cache' names 'default', a cache that keeps nothing.",
        )
        inexact = found(
            "mailers.W031",
            "MAILERS['bulk']: OPTIONS 'cache' names 'default', a cache that does not count "
            "atomically.",
        )
        replicas = found(
            "mailers.W031",
            "MAILERS['bulk']: OPTIONS 'cache' names 'default', a cache that reads from replicas, "
            "which lag behind.",
        )
        for backend, location, expected in [
            (f"{CACHES}.locmem.LocMemCache", "", [alone]),
            (f"{CACHES}.dummy.DummyCache", "", [nothing]),
            (f"{CACHES}.filebased.FileBasedCache", "/tmp/x", [inexact]),
            (f"{CACHES}.db.DatabaseCache", "table", [inexact]),
            (f"{__name__}.OwnCache", "", [inexact]),
            (f"{__name__}.CountingCache", "", []),
            (f"{CACHES}.memcached.PyMemcacheCache", ["a:11211", "b:11211"], []),
            (f"{CACHES}.memcached.PyLibMCCache", "a:11211;b:11211", []),
            (REDIS, "redis://a", []),
            (REDIS, ["redis://a"], []),
            (REDIS, ["redis://a", "redis://b"], [replicas]),
            (f"{__name__}.OwnRedisCache", "redis://a,redis://b", [replicas]),
            # Others are about these.
            ("missing.Cache", "", []),
            (None, "", []),
        ]:
            with self.subTest(backend, location=location):
                caches = {"default": {"BACKEND": backend, "LOCATION": location}}
                self.assertFound({"bulk": self.limit()}, *expected, CACHES=caches)

    def test_an_unknown_cache(self):
        caches = {"default": {"BACKEND": REDIS}, "redis": {"BACKEND": REDIS}}
        for cache, hint in [
            ("reddis", "Did you mean 'redis'?"),
            ("m", "CACHES defines 'default' and 'redis'."),
        ]:
            text = f"MAILERS['bulk']: OPTIONS 'cache' names {cache!r}, which is not in CACHES."
            self.assertFound(
                {"bulk": self.limit(cache=cache)}, found("mailers.E030", text, hint), CACHES=caches
            )
        self.assertFound({"bulk": self.limit(cache="redis")}, CACHES=caches)
        text = "MAILERS['bulk']: OPTIONS 'cache' names 'default', which is not in CACHES."
        self.assertFound(
            {"bulk": self.limit()},
            found("mailers.E030", text, "CACHES defines nothing."),
            CACHES={},
        )
        self.assertFound(
            {"bulk": self.limit(cache=1)},
            found(
                "mailers.E010",
                "MAILERS['bulk']: OPTIONS 'cache' must be a str that is not empty.",
                "The value is of type int.",
            ),
        )

    def test_rates(self):
        text = (
            "MAILERS['bulk']: OPTIONS 'rate' must be a rate such as '100/m', '14/s' or '5/10m' "
            "(units: s, m, h, d), or a list of rates, each for another period."
        )
        for rate, hint in [
            ("100/minute", "The value has another form."),
            ("", "The value is empty."),
            (["14/s", "15/s"], "The items of the value are not valid."),
            (100, "The value is of type int."),
        ]:
            with self.subTest(rate):
                self.assertFound({"bulk": self.limit(rate=rate)}, found("mailers.E010", text, hint))

    def test_a_limit_over_a_retry(self):
        retry = RETRY, {"using": "target"}
        route = "tests.support.wrappers.FailoverBackend", {"mailers": ["target", "retry"]}
        self.assertFound(
            {"bulk": self.limit(using="retry"), "retry": retry},
            found(
                "mailers.W034",
                "MAILERS['bulk']: The attempts of 'retry' are not counted: 'bulk' -> 'retry'.",
            ),
        )
        self.assertFound(
            {"bulk": self.limit(using="f"), "f": route, "retry": retry},
            found(
                "mailers.W034",
                "MAILERS['bulk']: The attempts of 'retry' are not counted: "
                "'bulk' -> 'f' -> 'retry'.",
            ),
        )
        # The right order.
        self.assertFound({"bulk": (RETRY, {"using": "limit"}), "limit": self.limit()})

    def test_a_retry_over_a_retry(self):
        self.assertFound(
            {
                "bulk": (f"{__name__}.OwnRetry", {"using": "retry", "delay": 1}),
                "retry": (RETRY, {"using": "target"}),
            },
            found(
                "mailers.W032",
                "MAILERS['bulk']: The attempts of 'retry' are repeated: 'bulk' -> 'retry'.",
            ),
        )

    def test_aliases_that_other_checks_report(self):
        with override_settings(
            MAILERS={
                "a": {"BACKEND": RETRY, "OPTIONS": {"using": "b"}},
                "b": {"BACKEND": RETRY, "OPTIONS": {"using": "a"}},
                "c": {"BACKEND": RETRY, "OPTIONS": {"using": "missing"}},
                "d": {"BACKEND": RETRY, "OPTIONS": {"using": 1}},
            }
        ):
            ids = [one.id for one in check_mailers(None)]
        self.assertEqual(
            sorted(ids),
            ["mailers.E010", "mailers.E012", "mailers.E013", "mailers.W032", "mailers.W032"],
        )

    def test_delays(self):
        text = "MAILERS['bulk']: OPTIONS {!r} is shorter than 'delay'."
        both = [found("mailers.W033", text.format(name)) for name in ("max_delay", "deadline")]
        for backend, options, expected in [
            (RETRY, {"delay": 30}, []),
            (RETRY, {"delay": 31}, both[:1]),
            (RETRY, {"deadline": 0.5}, both[1:]),
            (RETRY, {"delay": 300, "max_delay": 600}, both[1:]),
            (f"{__name__}.OwnRetry", {}, both),
        ]:
            with self.subTest(backend, **options):
                self.assertFound({"bulk": (backend, {"using": "target", **options})}, *expected)
        [error] = self.errors({"using": "target", "delay": "1"})
        self.assertEqual(error, "mailers.E010")

    def errors(self, options):
        with override_settings(
            MAILERS={"bulk": {"BACKEND": RETRY, "OPTIONS": options}, "target": {"BACKEND": LOCMEM}}
        ):
            return [one.id for one in check_mailers(None)]
