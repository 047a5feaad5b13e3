"""The aliases that a wrapper names: whether they exist, and lead nowhere but away from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.core import mail
from django.core.mail import InvalidMailer
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from .wrapper import Wrapper

# What was found to be sound, as it is asked for every message: for each alias the MAILERS that
# were looked at, and what the wrapper names.
_sound: dict[str | None, tuple[Any, list[tuple[str, str]]]] = {}
# Of build_mailer() there may be any number of aliases.
MAX_SOUND = 256


def check_aliases(wrapper: Wrapper) -> None:
    """Raise InvalidMailer if an option of `wrapper` names an unknown mailer, or leads back."""
    named = list(wrapper.named())
    settings = mail.mailers.settings
    checked, sound = _sound.get(wrapper.alias, (None, None))
    if checked is settings and sound == named:
        return
    for option, alias in named:
        if alias not in settings:
            raise unknown(wrapper, alias)
        way = _way_back(alias, wrapper.alias)
        if way is not None:
            raise circle(wrapper, option, [wrapper.alias, *way])
    if len(_sound) >= MAX_SOUND:
        _sound.clear()
    _sound[wrapper.alias] = settings, named


def unknown(wrapper: Wrapper, alias: str) -> InvalidMailer:
    """Return the error for an alias that is not in MAILERS."""
    option = _option_of(wrapper, alias)
    origin = "The mailer" if option is None else f"OPTIONS {option!r}"
    return InvalidMailer(f"{origin} names {alias!r}, which is not in MAILERS.", alias=wrapper.alias)


def circle(wrapper: Wrapper, option: str | None, way: Sequence[str | None]) -> InvalidMailer:
    """Return the error for aliases that lead back to where they come from."""
    origin = "The mailer" if option is None else f"OPTIONS {option!r}"
    path = " -> ".join(map(repr, way))
    return InvalidMailer(f"{origin} leads back to the mailer itself: {path}.", alias=wrapper.alias)


def _option_of(wrapper: Wrapper, alias: str) -> str | None:
    return next((option for option, named in wrapper.named() if named == alias), None)


def _way_back(start: str, goal: str | None) -> list[str] | None:
    """Return the shortest way from `start` to `goal` through MAILERS, both ends included."""
    ways, seen = [[start]], {start}
    for way in ways:
        if way[-1] == goal:
            return way
        for alias in named_by(way[-1]):
            if alias not in seen:
                seen.add(alias)
                ways.append([*way, alias])
    return None


def named_by(alias: str) -> Iterator[str]:
    """Yield the aliases that the entry `alias` of MAILERS names, if its backend is a wrapper.

    It is read, and not made: making a backend may do anything.
    """
    names = getattr(backend_of(alias), "alias_options", ())
    options = (mail.mailers.settings[alias].get("OPTIONS") or {}) if names else {}
    for name in names:
        value = options.get(name)
        yield from [value] if isinstance(value, str) else value or ()


def backend_of(alias: str) -> Any:
    """Return the class of the mailer `alias`; None if that cannot be imported."""
    entry = mail.mailers.settings.get(alias)
    if not isinstance(entry, Mapping) or not isinstance(entry.get("BACKEND"), str):
        return None
    try:
        return import_string(entry["BACKEND"])
    except ImportError:
        return None  # Said when the mailer is made.
