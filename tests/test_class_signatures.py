"""What a backend's class takes: one answer, and who goes by it."""

import functools

from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend as SMTPBackend
from django.test import SimpleTestCase

from django_mailers.migrate.backends import Backend
from django_mailers.signatures import SMTP, signature_of

from .support.bridge import BridgeTestCase


class Parent(BaseEmailBackend):
    """Written before MAILERS."""

    def __init__(self, region=None):
        super().__init__()

    def send_messages(self, messages):
        return len(messages)


class Child(Parent):
    def __init__(self, host=None, **kwargs):
        super().__init__(**kwargs)


class Grandchild(Child):
    def __init__(self, *args, key, **kwargs):
        super().__init__(*args, host="h", **kwargs)


class Changes(Parent):
    """What it does with its **kwargs cannot be followed."""

    def __init__(self, **kwargs):
        kwargs.setdefault("region", "north")
        super().__init__(**kwargs)


class TakesOut(Parent):
    def __init__(self, **kwargs):
        self.alias = kwargs.pop("alias", None)
        super().__init__(**kwargs)


class Named(Parent):
    def __init__(self, alias=None, **kwargs):
        super().__init__(**kwargs)


def decorated(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


class Decorated(BaseEmailBackend):
    @decorated
    def __init__(self, region, **kwargs):
        super().__init__(**kwargs)


class DecoratedOfOld(Parent):
    @decorated
    def __init__(self, region):
        super().__init__(region)


class HandsOn(SMTPBackend):
    def __init__(self, host, **kwargs):
        super().__init__(host=host, use_tls=True, region="north", **kwargs)


class Alone:
    def __init__(self, host, port=25):
        self.host = host

    def send_messages(self, messages):
        return len(messages)


class Made(BaseEmailBackend):
    def __new__(cls, region, *, alias):
        return super().__new__(cls)


def factory(region=None):
    return Parent(region)


def open_factory(region=None, **kwargs):
    return Parent(region)


TAKEN_BY_SMTP = {
    *("host", "port", "username", "password", "use_tls", "fail_silently", "use_ssl"),
    *("timeout", "ssl_keyfile", "ssl_certfile"),
}


class SignatureOfTests(SimpleTestCase):
    def assertTakes(self, backend, *names, alias, complete, possible=""):
        found = signature_of(backend)
        self.assertEqual(list(found.names), list(names))
        self.assertEqual(list(found.possible), possible.split())
        self.assertIs(found.takes_alias, alias)
        self.assertIs(found.is_complete, complete)
        return found

    def test_chain_without_alias(self):
        self.assertTakes(Parent, "region", alias=False, complete=True)
        self.assertTakes(Child, "host", "region", alias=False, complete=True)
        found = self.assertTakes(Grandchild, "key", "region", alias=False, complete=True)
        self.assertEqual((found.required, found.surplus), (["key"], []))
        self.assertTakes(Alone, "host", "port", alias=False, complete=True)

    def test_chain_that_cannot_be_followed(self):
        """As if all were handed on, unless the class knows the word; and nothing is certain."""
        self.assertTakes(Changes, alias=False, complete=False, possible="region")
        self.assertTakes(TakesOut, alias=True, complete=False, possible="region")
        self.assertTakes(Named, alias=True, complete=False, possible="region")
        self.assertTakes(Decorated, alias=True, complete=False, possible="region")
        self.assertTakes(DecoratedOfOld, alias=False, complete=False, possible="region")

    def test_djangos(self):
        found = signature_of(SMTPBackend)
        self.assertEqual(set(found.names), TAKEN_BY_SMTP)
        self.assertEqual((found.ends_in, found.required), (SMTP, ["host"]))
        self.assertTakes(BaseEmailBackend, alias=True, complete=True)

    def test_what_a_subclass_hands_on(self):
        found = signature_of(HandsOn)
        self.assertEqual(set(found.names), TAKEN_BY_SMTP - {"use_tls"})
        self.assertEqual((found.required, found.surplus), (["host"], ["region"]))
        self.assertIs(found.names["host"], HandsOn)
        self.assertIs(found.names["port"], SMTPBackend)

    def test_made_in_another_way(self):
        self.assertTakes(Made, alias=True, complete=False, possible="region")
        self.assertTakes(factory, alias=False, complete=False, possible="region")
        self.assertTakes(open_factory, alias=True, complete=False, possible="region")
        self.assertTakes(Alone("h").send_messages, alias=False, complete=False, possible="messages")
        self.assertTakes(object(), alias=True, complete=False)

    def test_without_source(self):
        namespace = {"Parent": Parent, "__name__": "nowhere"}
        exec(
            "class Hidden(Parent):\n"
            "    def __init__(self, host=None, **kwargs):\n"
            "        super().__init__(**kwargs)\n",
            namespace,
        )
        self.assertTakes(
            namespace["Hidden"], "host", alias=False, complete=False, possible="region"
        )


class OneAnswerTests(SimpleTestCase):
    """Migration goes by the same; system checks do in test_checks.py."""

    def test_migrate(self):
        for cls in (Parent, Child, Grandchild, Changes, TakesOut, Named, Decorated, HandsOn, Alone):
            with self.subTest(cls=cls.__name__):
                backend, signature = Backend(f"{__name__}.{cls.__name__}"), signature_of(cls)
                self.assertIs(backend.takes_alias, signature.takes_alias)
                for name in (*TAKEN_BY_SMTP, "region", "key", "file_path"):
                    self.assertIs(backend.takes(name), signature.may_take(name))


class BridgedTests(BridgeTestCase):
    CLASSES = """
    from django.core.mail.backends.base import BaseEmailBackend
    class Parent(BaseEmailBackend):
        def __init__(self, region=None):
            super().__init__()
        def send_messages(self, messages):
            return len(messages)
    class Child(Parent):
        def __init__(self, host=None, **kwargs):
            super().__init__(**kwargs)
    class Changes(Parent):
        def __init__(self, **kwargs):
            kwargs.setdefault("region", "north")
            super().__init__(**kwargs)
    class Silent(Parent):
        def __init__(self, fail_silently):
            super().__init__()
    class Surplus(BaseEmailBackend):
        def __init__(self, **kwargs):
            super().__init__(username="u", region="r", **kwargs)
        def send_messages(self, messages):
            return len(messages)
    def factory(region):
        return Parent(region)
    sys.modules["backends"] = sys.modules["__main__"]
    ALL = {
        "default": {"BACKEND": "backends.Child", "OPTIONS": {"host": "h"}},
        "changes": {"BACKEND": "backends.Changes"},
        "silent": {"BACKEND": "backends.Silent"},
        "factory": {"BACKEND": "backends.factory", "OPTIONS": {"region": "north"}},
        "surplus": {"BACKEND": "backends.Surplus"},
    }
    """

    def test_classes_that_hand_on_to_one_without_alias(self):
        self.on(
            self.dedent(self.CLASSES)
            + self.dedent(
                """
                start(MAILERS=ALL)
                from django.core import mail
                for alias in ALL:
                    sent = mail.send_mail("s", "", None, ["a@example.com"], using=alias)
                    assert (sent, mail.mailers[alias].alias) == (1, alias)
                assert (
                    "backends.Child.__init__() must accept 'alias', or **kwargs for its base class."
                ) in lines()
                """
            )
        )

    def test_off(self):
        """Django 6.1's error, which the system check has said before."""
        classes = self.dedent(self.CLASSES).partition("sys.modules")[0]
        self.assertRuns(
            """
            configure(MAILERS={"default": {"BACKEND": "backends.Child", "OPTIONS": {"host": "h"}}})
            from django.core import checks, mail
            assert [(m.id, m.msg) for m in checks.run_checks(tags=["mail"])] == [(
                "mailers.E006",
                "MAILERS['default']: The __init__() of BACKEND 'backends.Child' does not take "
                "'alias'.",
            )]
            try:
                mail.mailers["default"]
            except TypeError as error:
                assert str(error) == "Parent.__init__() got an unexpected keyword argument 'alias'"
            else:
                raise AssertionError("made")
            """,
            folder=self.project(backends=classes),
        )
