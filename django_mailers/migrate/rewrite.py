"""Make the changes that an audit is sure of, and leave all other code as it is."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from .findings import Fix


class Unfaithful(Exception):
    """LibCST does not reproduce a file exactly, even without a change."""


def is_available() -> bool:
    """Whether LibCST is installed, which only this module and `transformer` need."""
    return find_spec("libcst") is not None


def rewritten(content: bytes, fixes: Iterable[Fix]) -> bytes:
    """Return `content`, the source of a module, with `fixes` made.

    Encoding and line ends stay the same. Raises `Unfaithful` if anything else would change.
    """
    import libcst
    from libcst.metadata import MetadataWrapper

    from .transformer import Rewriter

    try:
        tree = libcst.parse_module(content)
    except libcst.ParserSyntaxError as error:
        # A syntax that this LibCST does not know yet.
        raise Unfaithful(f"LibCST cannot read it: {error.message}") from error
    if tree.bytes != content:
        # LibCST 1.8 drops a blank line before a last line of nothing but spaces.
        raise Unfaithful("LibCST would change its white space")
    result: bytes = MetadataWrapper(tree, unsafe_skip_copy=True).visit(Rewriter(fixes)).bytes
    return result
