"""Each rule of `django_mailers.render` is tried when a process first uses it."""

import email.policy
from contextlib import ExitStack, contextmanager
from unittest import mock

from django.core.mail import EmailMultiAlternatives

from django_mailers.render import bodies, headers, selftest

from .support.processes import run_python
from .support.rendering import RenderTestCase, simple

RULES = {
    "text line": headers.TEXT_LINE,
    "address line": headers.ADDRESS_LINE,
    "address list": headers.ADDRESS_LIST,
    "date": headers.DATE,
    **bodies.TEXT,
    "file": bodies.FILE,
    "multipart": bodies.MULTIPART,
}
CACHES = (
    headers.senders,
    headers._utc_date,
    headers._before_message_id,
    bodies._headers,
    bodies._multipart_headers,
)


@contextmanager
def new_process():
    """Forget what is proved, as in a process that has not rendered anything yet."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(selftest.Rule, "has_failed", False))
        for cache in CACHES:
            cache.cache_clear()
            stack.callback(cache.cache_clear)
        before = {rule: rule.is_proved for rule in RULES.values()}
        try:
            for rule in before:
                rule.is_proved = False
            yield
        finally:
            for rule, is_proved in before.items():
                rule.is_proved = is_proved


def proved():
    return {name for name, rule in RULES.items() if rule.is_proved}


def folded_otherwise(before, after):
    """Let the policies of the email package write `after` in place of `before` into headers."""
    original = email.policy.EmailPolicy._fold

    def _fold(*args, **kwargs):
        return original(*args, **kwargs).replace(before, after)

    return mock.patch.object(email.policy.EmailPolicy, "_fold", _fold)


class RuleTests(RenderTestCase):
    def test_a_plain_message_proves_what_it_needs(self):
        with new_process():
            self.check(simple, fast=True)
            self.assertEqual(proved(), {"text line", "address line", "date", "7bit"})

    def test_each_rule_is_proved_by_the_first_message_that_needs_it(self):
        many = [f"customer{number}@example.com" for number in range(9)]
        plain = {"text line", "address line", "date", "7bit"}
        for more, make in [
            ({"address list"}, lambda: simple(to=many)),
            ({"8bit"}, lambda: simple(body="Größe\n")),
            ({"quoted-printable"}, lambda: simple(body="many words " * 40 + "= é")),
            ({"base64"}, lambda: simple(body="\u732b" * 60)),
            ({"file", "multipart"}, lambda: simple(attachments=[("a.png", b"x", "image/png")])),
            (
                {"multipart"},
                lambda: simple(EmailMultiAlternatives, alternatives=[("<p>", "text/html")]),
            ),
        ]:
            with self.subTest(more), new_process():
                self.check(simple, fast=True)
                self.check(make, fast=True)
                self.assertEqual(proved(), plain | more)

    def test_all_samples(self):
        with new_process():
            for name, rule in RULES.items():
                with self.subTest(name):
                    rule.prove()
                    self.assertIs(rule.is_proved, True)
            self.assertIs(selftest.Rule.has_failed, False)
        self.assertEqual(
            {name: bodies.encode_text(text.encode())[0] for name, text in selftest.TEXTS.items()},
            {name: name for name in selftest.TEXTS},
        )
        self.assertEqual([len(f"Subject: {value}") for value in selftest.SUBJECTS], [headers.LIMIT])

    def test_another_email_package(self):
        """Whatever a rule is about, a Python that does something else is left to do it."""
        many = [f"customer{number}@example.com" for number in range(9)]
        encode = bodies.quoprimime.body_encode
        for rule, patch, make in [
            ("text line", folded_otherwise("Subject:", "SUBJECT:"), simple),
            ("address line", folded_otherwise("To: ", "To:  "), simple),
            ("address list", folded_otherwise(",\r\n ", ",\r\n  "), lambda: simple(to=many)),
            # A date that is known for one: the next second may begin in between.
            ("date", folded_otherwise("+0000", "-0000"), simple),
            (
                "quoted-printable",
                mock.patch(
                    "email.quoprimime.body_encode",
                    lambda *args: encode(*args).replace("=3D", "=3d"),
                ),
                lambda: simple(body="many words " * 40 + "= é"),
            ),
            (
                "multipart",
                mock.patch("email.generator.Generator._handle_multipart", multipart_in_lower_case),
                lambda: simple(attachments=[("a.txt", "x", "text/plain")]),
            ),
        ]:
            with self.subTest(rule), new_process():
                with patch:
                    self.check(make, fast=False)
                self.assertNotIn(rule, proved())
                # From now on nothing is written directly.
                self.check(simple, fast=False)

    def test_an_email_package_that_raises(self):
        def fails(*args, **kwargs):
            raise LookupError("not today")

        with new_process():
            with mock.patch("email.message.MIMEPart.add_alternative", fails):
                self.check(lambda: simple(attachments=[("a.txt", "x", "text/plain")]), fast=False)
            self.check(simple, fast=False)

    def test_a_new_process(self):
        process = run_python(
            """
            configure()
            from django.core import mail
            from django_mailers import render
            from django_mailers.render import bodies, headers
            calls = []
            render.normally = calls.append
            render.render(mail.EmailMessage("s", "t", None, ["a@example.com"]))
            print(calls, [name for name, rule in bodies.TEXT.items() if rule.is_proved])
            print(headers.ADDRESS_LINE.is_proved, headers.ADDRESS_LIST.is_proved)
            """
        )
        self.assertEqual((process.stderr, process.stdout), ("", "[] ['7bit']\nTrue False\n"))


def multipart_in_lower_case(self, message):
    """Write the parts of `message` in lower case, between delimiters."""
    boundary = message.get_boundary() or self._make_boundary()
    message.set_boundary(boundary)
    for part in message.get_payload():
        self.write(f"--{boundary}{self._NL}")
        lines = part.as_string(policy=self.policy).lower().splitlines()
        self.write(self._NL.join([*lines, ""]))
    self.write(f"--{boundary}--{self._NL}")
