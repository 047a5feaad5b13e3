"""Find code that Django 6.1 deprecates, and code that stops working once MAILERS is defined.

The `rules` resolve names through `Project`. So they find a function of Django's under any name that
it is imported by, and no other function of that name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from . import sources
from .context import Context
from .findings import AuditResult
from .modules import import_root, locate
from .names import Names
from .project import Module, Place, Project
from .rules import findings, setting_defined


def audit(
    paths: Iterable[Path],
    settings_module: str | None = None,
    defined: Mapping[str, Collection[Place]] | Collection[str] = (),
    settings_files: Collection[Path] = (),
) -> AuditResult:
    """Audit the Python files at `paths`.

    Arguments: `settings_module`, the dotted name of the settings, whose file is audited as such if
    it is among `paths`; `defined`, the settings that they define, in the source or otherwise,
    perhaps with the places; `settings_files`, the files that the settings consist of.
    """
    result = AuditResult()
    modules = []
    root = import_root(settings_module) if settings_module else None
    settings_file = locate(settings_module) if settings_module else None
    for path in paths:
        try:
            file = sources.read(path, root)
            if settings_module and settings_file and path.resolve() == settings_file.resolve():
                # It is imported by this name, whatever its folder looks like.
                file = replace(file, module=settings_module)
            modules.append(Module(file, Names(file)))
        except sources.Unreadable as error:
            result.unreadable.append(str(error))
        except RecursionError:
            result.unreadable.append(f"{path}: the code is nested too deeply")
    project = Project(modules, settings_module)
    # A rule may report a place in another module, and from several modules.
    found = {
        finding for module in project.modules for finding in findings(Context(project, module))
    }
    order = {module.file.path: position for position, module in enumerate(project.modules)}
    result.findings = sorted(
        found,
        key=lambda finding: (order[finding.path], finding.line, finding.column, finding.code),
    )
    result.findings += setting_defined.unseen(project, defined)
    if settings_files:
        result.other_settings = setting_defined.other_modules(project, settings_files)
    return result
