"""The value of a header with URIs, which stays what it is in a queue as well."""

from __future__ import annotations

from email.policy import Policy

NAME = "List-Unsubscribe"
# RFC 5322, 2.1.1: the length of a line, without its end.
MAX_LINE = 998


class URIHeader(str):
    """The value of a List-Unsubscribe header: URIs in angle brackets.

    Python's email package would encode a URI that does not fit into a line of 78 characters (RFC
    2047), and nobody would find it any more (H64). It leaves the folding of a header to an object
    that has a name and can do that.
    """

    name = NAME
    # What Python's own objects have besides.
    defects: tuple[Exception, ...] = ()

    def fold(self, *, policy: Policy) -> str:
        """Return the lines of the header, of which each has as many URIs as fit, at least one."""
        limit = policy.max_line_length or MAX_LINE
        first, *others = self.split(", ")
        lines = [f"{self.name}: {first}"]
        for uri in others:
            if len(lines[-1]) + len(f", {uri}") <= limit:
                lines[-1] += f", {uri}"
            else:
                lines[-1] += ","
                lines.append(f" {uri}")
        return policy.linesep.join(lines) + policy.linesep
