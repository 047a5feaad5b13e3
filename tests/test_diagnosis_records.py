"""Records that are wrong in ways that receivers punish: no step claims more than they say."""

from django.test import SimpleTestCase

from .support.servers import enter

try:
    from django_mailers.diagnosis.dns import Records, examine

    from .support.nameserver import NameServer
except ImportError:
    NameServer = None

DOMAIN = "example.com"
KEY = f"s1._domainkey.{DOMAIN}"
NOTHING_SAID = "It says nothing about other servers: end it with -all or ~all."
TO_ALL = "It allows every server in the world: end it with -all or ~all."
TO_CORRECT = "Receivers treat this as an error: correct the term."


def texts(**records):
    """Give TXT records; two underscores in a name are a dot."""
    return {(name.replace("__", "."), "TXT"): [f'"{text}"'] for name, text in records.items()}


class RecordsTestCase(SimpleTestCase):
    maxDiff = None

    def setUp(self):
        if NameServer is None:
            self.skipTest("dnspython is not installed.")

    def examine(self, records, domain=DOMAIN, selectors=()):
        server = enter(self, NameServer(records))
        steps = examine(domain, selectors, Records([(server.host, server.port)], timeout=5))
        return {step.name: (step.ok, step.detail, step.hint) for step in steps}

    def spf(self, record, others=()):
        return self.examine({(DOMAIN, "TXT"): [f'"{record}"'], **dict(others)})["spf"]


class SPFTests(RecordsTestCase):
    def test_terms_that_are_wrong(self):
        for term in [
            "ipv4:192.0.2.1",
            "ip4:192.0.2.1,192.0.2.2",
            "ip4:192.0.2.1/33",
            "ip4:192.0.2.0/255.255.255.0",
            "ip4:2001:db8::1",
            "ip6:192.0.2.1",
            "ip4",
            "include",
            "include:",
            "include:localhost",
            "include:a.example/24",
            "exists",
            "a:",
            "mx:a.example/x",
            "all:now",
            "allow",
            "include:%{z}.example",
            "include:%a.example",
            "redirect=",
            "spf1",
        ]:
            with self.subTest(term):
                record = f"v=spf1 {term} -all"
                detail = f"{record} ({term!r} is not a term of SPF)"
                self.assertEqual(self.spf(record), (False, detail, TO_CORRECT))

    def test_terms_that_are_right(self):
        addresses = {(DOMAIN, "A"): ["192.0.2.1"], (DOMAIN, "MX"): ["10 mx.example.com."]}
        for term, lookups in [
            ("ip4:192.0.2.0/24", 0),
            ("IP6:2001:db8::/32", 0),
            ("?a", 1),
            ("a/24", 1),
            ("a//64", 1),
            ("a:example.com/24//64", 1),
            ("mx/28", 1),
            ("~ptr", 1),
            ("ptr:example.com", 1),
            ("exists:example.com", 1),
            ("a:example.com.", 1),
            ("all=5 a.b-c_d=%{i}", 0),
        ]:
            with self.subTest(term):
                record = f"v=spf1 {term} -all"
                count = f"{lookups} look-up{'' if lookups == 1 else 's'}"
                self.assertEqual(self.spf(record, addresses), (True, f"{record} ({count})", ""))

    def test_what_is_behind_all_does_not_count(self):
        for record, expected in [
            ("v=spf1 -all exp=why.example.com", (True, "")),
            ("v=spf1 +all include:gone.example", (False, TO_ALL)),
            ("v=spf1 redirect=gone.example ~all", (True, "")),
            ("v=spf1 all -all", (False, TO_ALL)),
            ("v=spf1 ?all a a a a a a a a a a a", (True, NOTHING_SAID)),
        ]:
            with self.subTest(record):
                ok, detail, hint = self.spf(record)
                self.assertEqual((ok, hint), expected)
                self.assertEqual(detail, f"{record} (0 look-ups)")

    def test_everybody_is_allowed_by_another_record(self):
        for record, other, expected in [
            ("v=spf1 include:a.example -all", "v=spf1 +all", (False, TO_ALL)),
            ("v=spf1 include:a.example -all", "v=spf1 ip4:0.0.0.0/0 -all", (False, TO_ALL)),
            ("v=spf1 redirect=a.example", "v=spf1 +all", (False, TO_ALL)),
            # Who matches these may not send.
            ("v=spf1 -include:a.example -all", "v=spf1 +all", (True, "")),
            ("v=spf1 redirect=a.example", "v=spf1 ?all", (True, NOTHING_SAID)),
            ("v=spf1 redirect=a.example", "v=spf1 a:b.example", (True, NOTHING_SAID)),
            ("v=spf1 include:a.example", "v=spf1 -all", (True, NOTHING_SAID)),
        ]:
            with self.subTest(record, other=other):
                ok, _, hint = self.spf(record, texts(a__example=other))
                self.assertEqual((ok, hint), expected)

    def test_a_record_that_is_included_twice_counts_twice(self):
        six = " ".join(["a:example.com"] * 6)
        others = {**texts(a__example=f"v=spf1 {six} -all"), (DOMAIN, "A"): ["192.0.2.1"]}
        record = "v=spf1 include:a.example include:a.example -all"
        self.assertEqual(self.spf(record, others)[:2], (False, f"{record} (more than 10 look-ups)"))

    def test_records_that_name_each_other(self):
        record = "v=spf1 include:a.example -all"
        others = texts(
            a__example="v=spf1 include:b.example", b__example="v=spf1 redirect=a.example"
        )
        self.assertEqual(self.spf(record, others)[:2], (False, f"{record} (more than 10 look-ups)"))

    def test_an_included_domain_with_two_records(self):
        others = {("a.example", "TXT"): ['"v=spf1 -all"', '"v=spf1 ~all"']}
        record = "v=spf1 include:a.example -all"
        text = "a.example has 2 SPF records, and receivers accept only one"
        self.assertEqual(self.spf(record, others), (False, f"{record} ({text})", TO_CORRECT))

    def test_lookups_that_find_nothing(self):
        gone = " ".join(f"a:h{number}.example.com" for number in range(3))
        record = f"v=spf1 {gone} -all"
        self.assertEqual(
            self.spf(record),
            (
                False,
                f"{record} (3 look-ups find nothing, and 2 may)",
                "Receivers treat this as an error: remove unknown names.",
            ),
        )
        # One with an address of either version is there.
        others = {("h0.example.com", "AAAA"): ["2001:db8::1"]}
        self.assertEqual(self.spf(record, others), (True, f"{record} (3 look-ups)", ""))

    def test_mail_servers_of_a_name(self):
        others = {("a.example", "MX"): [f"10 m{number}.example." for number in range(11)]}
        record = "v=spf1 mx:a.example -all"
        text = "a.example has 11 mail servers, and 10 may be"
        self.assertEqual(self.spf(record, others), (False, f"{record} ({text})", TO_CORRECT))

    def test_macros(self):
        """What they stand for is known to receivers only: there may be more look-ups."""
        record = "v=spf1 include:%{ir}._spf.example.com -all"
        self.assertEqual(self.spf(record), (True, f"{record} (at least 1 look-up)", ""))
        twice = "v=spf1 redirect=a.example redirect=b.example"
        self.assertEqual(self.spf(twice)[:2], (False, f"{twice} (it has 'redirect' twice)"))


class OtherRecordsTests(RecordsTestCase):
    def test_mail_goes_to_the_address_of_a_domain_without_mx(self):
        found = self.examine({(DOMAIN, "A"): ["192.0.2.1"]})["mx"]
        self.assertEqual(
            found[:2], (True, "example.com has no MX record. Mail goes to its address: 192.0.2.1.")
        )

    def test_keys_with_which_nothing_can_be_verified(self):
        for record, text in [
            ("k=ed25519; p=YWJj", f"{KEY}: the key is for ed25519, and mailers sign with rsa."),
            ("h=sha1; p=YWJj", f"{KEY}: the key is for sha1, and mailers sign with sha256."),
            ("s=tlsrpt; p=YWJj", f"{KEY}: the key is for tlsrpt, not for mail."),
            ("v=DKIM1; p=abc", f"{KEY}: the key is not in base64."),
            # A wildcard may answer.
            ("v=DMARC1; p=none", f"{KEY} has no DKIM key."),
            ("p=YWJj; v=DKIM1", f"{KEY} has no DKIM key."),
        ]:
            with self.subTest(record):
                found = self.examine({(KEY, "TXT"): [f'"{record}"']}, selectors=[("s1", DOMAIN)])
                self.assertEqual(found["dkim"][:2], (False, text))
        for record in ["v=DKIM1; h=sha1:SHA256; s=*; k=RSA; p=YWJj", "p=YWJj; n=a note"]:
            with self.subTest(record):
                found = self.examine({(KEY, "TXT"): [f'"{record}"']}, selectors=[("s1", DOMAIN)])
                self.assertEqual(found["dkim"], (True, f"{KEY} has a key (rsa).", ""))

    def test_policies(self):
        for record, expected in [
            ("v=DMARC1; p=Reject", "reject, without reports"),
            ("v=DMARC1; p=reject; pct=5", "reject for 5 % of the mail, without reports"),
            ("v=DMARC1; p=quarantine; t=y", "quarantine, only as a test, without reports"),
        ]:
            with self.subTest(record):
                found = self.examine(texts(_dmarc__example__com=record))["dmarc"]
                self.assertEqual(found, (True, f"_dmarc.example.com: {expected}", ""))

    def test_the_organizational_domain(self):
        """Not the nearest of the domains above, but the highest that has a record."""
        top = "v=DMARC1; p=reject"
        for records, domain, expected in [
            (
                {"_dmarc__b__example__com": "v=DMARC1; p=none", "_dmarc__example__com": top},
                "a.b.example.com",
                "_dmarc.example.com: reject, without reports",
            ),
            (
                {"_dmarc__b__example__com": "v=DMARC1; p=reject; psd=n"},
                "a.b.example.com",
                "_dmarc.b.example.com: reject, without reports",
            ),
            (
                {
                    "_dmarc__shop__co__uk": top,
                    "_dmarc__co__uk": "v=DMARC1; p=none; psd=y",
                },
                "news.shop.co.uk",
                "_dmarc.shop.co.uk: reject, without reports",
            ),
            (
                {"_dmarc__co__uk": "v=DMARC1; p=quarantine; psd=y"},
                "shop.co.uk",
                "_dmarc.co.uk: quarantine, without reports",
            ),
        ]:
            with self.subTest(records):
                self.assertEqual(self.examine(texts(**records), domain)["dmarc"][1], expected)

    def test_a_long_name_is_not_climbed_step_by_step(self):
        server = enter(self, NameServer({}))
        [*_] = examine("a." * 100 + DOMAIN, [], Records([(server.host, server.port)], timeout=5))
        self.assertLess(len([name for name, _ in server.asked if "_dmarc" in name]), 9)

    def test_a_key_of_another_domain(self):
        """Only the key that signs for the sender is judged."""
        found = self.examine({}, selectors=[("s1", "other.example"), ("s1", DOMAIN)])
        self.assertEqual(
            found["alignment"],
            (True, "A signature of example.com counts for mail from example.com.", ""),
        )
        strict = texts(_dmarc__news__example__com="v=DMARC1; p=none; adkim=S")
        both = [("s1", DOMAIN), ("s2", "news.example.com")]
        self.assertIs(self.examine(strict, "news.example.com", both)["alignment"][0], True)
        self.assertIs(self.examine(strict, "news.example.com", both[:1])["alignment"][0], False)
        found = self.examine({}, selectors=[("s1", "other.example")])
        self.assertEqual(
            found["alignment"],
            (
                False,
                "Mail from example.com is not signed: the keys are for other.example.",
                "Sign as example.com.",
            ),
        )

    def test_text_of_a_record_does_not_reach_a_terminal_as_it_is(self):
        found = self.examine({(DOMAIN, "TXT"): ['"v=spf1 \\027[31m -all"']})["spf"]
        self.assertTrue(found[1].isprintable())

    def test_names_that_cannot_be_asked_for(self):
        for domain in ["a" * 64, "a..b", "", "b\0c.example", "ü" * 70]:
            with self.subTest(domain):
                found = self.examine({}, domain)
                self.assertEqual([ok for ok, _, _ in found.values()], [False] * 3)

    def test_what_is_not_a_name_server(self):
        with self.assertRaises(ValueError):
            Records([("dns.example", 53)])
