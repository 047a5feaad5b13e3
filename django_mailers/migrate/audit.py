"""Find what Django 6.1 deprecates, and what stops to work once MAILERS is defined.

The rules are in `calls` (whatever sends), `attachments`, `declarations` (classes, imports, LOGGING)
and `definitions` (the settings). Each looks at names through `Project`, so that it finds a thing
under whatever name it was imported, and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from . import files
from .context import Context
from .findings import AuditResult
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

    `settings_module` is the dotted name of the settings, which are judged as such if their file is
    among `paths`; `defined` are the settings that they are known to define, seen or not, perhaps
    with the places where; `settings_files` are the files that they consist of.
    """
    result = AuditResult()
    modules = []
    root = files.import_root(settings_module) if settings_module else None
    settings_file = files.locate(settings_module) if settings_module else None
    for path in paths:
        try:
            file = files.read(path, root)
            if settings_module and settings_file and path.resolve() == settings_file.resolve():
                # Whatever its folder looks like, this is what it is imported by.
                file = replace(file, module=settings_module)
            modules.append(Module(file, Names(file)))
        except files.Unreadable as error:
            result.unreadable.append(str(error))
        except RecursionError:
            result.unreadable.append(f"{path}: it is nested too deeply")
    project = Project(modules, settings_module)
    # A rule may find in one module what is to be changed in another, and several may find it.
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
