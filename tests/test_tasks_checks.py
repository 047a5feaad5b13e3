"""The system checks of mailers that send in the background."""

from unittest import mock

from django.conf import settings
from django.test import SimpleTestCase, override_settings

from django_mailers.checks import check_deployment, check_mailers
from django_mailers.tasks import frameworks

from .support.checks import message
from .support.servers import enter
from .support.tasks import BACKEND, DUMMY, FRAMEWORK, IMMEDIATE, IT, QUEUE, needs_tasks
from .support.utils import LOCMEM

REDIS = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache"}}
UNDEFERRING = "tests.support.tasks.UndeferringBackend"
MAILS = {"class": "django.utils.log.AdminEmailHandler"}


def problem(id, text, hint=None):  # noqa: A002
    return message(id.removeprefix("mailers."), text, hint)


@needs_tasks
class ChecksTests(SimpleTestCase):
    maxDiff = None

    def setUp(self):
        settings = {
            "TASKS": {"default": {"BACKEND": QUEUE, "QUEUES": ["default", "mail"]}},
            "CACHES": REDIS,
        }
        enter(self, override_settings(**settings))

    def found(self, *, default=None, check=check_mailers, **options):
        mailers = {
            "default": default or {"BACKEND": LOCMEM},
            IT: {"BACKEND": BACKEND, "OPTIONS": {"using": "default", **options}},
        }
        with override_settings(MAILERS=mailers):
            return check(None)

    def test_nothing(self):
        self.assertEqual(self.found(), [])
        self.assertEqual(self.found(claims=None, on_commit=False, queue_name="mail"), [])

    def test_options(self):
        for options, text in [
            ({"usign": "x"}, "E008: Unknown options 'usign'."),
            ({"using": None}, "E009: OPTIONS must define 'using'."),
            ({"using": ""}, "E012: OPTIONS 'using' names '', which is not in MAILERS."),
            ({"attempts": 0}, "E010: OPTIONS 'attempts' must be an int greater than 0."),
            *(
                ({name: []}, f"E010: OPTIONS {name!r} must be a str that is not empty.")
                for name in ("task_backend", "queue_name", "database", "claims")
            ),
            ({"priority": "x"}, "E010: OPTIONS 'priority' must be an int from -100 to 100."),
            (
                {"delay": 7200},
                "E016: OPTIONS 'delay' must not be greater than 'max_delay', which is 3600.",
            ),
            (
                {"max_delay": float("inf")},
                "E016: OPTIONS 'max_delay' must not be greater than 604800 seconds, a week.",
            ),
        ]:
            with self.subTest(options=options):
                self.assertEqual(
                    [f"{found.id[8:]}: {found.msg}" for found in self.found(**options)],
                    [text.replace(": ", f": MAILERS[{IT!r}]: ", 1)],
                )

    def test_the_framework(self):
        with mock.patch.object(frameworks, "framework", return_value=None):
            self.assertEqual(
                self.found(),
                [problem("mailers.E060", f"MAILERS[{IT!r}]: There is no tasks framework.")],
            )

    def test_the_engine(self):
        self.assertEqual(
            self.found(task_backend="defautl"),
            [
                problem(
                    "mailers.E061",
                    f"MAILERS[{IT!r}]: OPTIONS 'task_backend': 'defautl' is not in TASKS.",
                    "Did you mean 'default'?",
                )
            ],
        )
        for tasks in ({"default": {"BACKEND": "nowhere.Backend"}}, {"default": None}, {}):
            with self.subTest(tasks=tasks), override_settings(TASKS=tasks):
                self.assertEqual([found.id for found in self.found()], ["mailers.E061"])
        with override_settings(TASKS=None):
            # The package takes that for its default.
            wanted = [] if FRAMEWORK == "django_tasks" else ["mailers.E061"]
            self.assertEqual([found.id for found in self.found()], wanted)

    def test_the_queue(self):
        self.assertEqual(
            self.found(queue_name="male"),
            [
                problem(
                    "mailers.E062",
                    f"MAILERS[{IT!r}]: TASKS['default'] does not accept the task: "
                    "Queue 'male' is not valid for backend.",
                    "The queues of the engine are 'default' and 'mail'.",
                )
            ],
        )

    def test_an_engine_without_priorities_and_delays(self):
        with override_settings(TASKS={"default": {"BACKEND": UNDEFERRING}}):
            self.assertEqual([found.id for found in self.found(priority=5)], ["mailers.E062"])
            self.assertEqual(
                self.found(),
                [
                    problem(
                        "mailers.W064",
                        f"MAILERS[{IT!r}]: The engine 'default' cannot run a task later.",
                    )
                ],
            )

    def test_the_database(self):
        self.assertEqual(
            self.found(database="defalut"),
            [
                problem(
                    "mailers.E063",
                    f"MAILERS[{IT!r}]: OPTIONS 'database' names 'defalut', "
                    "which is not in DATABASES.",
                    "Did you mean 'default'?",
                )
            ],
        )

    def test_claims(self):
        def claims(backend, **entry):
            caches = {"default": {"BACKEND": f"django.core.cache.backends.{backend}", **entry}}
            with override_settings(CACHES=caches):
                return self.found()

        named = f"MAILERS[{IT!r}]: "
        self.assertEqual(
            self.found(claims="x"),
            [
                problem(
                    "mailers.E064", f"{named}OPTIONS 'claims' names 'x', which is not in CACHES."
                )
            ],
        )
        for backend in ("locmem.LocMemCache", "dummy.DummyCache"):
            self.assertEqual(
                claims(backend),
                [
                    problem(
                        "mailers.W061",
                        f"{named}Processes do not share the cache 'default', "
                        "in which OPTIONS 'claims' are.",
                    )
                ],
            )
        for backend in ("db.DatabaseCache", "filebased.FileBasedCache"):
            for most, entry in [(300, {}), (99_999, {"OPTIONS": {"MAX_ENTRIES": 99_999}})]:
                self.assertEqual(
                    claims(backend, LOCATION="x", **entry),
                    [
                        problem(
                            "mailers.W062",
                            f"{named}The cache 'default', in which OPTIONS 'claims' are, keeps "
                            f"{most} entries.",
                        )
                    ],
                )
            self.assertEqual(claims(backend, OPTIONS={"MAX_ENTRIES": 100_000}), [])
        with override_settings(TASKS={"default": {"BACKEND": IMMEDIATE}}):
            self.assertEqual(claims("locmem.LocMemCache"), [])

    def test_error_reports(self):  # (H63)
        forwarding = {
            "BACKEND": "tests.support.wrappers.ForwardingBackend",
            "OPTIONS": {"using": IT},
        }
        direct = {"BACKEND": BACKEND, "OPTIONS": {"using": "memory"}}
        for using, mailers in [
            ({"using": IT}, {}),
            ({"using": "forward"}, {"forward": forwarding}),
            ({}, {"default": direct}),
        ]:
            entries = {
                "default": {"BACKEND": LOCMEM},
                "memory": {"BACKEND": LOCMEM},
                IT: direct,
                **mailers,
            }
            alias = using.get("using", "default")
            logging = {
                "version": 1,
                "disable_existing_loggers": False,
                "handlers": {"mail": {**MAILS, **using}},
                "loggers": {"django": {}},
            }
            with self.subTest(using=using), override_settings(MAILERS=entries, LOGGING=logging):
                self.assertEqual(
                    check_mailers(None),
                    [
                        problem(
                            "mailers.W063",
                            f"LOGGING['handlers']['mail'] mails through {alias!r}, "
                            "which sends in the background.",
                        )
                    ],
                )

    def test_settings_of_another_form(self):
        """With a LOGGING_CONFIG of the project's own LOGGING may be anything."""
        direct = {
            "default": {"BACKEND": BACKEND, "OPTIONS": {"using": "memory"}},
            "memory": {"BACKEND": LOCMEM},
        }
        own = {**MAILS, "email_backend": "mysite.Backend"}
        for logging in (
            *("logging.ini", ["x"], {"handlers": None}, {"handlers": {"mail": "x"}}),
            {"handlers": {"mail": own}},
        ):
            with (
                self.subTest(logging=logging),
                override_settings(MAILERS=direct),
                mock.patch.object(settings, "LOGGING", logging),
            ):
                self.assertEqual(check_mailers(None), [])

    @override_settings(ADMINS=["admin@example.com"])
    def test_djangos_own_handler(self):
        entries = {
            "default": {"BACKEND": BACKEND, "OPTIONS": {"using": "memory"}},
            "memory": {"BACKEND": LOCMEM},
        }
        with override_settings(MAILERS=entries):
            self.assertEqual(
                [found.msg for found in check_mailers(None)],
                [
                    "Django's handler of errors mails through 'default', "
                    "which sends in the background."
                ],
            )

    def test_deployment(self):
        for backend in (IMMEDIATE, DUMMY):
            with self.subTest(backend), override_settings(TASKS={"default": {"BACKEND": backend}}):
                self.assertIn(
                    problem(
                        "mailers.W060", f"MAILERS[{IT!r}]: The engine 'default' has no workers."
                    ),
                    self.found(check=check_deployment),
                )
        self.assertNotIn("mailers.W060", [m.id for m in self.found(check=check_deployment)])
