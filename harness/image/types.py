"""A kernel's C types, enumerators and variables, from its DWARF; and types declared by hand.

A name is written as in C: ``struct page``, ``enum zone_id``, ``unsigned int``, ``pfn_t``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from construct import Construct

from harness.image.c_type import VOID, CType, Encoding, Kind
from harness.image.cache import cached
from harness.image.declared_types import declared_structures, difference
from harness.image.dwarf_types import extract
from harness.image.errors import ImageError, UnknownName, nearest
from harness.image.integers import STANDARD, canonical
from harness.image.layouts import construct_of, dtype_of
from harness.image.schema.types import DeclaredType

T = TypeVar("T")

NO_TYPES = "debug information (build with -g), nor [[types]] in the description, so no type"
"""What a kernel is said not to have of which nothing tells any structure."""


class TypeTable:
    """Types by name; see :meth:`read`."""

    def __init__(
        self, value: Mapping[str, Any], symbols: Mapping[str, int], declared: Mapping[str, CType]
    ) -> None:
        self._nodes: list[Any] = value["nodes"]
        self._names = {canonical(name): index for name, index in value["names"].items()}
        self._enumerators: dict[str, int] = value["enumerators"]
        self._variables: dict[str, list[int | None]] = value["variables"]
        self._symbols = symbols
        self._declared = declared
        self._resolved: dict[int, CType] = {}
        self._constructs: dict[CType, Construct[Any, Any]] = {}
        self._dtypes: dict[CType, np.dtype[Any]] = {}

    @staticmethod
    def read(
        contents: bytes,
        key: str,
        symbols: Mapping[str, int],
        declared: Sequence[DeclaredType] = (),
    ) -> TypeTable:
        """Return the types of the ELF file ``contents``, whose cache key is ``key``.

        ``symbols`` gives the addresses of variables that C only declares; ``declared`` are
        structures that stand in for those that the file does not tell of.
        """
        value = cached("types", key, lambda: extract(contents))
        return TypeTable(value, symbols, declared_structures(declared))

    @property
    def names(self) -> tuple[str, ...]:
        """All types that have a name."""
        return tuple(self._names)

    def disagreement(self, declared: DeclaredType) -> str | None:
        """Return on what debug information contradicts a declared structure, if it does."""
        if declared.name not in self._names:
            return None
        return difference(self._declared[declared.name], self.lookup(declared.name))

    def lookup(self, name: str) -> CType:
        """Return the type ``name``; trailing ``*`` make pointers; raise ``UnknownName``."""
        name = " ".join(name.replace("*", " * ").split())
        if name.endswith("*"):
            return self.lookup(name[:-1]).pointer
        if name == "void":
            return VOID
        name = canonical(name)
        if name not in self._names:
            others = {**STANDARD, **self._declared}
            if name in others:
                return others[name]
            kind = "type" if self._names or self._declared else NO_TYPES
            raise UnknownName(kind, name, {**self._names, **others})
        return self._type(self._names[name])

    def construct(self, of: str | CType) -> Construct[Any, Any]:
        """Return a ``construct`` that parses and builds one value of a type.

        Raise ``TypeError`` for a type without a size, ``ImageError`` for an impossible one.
        """
        return self._layout(of, self._constructs, construct_of)

    def dtype(self, of: str | CType) -> np.dtype[Any]:
        """Return the numpy dtype of the same layout: explicit offsets and item size.

        A bit-field's field is its storage unit: see ``layouts.bits`` for its value.
        """
        return self._layout(of, self._dtypes, dtype_of)

    def _layout(self, of: str | CType, known: dict[CType, T], make: Callable[[CType], T]) -> T:
        type_ = self.lookup(of) if isinstance(of, str) else of
        if type_ not in known:
            try:
                known[type_] = make(type_)
            except (ArithmeticError, MemoryError, RecursionError, ValueError) as error:
                raise ImageError(f"{type_} cannot be as its DWARF says: {error}") from None
        return known[type_]

    @property
    def enumerators(self) -> tuple[str, ...]:
        """All enumeration constants."""
        return tuple(self._enumerators)

    @property
    def variables(self) -> tuple[str, ...]:
        """All variables at file scope, also those that are only declared."""
        return tuple(self._variables)

    def enumerator(self, name: str) -> int | None:
        """Return the value of enumeration constant ``name``, None when there is none."""
        return self._enumerators.get(name)

    def variable(self, name: str) -> tuple[int, CType]:
        """Return virtual address and type of a variable at file scope; raise ``UnknownName``.

        Of two static variables with one name in two files it is the first.
        """
        found = self._variables.get(name)
        if found is None:
            raise UnknownName("variable", name, self._variables)
        address, index = found
        if address is None:
            address = self._symbols.get(name)
        if address is None or index is None:
            raise UnknownName("definition of variable", name, ())
        return address, self._type(index)

    def nearest(self, name: str) -> str | None:
        """Return the type, enumerator or variable whose name looks most like ``name``."""
        return nearest(name, [*self._names, *self._enumerators, *self._variables])

    def _type(self, index: int) -> CType:
        if index not in self._resolved:
            kind, name, size, encoding, count, target, members = self._nodes[index]
            self._resolved[index] = CType(
                Kind(kind),
                name,
                size,
                Encoding(encoding),
                count,
                target,
                tuple(tuple(row) for row in members),
                self._type,
            )
        return self._resolved[index]
