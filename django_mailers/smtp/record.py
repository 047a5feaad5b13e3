"""Tuples whose items have names.

A NamedTuple does more, and making the class takes ten times as long, in each process that sends: it
compiles code for it.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any, ClassVar, TypeVar

Named = TypeVar("Named", bound="Record")


class Record(tuple[Any, ...]):
    """A tuple whose items are named by the annotations of the class, which defines `__new__()`."""

    __slots__ = ()
    _fields: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._fields = tuple(cls.__annotations__)
        for number, name in enumerate(cls._fields):
            setattr(cls, name, property(itemgetter(number)))

    def __getnewargs__(self) -> tuple[Any, ...]:
        """For copy and pickle."""
        return tuple(self)

    def __repr__(self) -> str:
        items = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
        return f"{type(self).__name__}({items})"

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self._fields, self, strict=True))

    def _replace(self: Named, **changes: Any) -> Named:
        items = self._asdict() | changes
        if len(items) != len(self):
            raise TypeError(f"{type(self).__name__} has only these: {', '.join(self._fields)}")
        return tuple.__new__(type(self), items.values())
