"""Names with a full stop, as people write them into settings."""

from email.headerregistry import AddressHeader

from django.test import SimpleTestCase

from django_mailers.mailboxes import quoted, unnamed


class MailboxTests(SimpleTestCase):
    def test_full_stops(self):
        """What is quoted in a header is the address alone in the envelope."""
        for mailbox, in_header in [
            ("Acme Inc. <a@example.com>", '"Acme Inc." <a@example.com>'),
            ("St. Gallen <a.b@example.com>", '"St. Gallen" <a.b@example.com>'),
            ("J. R. R. Tolkien <a@example.com>", '"J. R. R. Tolkien" <a@example.com>'),
            # These are left alone in a header: quotes in quotes, and an encoded word in such.
            ('"Acme" Inc. <a@example.com>', '"Acme" Inc. <a@example.com>'),
            ("=?utf-8?q?Acme?= Inc. <a@example.com>", "=?utf-8?q?Acme?= Inc. <a@example.com>"),
        ]:
            with self.subTest(mailbox):
                self.assertEqual(quoted(mailbox), in_header)
                address = unnamed(mailbox)
                parsed = AddressHeader.value_parser(in_header).all_mailboxes
                self.assertEqual([found.addr_spec for found in parsed], [address])

    def test_other_mailboxes(self):
        for mailbox in (
            "a@example.com",
            "Acme <a@example.com>",
            '"Acme Inc." <a@example.com>',
            "Acme Inc., Ltd. <a@example.com>",
            "Acme Inc. <a@example.com>, b@example.com",
            "Acme Inc. <a b@example.com>",
            "Acme Inc.",
            "",
        ):
            with self.subTest(mailbox):
                self.assertEqual((quoted(mailbox), unnamed(mailbox)), (mailbox, mailbox))
        self.assertIsNone(unnamed(None))
