"""The comparison of two outcomes of an entry: without the app, and with it."""

from __future__ import annotations

from typing import Any

OURS = {"RemovedInDjango2028Warning", "RemovedInDjango70Warning"}


def differences(bare: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    """Return what is not the same, each as a line to be read by a person.

    Deprecations of Django 6.1 are expected, and no difference, if they name a line of the entry.
    """
    found = []
    for part in ("returned", "raised", "arrived", "kept"):
        before, after = bare.get(part), ours.get(part)
        if part == "raised":
            before, after = _kind(before), _kind(after)
        if before != after:
            found.append(f"{part}: {_shown(before)} -> {_shown(after)}")
    expected = [warning for warning in bare["warnings"] if warning[0] not in OURS]
    warnings = [warning for warning in ours["warnings"] if warning[0] not in OURS]
    if warnings != expected:
        found.append(f"warnings: {expected} -> {warnings}")
    found += [
        f"deprecation at a line of somebody else: {text}"
        for category, is_of_case, text in ours["warnings"]
        if category in OURS and not is_of_case and [category, is_of_case, text] not in bare["warnings"]
    ]
    return found


def warns(outcome: dict[str, Any]) -> bool:
    """Whether there was one of Django 6.1's deprecations, at a line of the entry."""
    return any(category in OURS and is_of_case for category, is_of_case, _ in outcome["warnings"])


def _kind(raised: list[str] | None) -> str | None:
    """Return the exception that code for Django 5.2 would catch."""
    return raised and raised[0]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 1500 else f"{text[:1500]}..."
