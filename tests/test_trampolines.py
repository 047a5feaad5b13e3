"""Changing what others hold references to."""

import functools
import importlib
import importlib.machinery
import inspect
import sys
import tempfile
import traceback
from pathlib import Path
from types import FunctionType

from django.test import SimpleTestCase

from django_mailers.polyfill import imports, trampolines


def lead(function, replacement, how="replaces"):
    trampolines.redirect(function, replacement, how)


class LeadTests(SimpleTestCase):
    def test_arguments_and_result(self):
        def old(a, b=2, *, c=3):
            """Old."""
            return "old"

        def new(a, *rest, d=4, **others):
            """New."""
            return (a, rest, d, others)

        held = old
        lead(old, new)
        self.assertIs(old, held)
        self.assertEqual(held(1), (1, (), 4, {}))
        self.assertEqual(held(1, 5, d=6, e=7), (1, (5,), 6, {"e": 7}))
        self.assertEqual(held.__doc__, "New.")
        self.assertEqual(held.__name__, "old")

    def test_signature_without_annotations(self):
        def old(a):
            return a

        def new(a, *, b=1):
            return None

        lead(old, new)
        self.assertEqual(str(inspect.signature(old)), "(a, *, b=1)")

    def test_wrapped_original_works_as_before(self):
        """Defaults and cells included: a method of Django's that says super() has one."""

        class Base:
            def method(self, value):
                return f"base {value}"

        class Derived(Base):
            def method(self, value="default", *, mark="?"):
                return super().method(value) + mark

        def method(original, self, value="new", **options):
            """Lead."""
            return f"{original(self, **options)}, {original(self, value, mark='!')}"

        lead(Derived.method, method, "wraps")
        self.assertEqual(Derived().method(), "base default?, base new!")
        self.assertEqual(Derived().method("x", mark="."), "base default., base x!")
        self.assertEqual(str(inspect.signature(Derived.method)), "(self, value='new', **options)")

    def test_signature_and_documentation_kept(self):
        def old(a, b=2):
            """Old."""
            return (a, b)

        def new(original, *args, **kwargs):
            """New."""
            return original(*args, **kwargs)

        trampolines.redirect(old, new, "wraps", keep_signature=True)
        self.assertEqual(old(1), (1, 2))
        self.assertEqual((str(inspect.signature(old)), old.__doc__), ("(a, b=2)", "Old."))

    def test_function_without_documentation_keeps_its_own(self):
        def old():
            """Old."""

        lead(old, lambda: None)
        self.assertEqual(old.__doc__, "Old.")

    def test_each_leads_to_its_own(self):
        def one():
            return 1

        def two():
            return 2

        lead(one, lambda: "one")
        lead(two, lambda: "two")
        self.assertEqual((one(), two()), ("one", "two"))

    def test_traceback_names_the_app(self):
        def old():
            return None

        def new():
            raise LookupError("from new")

        lead(old, new)
        try:
            old()
        except LookupError as error:
            frames = traceback.extract_tb(error.__traceback__)
        self.assertEqual(
            [(frame.filename, frame.name) for frame in frames][1:],
            [("<django_mailers>", "old"), (__file__, "new")],
        )


class DecidingTests(SimpleTestCase):
    def test_returns_the_call(self):
        def old(a, b=2):
            return (a, b)

        def other(*args, **kwargs):
            return ("other", args, kwargs)

        def decide(original, a, b=2):
            return (original, (a,), {"b": b + 1}) if a else (other, (b,), {"c": 3})

        lead(old, decide, "decides")
        self.assertEqual(old(1), (1, 3))
        self.assertEqual(old(0, b=5), ("other", (5,), {"c": 3}))

    def test_call_comes_from_the_module_of_the_function(self):
        """With nothing of ours in between."""
        namespace = {"__name__": "elsewhere"}
        exec("def old(): pass", namespace)

        def frames():
            caller = sys._getframe(1)
            return [
                (f.f_code.co_filename, f.f_globals["__name__"]) for f in (caller, caller.f_back)
            ]

        lead(namespace["old"], lambda original: (frames, (), {}), "decides")
        self.assertEqual(
            namespace["old"](), [("<django_mailers, silent>", "elsewhere"), (__file__, __name__)]
        )


class ComposedTests(SimpleTestCase):
    """A function that leads elsewhere already gets no second trampoline."""

    def test_original_is_what_it_led_to(self):
        def old():
            return []

        def new(original):
            return [*original(), "new"]

        def newer(original):
            self.assertIsInstance(original, functools.partial)
            return [*original(), "newer"]

        lead(old, new, "wraps")
        lead(old, newer, "wraps")
        self.assertEqual(old(), ["new", "newer"])
        self.assertIs(trampolines.leads_to(old, new), True)
        self.assertIs(trampolines.leads_to(old, newer), True)

    def test_decides_about_what_it_led_to(self):
        def old():
            return "old"

        def new():
            return [frame.name for frame in traceback.extract_stack()][-2:]

        lead(old, new)
        lead(old, lambda original: (original, (), {}), "decides")
        self.assertEqual(old(), ["old", "new"])
        self.assertIs(trampolines.leads_to(old, new), True)

    def test_call_that_had_begun(self):
        """In another thread, say: the trampoline before goes on leading where it did."""

        def old():
            return "old"

        lead(old, lambda: "new")
        begun = FunctionType(old.__code__, globals())
        lead(old, lambda: "newer")
        self.assertEqual((begun(), old()), ("new", "newer"))


class LeadsToTests(SimpleTestCase):
    def test_leads_to(self):
        def old():
            return "old"

        def new(original=None):
            return "new"

        self.assertIs(trampolines.leads_to(old, new), False)
        lead(old, new, "wraps")
        self.assertIs(trampolines.leads_to(old, new), True)
        self.assertIs(trampolines.leads_to(old, old), False)
        old.__code__ = (lambda: None).__code__
        self.assertIs(trampolines.leads_to(old, new), False)


class RetiredTests(SimpleTestCase):
    def test_only_its_own_module_finds_it(self):
        source = """
class Class:
    def method(self):
        return self
    def call(self):
        return self.method()
"""
        namespace = {"__name__": "elsewhere"}
        exec(source, namespace)
        cls = namespace["Class"]
        cls.method = trampolines.Retired(cls.method)
        instance = cls()

        self.assertIs(instance.call(), instance)
        with self.assertRaisesMessage(AttributeError, "'Class' object has no attribute 'method'"):
            _ = instance.method
        with self.assertRaisesMessage(
            AttributeError, "type object 'Class' has no attribute 'method'"
        ):
            _ = cls.method


def is_here(function):
    return function.__globals__ is globals()


class OwnFunctionTests(SimpleTestCase):
    def function(self):
        return None

    def test_function_itself(self):
        function = OwnFunctionTests.function
        self.assertIs(trampolines.own_function(function, is_here), function)
        self.assertIsNone(trampolines.own_function(function, lambda candidate: False))

    def test_below_what_wraps_it(self):
        function = OwnFunctionTests.function
        # wraps() of the standard library: the wrapper is not a function of the test's.
        wrapper = functools.lru_cache(function)
        self.assertIs(trampolines.own_function(wrapper, is_here), function)

    def test_no_function(self):
        self.assertIsNone(trampolines.own_function(len, is_here))
        self.assertIsNone(trampolines.own_function(functools.partial(len), is_here))

    def test_describe(self):
        function = OwnFunctionTests.function
        line = function.__code__.co_firstlineno
        self.assertEqual(
            trampolines.describe(function), f"OwnFunctionTests.function ({__file__}:{line})"
        )
        self.assertEqual(trampolines.describe(len), "len")
        self.assertEqual(trampolines.describe(1), "1")


class AfterImportTests(SimpleTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.package = f"afterimport_{id(self)}"
        package = Path(folder.name, self.package)
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "watched.py").write_text("value = 'loaded'")
        (package / "broken.py").write_text("raise LookupError('while loading')")
        (package / "importer.py").write_text("from .watched import value")
        sys.path.insert(0, folder.name)
        self.addCleanup(sys.path.remove, folder.name)
        self.addCleanup(importlib.invalidate_caches)
        self.calls = []
        names = (f"{self.package}.watched", f"{self.package}.broken")
        self.finder = imports.AfterImport(names, self.then)
        sys.meta_path.insert(0, self.finder)
        self.addCleanup(sys.meta_path.remove, self.finder)
        self.addCleanup(self.forget)

    def forget(self):
        for name in [name for name in sys.modules if name.startswith(self.package)]:
            del sys.modules[name]

    def then(self, name):
        module = sys.modules[name]
        self.calls.append((name, module.value))
        module.value = "changed"

    def test_called_before_the_importer_goes_on(self):
        importer = importlib.import_module(f"{self.package}.importer")
        self.assertEqual(importer.value, "changed")
        self.assertEqual(self.calls, [(f"{self.package}.watched", "loaded")])

    def test_once(self):
        for _ in range(2):
            importlib.import_module(f"{self.package}.watched")
        self.assertEqual(len(self.calls), 1)

    def test_reloaded(self):
        module = importlib.import_module(f"{self.package}.watched")
        self.assertIs(importlib.reload(module), module)
        self.assertEqual(self.calls, [(f"{self.package}.watched", "loaded")] * 2)
        self.assertEqual(module.value, "changed")
        self.assertIs(type(module.__loader__), importlib.machinery.SourceFileLoader)

    def test_two_for_one_module(self):
        """The backport and the bridge change some modules both, in this order."""
        order = []
        second = imports.AfterImport([f"{self.package}.watched"], order.append)
        sys.meta_path.insert(0, second)
        self.addCleanup(sys.meta_path.remove, second)
        self.finder.then = lambda name: order.append("first")
        module = importlib.import_module(f"{self.package}.watched")
        self.assertEqual(order, ["first", f"{self.package}.watched"])
        self.assertIs(type(module.__loader__), importlib.machinery.SourceFileLoader)

    def test_loader_is_the_modules_own(self):
        module = importlib.import_module(f"{self.package}.watched")
        self.assertIs(type(module.__loader__), importlib.machinery.SourceFileLoader)
        self.assertIs(module.__spec__.loader, module.__loader__)

    def test_looking_is_not_importing(self):
        importlib.import_module(self.package)
        spec = importlib.util.find_spec(f"{self.package}.watched")
        self.assertEqual(spec.loader.get_source(spec.name), "value = 'loaded'")
        self.assertEqual(self.calls, [])

    def test_module_that_fails_to_load(self):
        with self.assertRaisesMessage(LookupError, "while loading"):
            importlib.import_module(f"{self.package}.broken")
        self.assertEqual(self.calls, [])
        self.assertNotIn(f"{self.package}.broken", sys.modules)

    def test_module_that_is_not_there(self):
        self.finder.modules |= {f"{self.package}.absent"}
        with self.assertRaises(ModuleNotFoundError):
            importlib.import_module(f"{self.package}.absent")
