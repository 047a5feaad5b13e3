"""`override_mailers`: what it overrides, for whom, and that it puts everything back."""

import asyncio
import unittest

from django.conf import settings
from django.core import mail
from django.core.mail import MailerDoesNotExist, mailers
from django.core.mail.backends import dummy, locmem
from django.core.signals import setting_changed
from django.test import SimpleTestCase, TestCase, override_settings

from django_mailers.testing import SMTPServer, override_mailers

from . import settings as suite_settings
from .support.messages import message
from .support.processes import ProcessTestCase
from .support.servers import TIMEOUT, enter
from .support.utils import DUMMY, LOCMEM, OURS

IN_TESTS = {alias: {"BACKEND": LOCMEM} for alias in suite_settings.MAILERS}
DUMMY_ENTRY = {"BACKEND": DUMMY}
LOCMEM_ENTRY = {"BACKEND": LOCMEM}


class ContextTests(SimpleTestCase):
    def tearDown(self):
        self.assertEqual(settings.MAILERS, IN_TESTS)
        super().tearDown()

    def test_it_merges(self):
        with override_mailers(bulk=DUMMY_ENTRY, other=LOCMEM_ENTRY) as given:
            self.assertIsNone(given)
            self.assertEqual(
                settings.MAILERS, {**IN_TESTS, "bulk": DUMMY_ENTRY, "other": LOCMEM_ENTRY}
            )
            self.assertIs(type(mailers["bulk"]), dummy.EmailBackend)
            self.assertIs(type(mailers["default"]), locmem.EmailBackend)

    def test_it_nests(self):
        with override_mailers(a=DUMMY_ENTRY), override_mailers(b=DUMMY_ENTRY):
            self.assertEqual(settings.MAILERS, {**IN_TESTS, "a": DUMMY_ENTRY, "b": DUMMY_ENTRY})
            with override_settings(MAILERS={"only": LOCMEM_ENTRY}), override_mailers(c=DUMMY_ENTRY):
                self.assertEqual(settings.MAILERS, {"only": LOCMEM_ENTRY, "c": DUMMY_ENTRY})

    def test_the_same_one_may_be_entered_again(self):
        override = override_mailers(a=DUMMY_ENTRY)
        with override:
            with override_mailers(a=LOCMEM_ENTRY), override:
                self.assertEqual(settings.MAILERS["a"], DUMMY_ENTRY)
            self.assertEqual(settings.MAILERS["a"], DUMMY_ENTRY)

    def test_errors_pass(self):
        with self.assertRaises(KeyError), override_mailers(a=DUMMY_ENTRY):
            raise KeyError

    def test_real(self):
        for real in ("bulk", ["bulk"], ("bulk", "default"), iter(["bulk"])):
            with self.subTest(real):
                override = override_mailers(real=real, other=DUMMY_ENTRY)
                with override:
                    expected = {**IN_TESTS, "other": DUMMY_ENTRY}
                    for alias in override.real:
                        expected[alias] = suite_settings.MAILERS[alias]
                    self.assertEqual(settings.MAILERS, expected)
                    self.assertIn("bulk", override.real)

    def test_real_in_other_settings(self):
        """It is the project's own entry, whatever a test has put there."""
        with override_settings(MAILERS={"x": DUMMY_ENTRY}), override_mailers(real="bulk"):
            self.assertEqual(
                settings.MAILERS, {"x": DUMMY_ENTRY, "bulk": suite_settings.MAILERS["bulk"]}
            )

    def test_real_and_unknown(self):
        with self.assertRaises(MailerDoesNotExist) as caught, override_mailers(real="other"):
            self.fail("It began.")
        self.assertIn("'other'", str(caught.exception))

    def test_mistakes(self):
        for arguments, text in [
            ({"bulk": DUMMY}, "'bulk' must be a dict, as in MAILERS."),
            ({"real": [1]}, "'real' must be an alias or a list of aliases."),
            ({"real": None}, "'real' must be an alias or a list of aliases."),
            ({"real": b"bulk"}, "'real' must be an alias or a list of aliases."),
            (
                # With this the mailer would send.
                {"real": {"bulk": DUMMY_ENTRY}},
                "'real' must be an alias or a list of aliases. Entries are keyword arguments: "
                "override_mailers(**{'alias': {...}}).",
            ),
            (
                {"real": self.test_mistakes},
                "As a decorator override_mailers needs parentheses and arguments.",
            ),
            (
                {"real": "bulk", "bulk": DUMMY_ENTRY},
                "'bulk' cannot be real and overridden.",
            ),
        ]:
            with self.subTest(arguments), self.assertRaisesMessage(TypeError, text):
                override_mailers(**arguments)

    def test_a_real_server(self):
        server = enter(self, SMTPServer(users={"shop": "secret"}))
        with override_mailers(bulk={"BACKEND": OURS, "OPTIONS": server.mailer_options}):
            message("one").send(using="bulk")
            message("two").send()
        self.assertEqual([one.parse()["Subject"] for one in server.wait_for(1, TIMEOUT)], ["one"])
        self.assertEqual(server.sessions[0].user, "shop")
        self.assertEqual([email.subject for email in mail.outbox], ["two"])

    def test_a_wrapper_over_memory(self):
        """H23: locmem copies each message with the mailer that send_mass_mail() has set on it."""
        wrapper = {
            "BACKEND": "tests.support.wrappers.ForwardingBackend",
            "OPTIONS": {"using": "bulk"},
        }
        rows = [("one", "Text", "ada@example.com", ["bob@example.com"])]
        with override_mailers(forward=wrapper):
            self.assertEqual(mail.send_mass_mail(rows, using="forward"), 1)
        self.assertEqual([email.sent_using for email in mail.outbox], ["bulk"])


class OrderTests(SimpleTestCase):
    """What ends in another order than it began, as fixtures of pytest do."""

    def setUp(self):
        super().setUp()
        self.wrapped = settings._wrapped
        self.addCleanup(setattr, settings, "_wrapped", self.wrapped)

    def assertNothingIsLeft(self):
        self.assertEqual(settings.MAILERS, IN_TESTS)
        self.assertEqual(settings.ADMINS, [])
        self.assertIs(type(mailers["default"]), locmem.EmailBackend)
        self.assertNotIn("a", mailers)

    def test_the_first_ends_first(self):
        for others in (
            override_settings(ADMINS=["x@example.com"]),
            override_mailers(b=DUMMY_ENTRY),
            override_settings(MAILERS={"only": DUMMY_ENTRY}),
        ):
            with self.subTest(others):
                override = override_mailers(a=DUMMY_ENTRY, default=DUMMY_ENTRY)
                override.enable()
                others.enable()
                seen = settings.MAILERS
                override.disable()
                if "ADMINS" in getattr(others, "options", {}):
                    self.assertEqual(settings.MAILERS, IN_TESTS)
                    self.assertNotIn("a", mailers)
                    self.assertEqual(settings.ADMINS, ["x@example.com"])
                else:
                    self.assertEqual(settings.MAILERS, seen)
                others.disable()
                self.assertNothingIsLeft()

    def test_another_takes_it_away(self):
        """One that began before it: what that had overridden must not come back."""
        other = override_settings(ADMINS=["x@example.com"])
        other.enable()
        override = override_mailers(a=DUMMY_ENTRY)
        override.enable()
        other.disable()
        override.disable()
        self.assertNothingIsLeft()

    def test_receivers_are_told(self):
        told = []

        def receiver(*, setting, value, enter, **kwargs):
            told.append((setting, value, enter))

        override = override_mailers(a=DUMMY_ENTRY)
        override.enable()
        other = override_settings(ADMINS=[])
        other.enable()
        setting_changed.connect(receiver)
        self.addCleanup(setting_changed.disconnect, receiver)
        override.disable()
        self.assertEqual(told, [("MAILERS", IN_TESTS, False)])
        setting_changed.disconnect(receiver)
        other.disable()
        self.assertNothingIsLeft()


class FunctionTests(SimpleTestCase):
    @override_mailers(bulk=DUMMY_ENTRY)
    def test_a_method(self):
        """With its name."""
        self.assertEqual(settings.MAILERS, {**IN_TESTS, "bulk": DUMMY_ENTRY})
        self.assertEqual(self._testMethodName, "test_a_method")
        self.assertEqual(self._testMethodDoc, "With its name.")

    @override_mailers(bulk=DUMMY_ENTRY)
    async def test_a_coroutine(self):
        await asyncio.sleep(0)
        self.assertEqual(settings.MAILERS, {**IN_TESTS, "bulk": DUMMY_ENTRY})

    def test_after_a_coroutine(self):
        @override_mailers(bulk=DUMMY_ENTRY)
        async def look():
            return settings.MAILERS["bulk"]

        coroutine = look()
        self.assertEqual(settings.MAILERS, IN_TESTS)
        self.assertEqual(asyncio.run(coroutine), DUMMY_ENTRY)
        self.assertEqual(settings.MAILERS, IN_TESTS)

    def test_a_function_that_calls_itself(self):
        @override_mailers(bulk=DUMMY_ENTRY)
        def look(depth):
            return [settings.MAILERS["bulk"], *(look(depth - 1) if depth else [])]

        self.assertEqual(look(2), [DUMMY_ENTRY] * 3)
        self.assertEqual(settings.MAILERS, IN_TESTS)


@override_mailers(a=DUMMY_ENTRY, b=DUMMY_ENTRY)
class ClassTests(TestCase):
    expected = {**IN_TESTS, "a": DUMMY_ENTRY, "b": DUMMY_ENTRY}

    @classmethod
    def setUpTestData(cls):
        cls.in_test_data = settings.MAILERS

    def test_setting(self):
        self.assertEqual(settings.MAILERS, self.expected)
        self.assertEqual(self.in_test_data, self.expected)

    @override_mailers(b=LOCMEM_ENTRY)
    def test_method(self):
        self.assertEqual(settings.MAILERS, {**self.expected, "b": LOCMEM_ENTRY})


class InheritingTests(ClassTests):
    pass


@override_mailers(real="bulk", b=LOCMEM_ENTRY)
@override_mailers(c=LOCMEM_ENTRY)
class DerivedTests(ClassTests):
    expected = {
        **IN_TESTS,
        "a": DUMMY_ENTRY,
        "b": LOCMEM_ENTRY,
        "c": LOCMEM_ENTRY,
        "bulk": suite_settings.MAILERS["bulk"],
    }

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.in_class = settings.MAILERS

    def test_set_up_class(self):
        self.assertEqual(self.in_class, self.expected)


@override_mailers(a=DUMMY_ENTRY)
@override_settings(MAILERS={"only": DUMMY_ENTRY}, ADMINS=["x@example.com"])
class WithOverrideSettingsTests(SimpleTestCase):
    def test_setting(self):
        self.assertEqual(settings.MAILERS, {"only": DUMMY_ENTRY, "a": DUMMY_ENTRY})
        self.assertEqual(settings.ADMINS, ["x@example.com"])


@override_settings(MAILERS={"only": DUMMY_ENTRY})
@override_mailers(a=DUMMY_ENTRY)
class UnderOverrideSettingsTests(SimpleTestCase):
    def test_setting(self):
        self.assertEqual(settings.MAILERS, {"only": DUMMY_ENTRY, "a": DUMMY_ENTRY})


class RunTests(SimpleTestCase):
    """What is left when a class of tests is over, whatever became of it."""

    def run_case(self, case):
        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
        return result

    def assertNothingIsLeft(self, case):
        self.assertEqual(settings.MAILERS, IN_TESTS)
        self.assertIsNone(case._overridden_settings)
        self.assertEqual([name for name in vars(case) if "applied" in name], [])

    def test_twice(self):
        seen = []

        @override_mailers(a=DUMMY_ENTRY)
        class Case(SimpleTestCase):
            def test_one(self):
                seen.append(settings.MAILERS)

        for _ in range(2):
            self.assertIs(self.run_case(Case).wasSuccessful(), True)
            self.assertNothingIsLeft(Case)
        # Not what it was when it was decorated, as with pytest that is too early.
        with override_settings(MAILERS={"x": LOCMEM_ENTRY}):
            self.run_case(Case)
        expected = {**IN_TESTS, "a": DUMMY_ENTRY}
        self.assertEqual(seen, [expected, expected, {"x": LOCMEM_ENTRY, "a": DUMMY_ENTRY}])

    def test_set_up_class_fails(self):
        @override_mailers(a=DUMMY_ENTRY)
        class Case(SimpleTestCase):
            @classmethod
            def setUpClass(cls):
                super().setUpClass()
                raise KeyError

            def test_one(self):
                pass

        self.assertEqual(len(self.run_case(Case).errors), 1)
        self.assertNothingIsLeft(Case)

    def test_an_unknown_real_mailer(self):
        @override_mailers(real="unknown")
        class Case(SimpleTestCase):
            def test_one(self):
                pass

        ((_, text),) = self.run_case(Case).errors
        self.assertIn("unknown", text)
        self.assertNothingIsLeft(Case)

    def test_unittests_own_class(self):
        seen = []

        @override_mailers(a=DUMMY_ENTRY)
        class Case(unittest.IsolatedAsyncioTestCase):
            def setUp(self):
                seen.append(settings.MAILERS)

            async def test_one(self):
                seen.append(settings.MAILERS)

        self.assertIs(self.run_case(Case).wasSuccessful(), True)
        self.assertEqual(seen, [{**IN_TESTS, "a": DUMMY_ENTRY}] * 2)
        self.assertEqual(settings.MAILERS, IN_TESTS)

    def test_a_plain_class(self):
        """As pytest has them."""

        class Base:
            def test_inherited(self):
                return settings.MAILERS["a"]

        @override_mailers(a=DUMMY_ENTRY)
        class Tests(Base):
            test_data = "not a test"

            def test_one(self):
                return settings.MAILERS["a"]

            async def test_coroutine(self):
                return settings.MAILERS["a"]

            @staticmethod
            def test_static():
                return settings.MAILERS["a"]

            @classmethod
            def test_class(cls):
                return cls.__name__, settings.MAILERS["a"]

            def helper(self):
                return "a" in settings.MAILERS

        tests = Tests()
        self.assertEqual(tests.test_one(), DUMMY_ENTRY)
        self.assertEqual(tests.test_inherited(), DUMMY_ENTRY)
        self.assertEqual(asyncio.run(tests.test_coroutine()), DUMMY_ENTRY)
        self.assertEqual(tests.test_static(), DUMMY_ENTRY)
        self.assertEqual(Tests.test_class(), ("Tests", DUMMY_ENTRY))
        self.assertIs(tests.helper(), False)
        self.assertEqual(tests.test_data, "not a test")
        with self.assertRaises(KeyError):
            Base().test_inherited()


class WithoutMailersTests(ProcessTestCase):
    def test_a_project_without_mailers(self):
        """The default mailer of its tests is one for memory, as it was before."""
        self.assertRuns(
            f"""
            import warnings
            warnings.simplefilter("ignore")
            from django.conf import settings
            settings.configure(INSTALLED_APPS=["django_mailers"], SECRET_KEY="x")
            import django
            django.setup()
            from django.core import mail
            from django.test.utils import setup_test_environment
            from django_mailers.testing import override_mailers
            setup_test_environment()
            with override_mailers(bulk={{"BACKEND": {DUMMY!r}}}):
                mail.EmailMessage("a", "b", "c@example.com", ["d@example.com"]).send()
                mail.EmailMessage("a", "b", "c@example.com", ["d@example.com"]).send(using="bulk")
            assert [email.sent_using for email in mail.outbox] == ["default"], mail.outbox
            assert not hasattr(settings, "MAILERS")
            """
        )

    def test_without_a_test_environment(self):
        self.assertRuns(
            f"""
            configure(MAILERS={{"default": {{"OPTIONS": {{"host": "192.0.2.1"}}}}}})
            from django.core.mail import mailers
            from django_mailers.testing import override_mailers
            with override_mailers(real="default", bulk={{"BACKEND": {DUMMY!r}}}):
                assert mailers["default"].host == "192.0.2.1"
                assert [*mailers] == ["default", "bulk"]
            """
        )
