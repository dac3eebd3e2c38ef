"""What of a kernel's static data looks like a memory manager's: by type, then by name.

A guess that needs its name to be right is *likely*; one that only has the right shape is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from harness.image.c_type import CType, Encoding, Kind
from harness.image.draft.places import Place, words_of
from harness.image.types import TypeTable

_FRAMES = frozenset(["frame", "page", "pfn", "mem", "memory", "pmm", "phy", "physical"])
_UNITS = _FRAMES | {"block"}
"""What frames are called where they are counted."""
_BITMAPS = frozenset(["bitmap", "bitset", "bit", "taken", "used"])
_COUNTS = frozenset(
    ["count", "frame", "page", "block", "bit", "total", "n", "nr", "num", "number"]
) | {"max", "size", "length"}
_SIZES = frozenset(["size", "length", "len", "byte"])
_STATES = frozenset(["flag", "state", "type", "status", "owner"])
_FIRST = ({"first", "frame"}, {"first", "page"}, {"first", "pfn"})
_FREE = frozenset(["free", "available", "avail"])
_DIRECTORIES = frozenset(["dir", "directory", "pgd", "pd", "pdpt", "pml", "root"])
_TABLES: dict[tuple[int, int | None], int] = {(4, 1024): 4096, (8, 512): 4096, (8, 4): 32}
"""Bytes of an entry, and entries, of a top table → bytes of the table, to which it is aligned."""
_MEMBERS = {
    "users": frozenset(["count", "refcount", "ref", "user", "usage"]),
    "order": frozenset(["order"]),
}
LARGEST_ELEMENT = 128
"""Bytes that a kernel spends on a frame at most."""
FEWEST_FRAMES = 64
"""Elements of the shortest array that may be a frame table or a bitmap."""
MOST_BLOCKS = 16
"""Elements of an array of lists: orders."""


@dataclass(frozen=True)
class Candidate:
    """An entry that the description may have."""

    kind: str
    """Name of the table in the file."""
    values: dict[str, str | int]
    likely: bool
    why: str
    hints: dict[str, str] = field(default_factory=dict)
    """Further keys that may be right."""


def bitmaps(all_: Sequence[Place], types: TypeTable) -> Iterator[Candidate]:
    """Yield what may be a bitmap over frames: an array of unsigned integers, or a pointer to one.

    A pointer needs a number beside it that says how many bits there are.
    """
    for place in all_:
        word = _element(place.type)
        if word is None or not _is_unsigned(word) or place.zones is not None:
            continue
        if not place.words & (_BITMAPS | {"frame"}) and not _is_map(place.words):
            continue
        plain = place.type.stripped
        bits = _bits(all_, place)
        if bits is None:
            continue
        free = bool(words_of(place.name) & _FREE)
        yield Candidate(
            "bitmaps",
            {
                "name": place.expression,
                "words": place.expression,
                "bits": bits,
                "first_frame": first_frame(types),
                "taken": 0 if free else 1,
            },
            likely=bool(place.words & (_FRAMES | _FREE | {"bitmap"}))
            and bool(place.words & _BITMAPS or _is_map(place.words))
            and bits != _bits_of_bytes(all_, place)
            and "reserved" not in place.words,
            why=f"{place.type} {place.expression}",
            hints={} if plain.kind is Kind.ARRAY else {"chosen": f"{place.expression} != 0"},
        )


def _bits(all_: Sequence[Place], place: Place) -> str | None:
    """Return how many bits a bitmap has: by its size, or by a number beside it."""
    plain = place.type.stripped
    if plain.kind is Kind.ARRAY:
        return f"sizeof({place.expression}) * 8" if (plain.count or 0) >= 4 else None
    counted = _neighbour(all_, place, _COUNTS - {"size"})
    if counted is not None:
        return counted
    return _bits_of_bytes(all_, place)


def _bits_of_bytes(all_: Sequence[Place], place: Place) -> str | None:
    """Return how many bits a bitmap has when the size beside it is one in bytes."""
    size = _neighbour(all_, place, _SIZES, needed=place.words)
    return None if size is None else f"{size} * 8"


def frame_tables(all_: Sequence[Place], types: TypeTable) -> Iterator[Candidate]:
    """Yield what may have one structure a frame: a long array of small ones, or a pointer."""
    for place in all_:
        element = _element(place.type)
        if element is None or place.zones is not None or not _is_record(element):
            continue
        plain = place.type.stripped
        is_array = plain.kind is Kind.ARRAY
        if is_array and (plain.count or 0) < FEWEST_FRAMES:
            continue
        count = str(plain.count) if is_array else _neighbour(all_, place, _COUNTS)
        named = place.words & _FRAMES and ({"map", "table", "frame", "page"} & place.words)
        if not named or count is None or (_next_of(element) == "next" and element.size <= 8):
            continue
        values: dict[str, str | int] = {"array": place.expression, "count": count}
        values["first_frame"] = first_frame(types)
        yield Candidate(
            "frame_table",
            values | _members(element),
            likely=is_array or bool(words_of(count) & (_FRAMES | {"total", "max"})),
            why=f"{place.type} {place.expression}",
            hints=_flags(element, types),
        )


def _is_map(words: frozenset[str]) -> bool:
    return "map" in words and bool(words & (_FRAMES | _FREE))


def first_frame(types: TypeTable) -> str:
    """Return the enumerator that says which frame an array's first element is about, or 0."""
    named = (one for one in types.enumerators if words_of(one) in _FIRST)
    return next(named, "0")


def _members(element: CType) -> dict[str, str | int]:
    """Return the keys of a frame table that members answer by their names."""
    found: dict[str, str | int] = {}
    for member in element.fields():
        for key, words in _MEMBERS.items():
            is_number = member.type.stripped.kind in (Kind.BASE, Kind.ENUM)
            if key not in found and is_number and words_of(member.name) <= words:
                found[key] = member.name
    return found


def _flags(element: CType, types: TypeTable) -> dict[str, str]:
    """Return expressions for ``free`` and ``reserved`` out of members and enumerators."""
    hints: dict[str, str] = {}
    about = words_of(element.name)
    for key in ("free", "reserved"):
        names = [one for one in types.enumerators if key in words_of(one)]
        for member in element.fields():
            own = words_of(member.name)
            if own == {key}:
                hints[key] = member.name
            elif names and key not in hints and own & _STATES:
                name = max(names, key=lambda one: len(words_of(one) & (own | about)))
                hints[key] = f"{member.name} {'&' if 'flag' in own else '=='} {name}"
    return hints


def free_lists(all_: Sequence[Place], tables: Sequence[Candidate]) -> Iterator[Candidate]:
    """Yield what may be lists of free blocks; ``tables`` are the frame tables."""
    elements = [
        _element(place.type)
        for place in all_
        if any(place.expression == one.values["array"] for one in tables)
    ]
    for place in all_:
        plain, orders = place.type.stripped, None
        if plain.kind is Kind.ARRAY and 0 < (plain.count or 0) <= MOST_BLOCKS:
            orders, plain = plain.count, plain.target.stripped
        values = _null_list(plain, elements) or _circular_list(plain, elements)
        if values is None or not place.words & _FREE:
            continue
        head = place.expression + ("" if orders is None else "[order]")
        where = {"zones": place.zones, "orders": orders}
        running: dict[str, str | int] = {k: str(n) for k, n in where.items() if n is not None}
        counter = _neighbour(all_, place, _COUNTS, _FREE)
        yield Candidate(
            "free_lists",
            {"name": place.expression.replace("[zone]", ""), "head": head, **running, **values},
            likely=True,
            why=f"{place.type} {place.expression}",
            hints={} if counter is None else {"frames": counter},
        )


def _null_list(head: CType, elements: Sequence[CType | None]) -> dict[str, str | int] | None:
    """Return the keys of a list whose head points to a structure that points to its like."""
    if head.kind is not Kind.POINTER or (next_ := _next_of(head.target.stripped)) is None:
        return None
    nodes = "frame_table" if head.target.stripped in elements else "block"
    return {"style": "null", "nodes": nodes, "next": next_}


def _circular_list(head: CType, elements: Sequence[CType | None]) -> dict[str, str | int] | None:
    """Return the keys of a list whose head is a link such as there is in each frame's element."""
    if head.kind is not Kind.STRUCT:
        return None
    pointers = [m.name for m in head.fields() if _points_to(m.type, head)]
    links = [
        member.name
        for element in elements
        if element is not None
        for member in element.fields()
        if member.type.stripped is head
    ]
    if len(pointers) != 2 or len(list(head.fields())) != 2 or not links:
        return None
    next_, previous = sorted(pointers, key=lambda name: not name.lower().startswith(("n", "f")))
    return {
        "style": "circular",
        "nodes": "frame_table",
        "link": links[0],
        "next": next_,
        "previous": previous,
    }


def header_chains(all_: Sequence[Place]) -> Iterator[Candidate]:
    """Yield what may be heaps: pointers to a structure with a size that points to its like."""
    for place in all_:
        plain = place.type.stripped
        header = plain.target.stripped if plain.kind is Kind.POINTER else None
        if header is None or place.zones is not None or not header.name:
            continue
        sizes = [m.name for m in header.fields() if words_of(m.name) & _SIZES]
        next_ = _next_of(header)
        if next_ is None or not sizes:
            continue
        states = [m.name for m in header.fields() if words_of(m.name) & {"used", "free", "state"}]
        magics = [m.name for m in header.fields() if words_of(m.name) & {"magic", "canary"}]
        yield Candidate(
            "header_chains",
            {
                "name": place.expression,
                "first": place.expression,
                "header": header.name,
                "size": sizes[0],
                "next": next_,
            },
            likely=bool(magics or states),
            why=f"{place.type} {place.expression}",
            hints=_header_hints(magics, states),
        )


def _header_hints(magics: Sequence[str], states: Sequence[str]) -> dict[str, str]:
    hints = {}
    if magics:
        hints["magic"] = f"{magics[0]} == 0x0"
    if states:
        hints["used"] = ("!" if "free" in words_of(states[0]) else "") + states[0]
    return hints


def page_directories(all_: Sequence[Place]) -> Iterator[Place]:
    """Yield what may be a top table: 4 KiB of entries at a page's start, or PAE's four.

    It may lie at the start of a structure; a pointer may lead to it, or to its first entry. Sizes:
    SDM volume 3, 4.3 and 4.4.
    """
    for place in all_:
        if place.zones or not place.words & _DIRECTORIES:
            continue
        plain = place.type.stripped
        if plain.kind is Kind.POINTER:
            target = plain.target.stripped
            found = _table_size(target) is not None or (_is_unsigned(target) and target.size >= 4)
        else:
            size = _table_size(plain)
            found = size is not None and place.address % size == 0
        if found:
            yield place


def _table_size(type_: CType) -> int | None:
    """Return the bytes of a top table that has this type, or is its first member."""
    if type_.kind is Kind.STRUCT:
        first = next(iter(type_.fields()), None)
        return None if first is None else _table_size(first.type.stripped)
    if type_.kind is not Kind.ARRAY:
        return None
    shape = (type_.target.size, type_.count)
    return _TABLES.get(shape)


def _element(type_: CType) -> CType | None:
    """Return what an array consists of, or a pointer points to."""
    plain = type_.stripped
    return plain.target.stripped if plain.kind in (Kind.ARRAY, Kind.POINTER) else None


def _is_unsigned(type_: CType) -> bool:
    is_integer = type_.kind is Kind.BASE and type_.size in (1, 2, 4, 8)
    return is_integer and type_.encoding is Encoding.UNSIGNED


def _is_record(type_: CType) -> bool:
    """Return whether a type may be what a kernel notes of a frame: nothing that it calls."""
    is_structure = type_.kind in (Kind.STRUCT, Kind.UNION) and 0 < type_.size <= LARGEST_ELEMENT
    return is_structure and not any(_is_function(member.type) for member in type_.fields())


def _is_function(type_: CType) -> bool:
    plain = type_.stripped
    return plain.kind is Kind.POINTER and plain.target.stripped.kind is Kind.FUNCTION


def _points_to(type_: CType, target: CType) -> bool:
    plain = type_.stripped
    return plain.kind is Kind.POINTER and plain.target.stripped is target


def _next_of(type_: CType) -> str | None:
    """Return the member that points to a structure of the same type; of several the likeliest."""
    if type_.kind is not Kind.STRUCT:
        return None
    names = [member.name for member in type_.fields() if _points_to(member.type, type_)]
    return min(names, key=lambda name: "next" not in words_of(name), default=None)


def _neighbour(
    all_: Sequence[Place], of: Place, words: frozenset[str], needed: frozenset[str] = frozenset()
) -> str | None:
    """Return the number beside a place whose name has most in common with it and ``words``."""
    beside = [
        other
        for other in all_
        if other.scope == of.scope
        and other.type.stripped.kind is Kind.BASE
        and words_of(other.name) & words
        and (not needed or words_of(other.name) & needed)
    ]
    own = of.words
    best = max(
        beside,
        key=lambda one: len(one.words & own) + len(words_of(one.name) & words),
        default=None,
    )
    if best is None or (not of.scope and not best.words & (own | _UNITS)):
        return None
    return best.expression
