"""The EMAIL_* settings as they are in force, whether or not MAILERS is there."""

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
    """The settings module `name` cannot be imported; says why, and where."""

    def __init__(self, name: str, error: BaseException) -> None:
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        own = [
            f"{files.shown(Path(frame.filename))}:{frame.lineno}"
            for frame in traceback.extract_tb(error.__traceback__)
            if files.is_own(Path(frame.filename))
        ]
        where = f" ({own[-1]})" if own and not isinstance(error, SyntaxError) else ""
        super().__init__(f"{name}: it cannot be imported: {files.shortened(text)}{where}")
        self.name = name


@dataclass(frozen=True)
class Configuration:
    """`values` has each of the settings that MAILERS replaces; the project defines `explicit`.

    `module` is the settings module, None if there is none, and `name` what it is imported as if
    that is not the name it has; `error` is what keeps Django from
    loading it, None if nothing does.
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
        """What the settings files say, None without any."""
        return SettingsSource.of(self.module, self.name)

    @property
    def names(self) -> frozenset[str]:
        """The settings to be replaced: defined now, or assigned where that does not count now."""
        return self.explicit | (self.source.names if self.source is not None else set())

    @property
    def places(self) -> dict[str, list[Place]]:
        """Where each of `names` is assigned, as far as one can see."""
        if self.source is None:
            return {name: [] for name in self.names}
        return {name: self.source.places(name) or self.source.unseen for name in self.names}

    def without_copies(self) -> Configuration:
        """Return this without defaults of Django's that nobody wrote down.

        django-configurations, for one, defines every setting there is.
        """
        if self.source is None:
            return self
        copied = {name for name in self.explicit if self.values[name] == DEFAULTS[name]}
        return replace(self, explicit=self.explicit - (copied - self.source.names))


def current() -> Configuration:
    """Return the configuration of this process.

    Settings with both MAILERS and EMAIL_* cannot be loaded on Django 6.1; then the module that
    defines them is read as it is. Raises `Unimportable` for an error that it raises itself, and
    ImproperlyConfigured where no settings are named.
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
    # The object behind `settings`: reading these through it warns, and fails beside MAILERS.
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
