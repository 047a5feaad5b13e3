"""Make the changes that an audit is sure of, and leave every other character as it is."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from .findings import Fix


class Unfaithful(Exception):
    """LibCST cannot give a file back as it was, even with nothing changed."""


def is_available() -> bool:
    """Whether LibCST is installed; nothing else in this package needs it."""
    return find_spec("libcst") is not None


def rewritten(content: bytes, fixes: Iterable[Fix]) -> bytes:
    """Return `content`, the source of a module, with `fixes` made.

    Encoding and line ends stay what they are. Raises `Unfaithful` if anything else would not.
    """
    import libcst
    from libcst.metadata import MetadataWrapper

    from .transformer import Rewriter

    try:
        tree = libcst.parse_module(content)
    except libcst.ParserSyntaxError as error:
        # Syntax of a Python that this LibCST does not know yet.
        raise Unfaithful(f"LibCST cannot read it: {error.message}") from error
    if tree.bytes != content:
        # As with LibCST 1.8, which drops a blank line before one of mere spaces at the very end.
        raise Unfaithful("LibCST would change its white space")
    result: bytes = MetadataWrapper(tree, unsafe_skip_copy=True).visit(Rewriter(fixes)).bytes
    return result
