"""The expressions that settings files assign, and whether MAILERS can use them."""

from __future__ import annotations

import ast
import builtins
import sys
from configparser import RawConfigParser
from pathlib import Path
from types import ModuleType

from django_mailers.emailsettings import DEFAULTS

from . import modules
from .assignments import Assignment, Assignments
from .project import Place

# Words in the names of functions whose arguments say where a value is, not what it is.
READING = {"access", "config", "credential", "credentials", "env", "environ", "fetch", "from_env"}
READING |= {"get", "getenv", "getsecret", "lookup", "open", "param", "parameter", "path", "read"}
READING |= {"secret", "secrets", "setting", "settings", "str", "vault"}
# Functions among them whose second argument may be a default.
WITH_DEFAULT = {"config", "env", "environ", "get", "getenv", "get_env", "str"}
DEFAULT_ARGUMENTS = {"default", "fallback", "failobj", "default_value"}


class SettingsSource:
    """The source of the settings module and of the files that it takes settings from."""

    def __init__(self, module: ModuleType, name: str, path: Path) -> None:
        self.module = module
        self.path = path
        held = [value for value in vars(module).values() if isinstance(value, ModuleType)]
        others = [Path(file) for value in held if (file := getattr(value, "__file__", None))]
        # django-configurations puts the class of the settings there.
        self.made_by = vars(module).get("CONFIGURATION")
        self.assignments = Assignments.of(path, name, others, copied=isinstance(self.made_by, str))
        self.assigned = self.assignments.assigned

    @classmethod
    def of(cls, module: ModuleType | None, name: str | None = None) -> SettingsSource | None:
        """Return the source of the settings `module`, imported as `name`, or None without one."""
        if module is None:
            return None
        name = name or module.__name__
        path = modules.locate(name) if name in sys.modules else None
        file = path or getattr(module, "__file__", None)
        return None if file is None else cls(module, name, Path(file))

    @property
    def names(self) -> set[str]:
        """The settings that MAILERS replaces and that the source assigns anywhere."""
        return self.assignments.ever

    @property
    def files(self) -> set[Path]:
        """The files that these settings consist of."""
        return {path.resolve() for path in self.assignments.paths}

    @property
    def unseen(self) -> list[Place]:
        """The places that may define settings which the source does not name."""
        return [entry.place for entry in self.assignments.unseen]

    def places(self, name: str) -> list[Place]:
        return list(dict.fromkeys(entry.place for entry in self.assigned.get(name, ())))

    def assignment(self, name: str) -> Assignment | None:
        """Return the assignment that gives `name` its value, if only one can."""
        found = self.assigned.get(name, [])
        if len(found) != 1 or found[0].conditional or found[0].value is None:
            return None
        return found[0]

    def expression(self, name: str) -> str | None:
        """Return the expression that `name` is assigned, if it means the same in MAILERS.

        None if it is only a literal, or if a name in it may have another value there.
        """
        assignment = self.assignment(name)
        if assignment is None or assignment.value is None or assignment.is_constant:
            return None
        return assignment.source if self._is_stable(assignment.value, assignment.order) else None

    def has_value(self, name: str, value: object) -> bool:
        """Whether `name` has the value that it is assigned; True if that is not a literal."""
        assignment = self.assignment(name)
        if assignment is None or assignment.value is None:
            return True
        try:
            literal = ast.literal_eval(assignment.value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return True  # it has to be computed
        return bool(literal == value)

    def _is_stable(self, value: ast.expr, order: int) -> bool:
        """Whether every name in `value` means the same at the end as at the assignment `order`."""
        names = [node for node in ast.walk(value) if isinstance(node, ast.Name)]
        inner = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
        inner |= {node.arg for node in ast.walk(value) if isinstance(node, ast.arg)}
        if any(self._is_own_setting(node) for node in ast.walk(value)):
            return False
        return all(self._is_settled(name, order) for name in {node.id for node in names} - inner)

    def _is_settled(self, name: str, order: int) -> bool:
        """Whether `name` means the same at the end as at the assignment `order`."""
        found = self.assigned.get(name, [])
        if name in DEFAULTS:
            return False  # it is to be deleted
        if not found:
            return name not in vars(self.module) and hasattr(builtins, name)
        if name not in vars(self.module) or any(other.conditional for other in found):
            return False
        if any(other.is_import for other in found):
            # The same thing may be imported in several files.
            return len({other.source for other in found}) == 1
        return len(found) == 1 and found[0].order <= order

    def _is_own_setting(self, node: ast.AST) -> bool:
        """Whether `node` reads a setting that MAILERS replaces from a module of the project."""
        if not isinstance(node, ast.Attribute) or node.attr not in DEFAULTS:
            return False
        if not isinstance(node.value, ast.Name | ast.Attribute):
            return False
        owner: object = self.module
        for part in ast.unparse(node.value).split("."):
            owner = getattr(owner, part, None)
        return isinstance(owner, ModuleType)


def may_hold_secret(value: ast.expr, secret: str, module: ModuleType | None = None) -> bool:
    """Whether the expression `value` may contain a password, rather than the place of one.

    A string is harmless as the key of a subscript, or as an argument of a function that reads the
    environment, a file or a secret, unless it is the default of that function, or the password
    itself. `module` is the module of the expression.
    """
    harmless: set[ast.AST] = set()
    for node in ast.walk(value):
        if isinstance(node, ast.Subscript):
            harmless |= set(ast.walk(node.slice))
        elif isinstance(node, ast.Call):
            for argument in _keys(node, module):
                harmless |= set(ast.walk(argument))
    return any(
        isinstance(node, ast.Constant)
        and isinstance(node.value, str | bytes)
        and bool(node.value)
        and (node not in harmless or node.value == secret)
        for node in ast.walk(value)
    )


def _keys(call: ast.Call, module: ModuleType | None) -> list[ast.expr]:
    """Return the arguments of `call` that say what it reads."""
    name = ast.unparse(call.func).rpartition(".")[2].lower()
    if READING.isdisjoint({name, *name.split("_")}) or ast.unparse(call.func) == "str":
        return []
    named = [word.value for word in call.keywords if word.arg not in DEFAULT_ARGUMENTS]
    count = len(call.args)
    if name in WITH_DEFAULT:
        count = 2 if _is_config_parser(call, module) else 1
    return [*call.args[:count], *named]


def _is_config_parser(call: ast.Call, module: ModuleType | None) -> bool:
    """Whether it is the get() of a config parser, which takes a section and an option."""
    if any(word.arg == "fallback" for word in call.keywords):
        return len(call.args) == 2
    if not isinstance(call.func, ast.Attribute):
        return False
    owner = vars(module).get(ast.unparse(call.func.value)) if module is not None else None
    return isinstance(owner, RawConfigParser)
