"""The records of a domain, looked up at a name server of the tests."""

import io

from django.core.management import call_command
from django.test import SimpleTestCase, override_settings

from .support.servers import SMTPServer, enter
from .support.utils import OURS

try:
    from django_mailers.diagnosis.dns import Records, examine

    from .support.nameserver import NameServer
except ImportError:
    NameServer = None

DOMAIN = "example.com"
GOOD = {
    (DOMAIN, "MX"): ["20 backup.example.com.", "10 mx.example.com."],
    (DOMAIN, "TXT"): ['"google-site-verification=1"', '"v=spf1 ip4:192.0.2.1 mx -all"'],
    ("_dmarc.example.com", "TXT"): ['"v=DMARC1; p=reject; rua=mailto:dmarc@example.com"'],
    ("s1._domainkey.example.com", "TXT"): ['"v=DKIM1; k=rsa; p=MIIB" "IjAN"'],
}


class DNSTests(SimpleTestCase):
    maxDiff = None

    def setUp(self):
        if NameServer is None:
            self.skipTest("dnspython is not installed.")

    def examine(self, records, domain=DOMAIN, selectors=(), **options):
        server = enter(self, NameServer(records, **options))
        steps = examine(domain, selectors, Records([(server.host, server.port)], timeout=2))
        return {step.name: (step.ok, step.detail, step.hint) for step in steps}

    def test_all_is_well(self):
        self.assertEqual(
            self.examine(GOOD, selectors=[("s1", DOMAIN)]),
            {
                "mx": (True, "mx.example.com, backup.example.com", ""),
                "spf": (True, "v=spf1 ip4:192.0.2.1 mx -all (1 look-up)", ""),
                "dmarc": (True, "_dmarc.example.com: reject, with reports", ""),
                "dkim": (True, "s1._domainkey.example.com has a key (rsa).", ""),
                "alignment": (
                    True,
                    "A signature of example.com counts for mail from example.com.",
                    "",
                ),
            },
        )

    def test_nothing_is_there(self):
        found = self.examine({}, selectors=[("s1", DOMAIN)])
        self.assertEqual(
            {name: (ok, detail) for name, (ok, detail, _) in found.items()},
            {
                "mx": (False, "example.com has no MX record."),
                "spf": (False, "example.com has no TXT record."),
                "dmarc": (False, "_dmarc.example.com has no DMARC record."),
                "dkim": (False, "s1._domainkey.example.com has no TXT record."),
                "alignment": (True, "A signature of example.com counts for mail from example.com."),
            },
        )
        self.assertTrue(all(hint for name, (ok, _, hint) in found.items() if not ok))

    def test_a_server_that_is_silent(self):
        server = enter(self, NameServer(is_silent=True))
        steps = [*examine(DOMAIN, [], Records([(server.host, server.port)], timeout=0.2))]
        self.assertEqual(
            [(step.ok, step.hint) for step in steps],
            [(False, "Ask again, or look at the name servers.")] * 3,
        )

    def spf(self, *values, **others):
        records = {(DOMAIN, "TXT"): [f'"{value}"' for value in values]}
        records |= {(name.replace("_", "."), "TXT"): [f'"{v}"'] for name, v in others.items()}
        return self.examine(records)["spf"]

    def test_spf(self):
        nothing_said = "It says nothing about other servers: end it with -all or ~all."
        many = " ".join(f"a:h{number}.example.com" for number in range(11))
        for values, others, expected in [
            (
                ["v=spf1 -all", "v=spf1 ~all"],
                {},
                (False, "example.com has 2 SPF records, and receivers accept only one."),
            ),
            (["v=spf10 -all"], {}, (False, "example.com has no SPF record.")),
            (["v=spf1 +all"], {}, (False, "v=spf1 +all (0 look-ups)")),
            (["v=spf1 all"], {}, (False, "v=spf1 all (0 look-ups)")),
            (["v=spf1 ~all"], {}, (True, "v=spf1 ~all (0 look-ups)")),
            (["v=spf1 ?all"], {}, (True, "v=spf1 ?all (0 look-ups)", nothing_said)),
            (
                ["v=spf1 ip4:192.0.2.1"],
                {},
                (True, "v=spf1 ip4:192.0.2.1 (0 look-ups)", nothing_said),
            ),
            (
                ["v=spf1 include:a.example -all"],
                {"a_example": "v=spf1 include:b.example a mx ?all", "b_example": "v=spf1 -all"},
                (True, "v=spf1 include:a.example -all (4 look-ups)", ""),
            ),
            (
                ["v=spf1 redirect=a.example"],
                {"a_example": "v=spf1 a -all"},
                (True, "v=spf1 redirect=a.example (2 look-ups)", ""),
            ),
            (
                ["v=spf1 include:gone.example -all"],
                {},
                (
                    False,
                    "v=spf1 include:gone.example -all (gone.example has no TXT record.)",
                    "Receivers treat this as an error: remove the term.",
                ),
            ),
            (
                [f"v=spf1 {many} -all"],
                {},
                (False, f"v=spf1 {many} -all (11 look-ups; at most 10 are allowed)"),
            ),
            (
                ["v=spf1 include:a.example -all"],
                {"a_example": "v=spf1 include:a.example -all"},
                (True, "v=spf1 include:a.example -all (2 look-ups)"),
            ),
        ]:
            with self.subTest(values):
                self.assertEqual(self.spf(*values, **others)[: len(expected)], expected)

    def test_mx(self):
        found = self.examine({(DOMAIN, "MX"): ["0 ."]})["mx"]
        self.assertEqual(found[:2], (False, "example.com says that it takes no mail."))

    def test_dkim(self):
        name = "s1._domainkey.example.com"
        for values, expected in [
            (['"v=DKIM1; p="'], (False, f"{name}: the key was withdrawn.")),
            (['"v=DKIM1"'], (False, f"{name} has no DKIM key.")),
            (['"p=abc"', '"p=def"'], (False, f"{name} has 2 keys.")),
            (
                ['"v=DKIM1; t=y; k=ed25519; p=abc"'],
                (True, f"{name} has a key (ed25519). It says that the domain only tests DKIM."),
            ),
        ]:
            with self.subTest(values):
                found = self.examine({(name, "TXT"): values}, selectors=[("s1", DOMAIN)])
                self.assertEqual(found["dkim"][:2], expected)

    def test_dmarc(self):
        for records, domain, expected in [
            (
                {"_dmarc.example.com": "v=DMARC1; p=none"},
                DOMAIN,
                (True, "_dmarc.example.com: none, without reports"),
            ),
            (
                {"_dmarc.example.com": "v=DMARC1; p=reject; sp=quarantine; rua=mailto:a@b.example"},
                "news.shop.example.com",
                (True, "_dmarc.example.com: quarantine, with reports"),
            ),
            (
                {"_dmarc.example.com": "v=DMARC1; p=never"},
                DOMAIN,
                (False, "_dmarc.example.com: the policy 'never' is unknown."),
            ),
            (
                {"_dmarc.example.com": "v=DMARC2; p=none"},
                DOMAIN,
                (False, "_dmarc.example.com has no DMARC record."),
            ),
        ]:
            with self.subTest(records):
                given = {(name, "TXT"): [f'"{value}"'] for name, value in records.items()}
                self.assertEqual(self.examine(given, domain)["dmarc"][:2], expected)

    def test_alignment(self):
        strict = {("_dmarc.example.com", "TXT"): ['"v=DMARC1; p=none; adkim=s"']}
        for records, domain, signing, ok in [
            ({}, "news.example.com", "example.com", True),
            ({}, "example.com", "news.example.com", False),
            ({}, "badexample.com", "example.com", False),
            (strict, "news.example.com", "example.com", False),
            (strict, "example.com", "example.com", True),
        ]:
            with self.subTest(domain, signing=signing):
                found = self.examine(records, domain, [("s", signing)])
                self.assertIs(found["alignment"][0], ok)

    def test_the_command(self):
        server = enter(self, NameServer(GOOD))
        mail_server = enter(self, SMTPServer())
        output = io.StringIO()
        signing = {"domain": DOMAIN, "selector": "s1", "key": "/nowhere/key.pem"}
        options = {"host": mail_server.host, "port": mail_server.port, "dkim": signing}
        with override_settings(
            MAILERS={"default": {"BACKEND": OURS, "OPTIONS": options}},
            DEFAULT_FROM_EMAIL="Shop <shop@example.com>",
        ):
            call_command(
                *("mailers", "verify", "--dns", "--nameserver", f"{server.host}:{server.port}"),
                stdout=output,
                no_color=True,
            )
        shown = output.getvalue()
        self.assertIn("DNS of example.com\n  ok   mx            mx.example.com", shown)
        self.assertIn("  ok   dkim          s1._domainkey.example.com has a key", shown)
