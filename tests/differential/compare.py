"""The comparison of two outcomes of an entry: without the app, and with it."""

from __future__ import annotations

# The category of Django 6.1's deprecations, by both of its names.
PENDING = {"RemovedInDjango2028Warning", "RemovedInDjango70Warning"}


def kind(bare, ours):
    """Return how the outcomes differ, or None.

    "sent" if only the one with the app is no error, "refused" if only that is one, "error" if both
    are, and "other" if neither is.
    """
    if bare.get("raised") or ours.get("raised"):
        if not ours.get("raised"):
            return "sent"
        if not bare.get("raised"):
            return "refused"
        if bare["raised"][0] != ours["raised"][0]:
            return "error"
    parts = ("returned", "arrived", "kept")
    return "other" if any(bare.get(part) != ours.get(part) for part in parts) else None


def strange_warnings(bare, ours):
    """Return the warnings with the app that a project could do nothing about.

    Those of a bare Django are as they were, and a pending deprecation names a line of the project.
    """
    if bare.get("raised"):
        # It did not come as far.
        return []
    return [
        warning
        for warning in ours["warnings"]
        if warning not in bare["warnings"] and not (warning[0] in PENDING and warning[1])
    ]


def is_deprecated(outcome):
    """Whether there was one of Django 6.1's deprecations, at a line of the project."""
    return any(category in PENDING and is_own for category, is_own, _ in outcome["warnings"])
