"""docs/hazards.rst: a number that is cited, such as (H34), leads to an entry there."""

import re
from collections import Counter
from pathlib import Path

from django.test import SimpleTestCase

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "hazards.rst"
CITING = ("django_mailers", "tests", "testproject", "benchmarks")

# A definition list whose terms are inline targets: the number can be linked to.
ENTRY = re.compile(r"^_`(H[0-9]+)`: (\S.*)\n((?: {4}.*\n|\n)+)", re.MULTILINE)
CITED = re.compile(r"\bH[0-9]{1,2}\b")


def cited_numbers():
    """Yield each number that a source file cites, with the file and the line."""
    for folder in CITING:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for number, line in enumerate(path.read_text().split("\n"), 1):
                for found in CITED.finditer(line):
                    yield found[0], f"{path.relative_to(ROOT)}:{number}"


class HazardTests(SimpleTestCase):
    def setUp(self):
        self.entries = ENTRY.findall(PAGE.read_text())

    def test_each_number_that_is_cited_has_an_entry(self):
        known = {number for number, _, _ in self.entries}
        cited = list(cited_numbers())
        self.assertIn("H34", {number for number, _ in cited})
        missing = [f"{place}: {number}" for number, place in cited if number not in known]
        self.assertEqual(missing, [])

    def test_code_and_tests_cite_the_newer_entries(self):
        """For those up to H40 there is more than one place, or they are about the whole."""
        cited = {"django_mailers": set(), "tests": set()}
        for number, place in cited_numbers():
            cited.setdefault(place.split("/")[0], set()).add(number)
        newer = {number for number, _, _ in self.entries if int(number[1:]) > 40}
        self.assertEqual(newer - cited["django_mailers"], set())
        self.assertEqual(newer - cited["tests"], set())

    def test_each_entry_stands_once_and_in_order(self):
        numbers = [number for number, _, _ in self.entries]
        self.assertEqual(numbers, [f"H{number}" for number in range(1, len(numbers) + 1)])
        titles = Counter(title for _, title, _ in self.entries)
        self.assertEqual([title for title, count in titles.items() if count > 1], [])

    def test_each_entry_says_what_is_done_about_it(self):
        for number, _, text in self.entries:
            with self.subTest(number=number):
                problem, *answers = text.split("    *Here:* ")
                self.assertEqual(len(answers), 1)
                self.assertTrue(problem.strip() and answers[0].strip())

    def test_the_table_of_contents_has_the_page(self):
        index = (ROOT / "docs" / "index.rst").read_text()
        self.assertRegex(index, r"(?m)^   hazards$")
