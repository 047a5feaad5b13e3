"""The values of the EMAIL_* settings, with or without MAILERS."""

from __future__ import annotations

import importlib
import os
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from django.conf import ENVIRONMENT_VARIABLE, settings
from django.core.exceptions import ImproperlyConfigured

from django_mailers.emailsettings import DEFAULTS, defined_among, defined_settings

from . import files
from .expressions import SettingsSource
from .project import Place


class Unimportable(Exception):
    """The settings module `name` cannot be imported. The message has the reason and the place."""

    def __init__(self, name: str, error: BaseException) -> None:
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        own = [
            f"{files.shown(Path(frame.filename))}:{frame.lineno}"
            for frame in traceback.extract_tb(error.__traceback__)
            if files.is_own(Path(frame.filename))
        ]
        where = f" ({own[-1]})" if own and not isinstance(error, SyntaxError) else ""
        super().__init__(f"{name} cannot be imported: {files.shortened(text)}{where}")
        self.name = name


@dataclass(frozen=True)
class Configuration:
    """`values` has all settings that MAILERS replaces; the project defines those in `explicit`.

    `module` is the settings module, or None without one; `name` is the name that it is imported by,
    which may differ from the name that it has. `error` is the reason why Django cannot load it, or
    None.
    """

    values: Mapping[str, Any]
    explicit: frozenset[str]
    has_mailers: bool
    module: ModuleType | None = None
    name: str | None = None
    installed_apps: tuple[str, ...] = ()
    error: ImproperlyConfigured | None = field(default=None, compare=False)

    @property
    def module_name(self) -> str | None:
        return self.name or (None if self.module is None else self.module.__name__)

    @cached_property
    def source(self) -> SettingsSource | None:
        """The source of the settings files, or None without any."""
        return SettingsSource.of(self.module, self.name)

    @property
    def names(self) -> frozenset[str]:
        """The settings to replace: those that are defined now, or assigned anywhere."""
        return self.explicit | (self.source.names if self.source is not None else set())

    @property
    def places(self) -> dict[str, list[Place]]:
        """The places where each of `names` is assigned, as far as the source shows them."""
        if self.source is None:
            return {name: [] for name in self.names}
        return {name: self.source.places(name) or self.source.unseen for name in self.names}

    def without_copies(self) -> Configuration:
        """Return this without defaults of Django that the source does not assign.

        django-configurations, for example, defines every setting.
        """
        if self.source is None:
            return self
        copied = {name for name in self.explicit if self.values[name] == DEFAULTS[name]}
        return replace(self, explicit=self.explicit - (copied - self.source.names))


def current() -> Configuration:
    """Return the configuration of this process.

    Django 6.1 cannot load settings with both MAILERS and EMAIL_*; then the module that defines them
    is read directly. Raises `Unimportable` for an error that the module itself raises, and
    ImproperlyConfigured without DJANGO_SETTINGS_MODULE.
    """
    name = os.environ.get(ENVIRONMENT_VARIABLE)
    try:
        apps = tuple(settings.INSTALLED_APPS)
    except ImproperlyConfigured as error:
        if not name:
            raise
        return of_module(_imported(name), error, name)
    except (Exception, SystemExit) as error:  # settings are code: they may raise anything
        raise Unimportable(name or "the settings", error) from error
    # Django 2028: reading them from `settings` is deprecated, and fails if MAILERS is defined.
    holder = settings._wrapped
    explicit = defined_settings(holder) - {"MAILERS"}
    used = getattr(holder, "SETTINGS_MODULE", None)
    return Configuration(
        values={setting: getattr(holder, setting, DEFAULTS[setting]) for setting in DEFAULTS},
        explicit=frozenset(explicit),
        has_mailers=hasattr(holder, "MAILERS"),
        module=importlib.import_module(used) if used else None,
        name=used,
        installed_apps=apps,
    ).without_copies()


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # as above
        raise Unimportable(name, error) from error


def of_module(
    module: ModuleType, error: ImproperlyConfigured | None = None, name: str | None = None
) -> Configuration:
    """Return the configuration that the settings module defines."""
    own = vars(module)
    return Configuration(
        values={setting: own.get(setting, default) for setting, default in DEFAULTS.items()},
        explicit=frozenset(defined_among(own) - {"MAILERS"}),
        has_mailers="MAILERS" in own,
        module=module,
        name=name,
        installed_apps=tuple(own.get("INSTALLED_APPS", ())),
        error=error,
    ).without_copies()
