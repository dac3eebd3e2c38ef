"""The integer types that every i386 kernel can name, with debug information or without.

Sizes are those of the System V ABI for the Intel386, table "Scalar Types"; the names with a width
are those of C11 7.20.1.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.image.c_type import CType, Encoding, Kind

_C = {"char": 1, "short": 2, "int": 4, "long": 4, "long long": 8}
_POINTER_WIDE = {"uintptr_t": False, "intptr_t": True, "size_t": False, "ssize_t": True}


def _integers() -> Iterator[tuple[str, int, bool]]:
    """Yield name, size in bytes, and whether it is signed."""
    for name, size in _C.items():
        yield name, size, True
        yield f"signed {name}", size, True
        yield f"unsigned {name}", size, False
    for size in (1, 2, 4, 8):
        yield f"int{size * 8}_t", size, True
        yield f"uint{size * 8}_t", size, False
    for name, signed in _POINTER_WIDE.items():
        yield name, 4, signed


INTEGERS = {
    name: CType(Kind.BASE, name, size, Encoding.SIGNED if signed else Encoding.UNSIGNED)
    for name, size, signed in _integers()
}
"""Types by name, as C writes them."""
TYPEDEFS = frozenset(name for name in INTEGERS if name.endswith("_t"))
"""Those that C must be told are types."""


def canonical(name: str) -> str:
    """Return one spelling for all that C11 6.7.2 allows of an integer type's name.

    Compilers differ in what they write into DWARF (``long unsigned int``, ``unsigned long``).
    """
    words = name.split()
    if not words or not _WORDS.issuperset(words):
        return " ".join(words)
    if "char" not in words:
        words = [word for word in words if word not in ("int", "signed")]
    return " ".join(sorted(words)) or "int"


_WORDS = frozenset(["signed", "unsigned", "short", "long", "int", "char"])
STANDARD = {canonical(name): type_ for name, type_ in INTEGERS.items()}
"""The same types by the one spelling of their names."""
