"""Expressions that we have had to correct often, in the package and on pages that users read."""

import re
from pathlib import Path

from django.test import SimpleTestCase

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs", "django_mailers", "testproject")

# What is wrong, and what to write instead.
EXPRESSIONS = {
    r"(?<![Tt]here )\b(?:is|was) no (?!longer\b|more\b|less\b|\w+er than\b)": "is not a",
    r"(?<![Tt]here )\b(?:are|were) no (?!longer\b|more\b|less\b)": "are not",
    r"(?<![Tt]here )\b(?:are|were) none\b": "are not, or there are no",
    r"\bheed(?:s|ed|ing)?\b": "is ignored, is respected",
    r"\b[Aa]new\b": "again, a new one",
    r"\broads?\b": "way, code path",
    r"\b[Ww]hoever\b": "someone who, any code that",
    r"\bstop(?:s|ped)? to work\b": "stops working",
    r"\bin silence\b|\blost without a word\b": "silently",
    r'"""(?:Tell|Say|Says) whether\b': "Whether",
    r"\bhad better\b": "should",
}
# Phrases with one of these that are right: a name in code, a quotation.
ALLOWED = [
    'as "is not a", never "is no"',
]


def prose(text):
    """Return `text` with its lines joined, as an expression may be spread over two."""
    return re.sub(r"\s+(?:#:? )?", " ", text)


def found(text):
    """Yield each wrong expression in `text`, with what stands around it and what is right."""
    text = prose(text)
    for phrase in ALLOWED:
        text = re.sub(phrase, "", text)
    for pattern, better in EXPRESSIONS.items():
        for match in re.finditer(pattern, text):
            around = text[max(0, match.start() - 30) : match.end() + 30]
            yield f"...{around}...: {better}"


class EnglishTests(SimpleTestCase):
    maxDiff = None

    def test_expressions(self):
        wrong = []
        for page in PAGES:
            path = ROOT / page
            files = [path] if path.is_file() else sorted(path.rglob("*"))
            for file in files:
                name = file.relative_to(ROOT).as_posix()
                if file.suffix in {".py", ".rst", ".md"} and "_build" not in file.parts:
                    wrong += [f"{name}: {it}" for it in found(file.read_text())]
        self.assertEqual(wrong, [])

    def test_what_is_found(self):
        for text, count in [
            ("This is no error.", 1),
            ("This is\n    # no error.", 1),
            ("There is no error, and it is no longer one.", 0),
            ("It is no more than that, and no slower than before.", 0),
            ("Whoever stops to work heeds no road.", 4),
            ("The broadcast abroad", 0),
            ("They are none. There are none. They are None.", 1),
        ]:
            with self.subTest(text=text):
                self.assertEqual(len([*found(text)]), count)
