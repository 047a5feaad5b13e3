"""The LibCST part of `rewrite`; imported only when LibCST is there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import libcst as cst
from libcst.metadata import PositionProvider

from .findings import Fix
from .sources import Span

Whitespace = cst.BaseParenthesizableWhitespace


class Rewriter(cst.CSTTransformer):
    """Applies each fix to the node at its place.

    ast and LibCST agree on the places of calls, arguments and imported names.
    """

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, fixes: Iterable[Fix]) -> None:
        super().__init__()
        self.fixes = {(fix.kind, fix.span): fix for fix in fixes}

    def _fix(self, kind: str, node: cst.CSTNode) -> Fix | None:
        place = self.get_metadata(PositionProvider, node)
        start, end = place.start, place.end
        span: Span = (start.line, start.column, end.line, end.column)
        return self.fixes.get((kind, span))

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        if self._fix("call", original_node):
            return _default_mailer(updated_node)
        gone = [self._fix("argument", arg) is not None for arg in original_node.args]
        if not any(gone):
            return updated_node
        args = _without(updated_node.args, gone)
        if args:
            return updated_node.with_changes(args=args)
        return updated_node.with_changes(args=(), whitespace_before_args=cst.SimpleWhitespace(""))

    def leave_ImportFrom(
        self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom
    ) -> cst.BaseSmallStatement | cst.RemovalSentinel:
        if isinstance(original_node.names, cst.ImportStar):
            return updated_node
        fixes = [self._fix("alias", alias) for alias in original_node.names]
        if not any(fixes):
            return updated_node
        if isinstance(updated_node.names, cst.ImportStar):
            return updated_node
        names = _with_names(updated_node.names, fixes, _separator(updated_node))
        return updated_node.with_changes(names=names) if names else cst.RemoveFromParent()


def _default_mailer(call: cst.Call) -> cst.Attribute:
    """Return `mailers.default`, with the prefix that get_connection had."""
    mailers: cst.BaseExpression = cst.Name("mailers")
    if isinstance(call.func, cst.Attribute):
        mailers = call.func.with_changes(attr=cst.Name("mailers"))
    return cst.Attribute(mailers, cst.Name("default"), lpar=call.lpar, rpar=call.rpar)


def _without(args: Sequence[cst.Arg], gone: Sequence[bool]) -> list[cst.Arg]:
    """Return `args` without those that are `gone`. The end of the last one is kept."""
    kept = [arg for arg, is_gone in zip(args, gone, strict=True) if not is_gone]
    if kept and gone[-1]:
        kept[-1] = _ending_like(args[-1], kept[-1])
    return kept


def _ending_like(last: cst.Arg, arg: cst.Arg) -> cst.Arg:
    """Return `arg` with the comma and the space that `last` has after it."""
    space = arg.comma.whitespace_after if isinstance(arg.comma, cst.Comma) else None
    if not isinstance(space, cst.ParenthesizedWhitespace) or not _has_comment(space):
        return arg.with_changes(comma=last.comma, whitespace_after_arg=last.whitespace_after_arg)
    # A comment at the end of the line can only follow a comma.
    after: Whitespace = last.whitespace_after_arg
    if isinstance(last.comma, cst.Comma):
        after = last.comma.whitespace_after
    if isinstance(after, cst.ParenthesizedWhitespace):
        space = space.with_changes(indent=after.indent, last_line=after.last_line)
    return arg.with_changes(comma=cst.Comma(whitespace_after=space))


def _has_comment(space: cst.ParenthesizedWhitespace) -> bool:
    return bool(space.first_line.comment) or any(line.comment for line in space.empty_lines)


def _with_names(
    aliases: Sequence[cst.ImportAlias], fixes: Sequence[Fix | None], separator: cst.Comma
) -> list[cst.ImportAlias]:
    """Return `aliases` with each fix made, and commas as they were."""
    present = {alias.evaluated_name for alias, fix in zip(aliases, fixes, strict=True) if not fix}
    names: list[cst.ImportAlias] = []
    for alias, fix in zip(aliases, fixes, strict=True):
        if fix is None:
            names.append(alias)
            continue
        wanted = [_alias(name) for name in fix.names if name not in present]
        names += [name.with_changes(comma=separator.deep_clone()) for name in wanted]
        if wanted:
            # It may have a comment.
            names[-1] = names[-1].with_changes(comma=alias.comma)
    if names:
        names[-1] = names[-1].with_changes(comma=aliases[-1].comma)
        for position, name in enumerate(names[:-1]):
            if not isinstance(name.comma, cst.Comma):
                names[position] = name.with_changes(comma=separator.deep_clone())
    return names


def _alias(text: str) -> cst.ImportAlias:
    name, _, local = text.partition(" as ")
    return cst.ImportAlias(cst.Name(name), cst.AsName(cst.Name(local)) if local else None)


def _separator(statement: cst.ImportFrom) -> cst.Comma:
    """Return the comma between names of `statement`, which may have a line each."""
    opening = statement.lpar.whitespace_after if statement.lpar is not None else None
    if isinstance(opening, cst.ParenthesizedWhitespace) and not _has_comment(opening):
        return cst.Comma(whitespace_after=opening)
    return cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
