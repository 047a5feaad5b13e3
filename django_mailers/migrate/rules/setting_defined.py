"""A setting that MAILERS replaces and that a settings file defines.

https://docs.djangoproject.com/en/6.1/howto/mailers-migration/#migrating-to-mailers-settings
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from django_mailers.emailsettings import OPTIONS

from .. import files
from ..arguments import short_backend
from ..context import Context
from ..findings import Finding
from ..project import Place, Project
from ..settings import REPLACED, definitions

CODE = "setting-defined"


def findings(context: Context) -> Iterator[Finding]:
    for node, name, value in definitions(context):
        # A short name is a finding of its own.
        if name != "EMAIL_BACKEND" or short_backend(value) is None:
            yield context.finding(node, CODE, *_texts(name))


def unseen(
    project: Project, defined: Mapping[str, Collection[Place]] | Collection[str]
) -> list[Finding]:
    """Return the settings in `defined` that no audited module assigns.

    They are defined in another way, such as `vars().update()`, or in a module that is not audited.
    """
    if project.settings is None:
        return []
    seen = {name for module in project.settings_family for name in module.names.module.bindings}
    first = Place(project.settings.file.path, 1)
    found = [
        Finding(files.shown(place.path), place.line, 1, CODE, *_texts(name))
        for name in (REPLACED & set(defined)) - seen
        for place in (isinstance(defined, Mapping) and defined[name]) or [first]
    ]
    return sorted(found, key=lambda finding: (finding.path, finding.line, finding.problem))


def other_modules(project: Project, settings_files: Collection[Path]) -> list[str]:
    """Return the modules that build upon the settings and define some of their own.

    Arguments: `settings_files`, the files of the settings that are in force, which are left out.
    """
    return [
        module.file.module
        for module in project.settings_family
        if module.file.path.resolve() not in settings_files
        and not REPLACED.isdisjoint(module.names.module.bindings)
    ]


def _texts(name: str) -> tuple[str, str]:
    key = f"the option {OPTIONS[name]!r}" if name in OPTIONS else "'BACKEND'"
    return f"{name} is deprecated", f"make it {key} of a mailer in MAILERS"
