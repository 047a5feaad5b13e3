"""What the email package of this Python does, compared with what is written here in its place.

The package changes in patch releases, and distributions and projects patch it. So each rule is
tried on samples against the package itself when a process first uses it: a plain message needs a
few of them, which takes as long as letting the package write that message. A single difference
ends all direct rendering in that process.
"""

from __future__ import annotations

from collections.abc import Callable

_FITS = 78 - len("Subject: ")
# Short, as parsing them takes the time: each has all that its rule is about.
SUBJECTS = ('a: b; "c" <d@example.com>, (e) [f] \\g @h \' * ? = _ % $ '.ljust(_FITS, "y"),)
ADDRESS_LINES = ("A b <c.d+e@f-g.example>, h=i@j",)
ADDRESS_LISTS = (
    "a" * 30 + "@example.com, " + "b" * 20 + "@example.com",
    ", ".join("a" * size + "@example.com" for size in (20, 43, 5, 7, 12, 9, 30, 33, 63, 2)),
)
# One for each transfer encoding.
TEXTS = {
    "7bit": "Only ASCII,\r\nand short lines.\rFrom here\n.\n",
    "8bit": "Gr\xfc\xdfe\nFrom K\xf6ln\n",
    "quoted-printable": "a=b words " * 30
    + "\xe9\n"
    + '<p id="a">A\xdf and some more words</p>\t.\x00\x0b\x7f \n.\n' * 12,
    "base64": "\u732b" * 60 + "\n" + "\U0001f389" * 40,
}
FILE = bytes(range(256))


class NotProved(Exception):
    """The result cannot be proved to be that of the email package, which has to write it."""


class Rule:
    """A rule by which bytes are written without the email package.

    Arguments: `samples_agree`, called before the rule is first used, returns whether its samples
    come out as the package writes them.
    """

    __slots__ = ("is_proved", "samples_agree")

    # Whether the samples of a rule, whichever it was, came out differently in this process.
    has_failed = False

    def __init__(self, samples_agree: Callable[[], bool]) -> None:
        self.samples_agree = samples_agree
        self.is_proved = False

    def prove(self) -> None:
        """Try the samples, for the first time or once more; raise `NotProved` if they differ."""
        try:
            self.is_proved = self.samples_agree()
        except Exception as error:
            # A patched package may raise anything; then nothing is known about the rule.
            Rule.has_failed = True
            raise NotProved from error
        if not self.is_proved:
            Rule.has_failed = True
            raise NotProved
