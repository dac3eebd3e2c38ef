"""Types, enumerators and variables out of DWARF 2 to 5, as plain data that JSON can hold.

A node is ``[kind, name, size, encoding, count, target, members]`` as in ``c_type.CType``; nodes
refer to each other by index, so recursive types are no trouble.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.image.dwarf import DAMAGED, open_dwarf, text, uncollected
from harness.image.type_merge import Node, merge

_TAGS = {
    "DW_TAG_base_type": "base",
    "DW_TAG_enumeration_type": "enum",
    "DW_TAG_pointer_type": "pointer",
    "DW_TAG_array_type": "array",
    "DW_TAG_structure_type": "struct",
    "DW_TAG_union_type": "union",
    "DW_TAG_typedef": "typedef",
    "DW_TAG_subroutine_type": "function",
}
_PREFIXES = {"struct": "struct ", "union": "union ", "enum": "enum "}
_QUALIFIERS = frozenset(
    ["DW_TAG_const_type", "DW_TAG_volatile_type", "DW_TAG_restrict_type", "DW_TAG_atomic_type"]
)
_ENCODINGS = {2: "boolean", 4: "float", 5: "signed", 6: "signed"}
"""DW_ATE_boolean, _float, _signed, _signed_char (DWARF 5, table 7.11); the rest is unsigned."""
_DW_OP_ADDR, _DW_OP_PLUS_UCONST, _DW_OP_ADDRX = 0x03, 0x23, 0xA1
_POINTER_SIZE = 4


def extract(contents: bytes) -> dict[str, Any]:
    """Return ``{nodes, names, enumerators, variables}`` of an ELF file.

    Damaged debug information gives what could be read before the damage.
    """
    collector = _Collector()
    with uncollected():
        try:
            dwarf = open_dwarf(contents)
            for unit in dwarf.iter_CUs() if dwarf else ():
                collector.unit(dwarf, unit)
        except DAMAGED:
            pass
        nodes, renumber = merge(collector.nodes, collector.names)
    return {
        "nodes": nodes,
        "names": {name: renumber(index) for name, index in collector.names.items()},
        "enumerators": collector.enumerators,
        "variables": {n: [a, renumber(i)] for n, (a, i) in collector.variables.items()},
    }


class _Collector:
    """Turns DIEs into nodes, each once; what a node refers to waits in a queue."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.names: dict[str, int] = {}
        self.enumerators: dict[str, int] = {}
        self.variables: dict[str, list[int | None]] = {}
        self._indices: dict[int, int] = {}
        self._queue: list[tuple[int, Any]] = []

    def unit(self, dwarf: Any, unit: Any) -> None:
        """Take all types and variables at the file scope of one compilation unit."""
        for die in _children(unit.get_top_DIE()):
            if die.tag in _TAGS:
                self._named(die)
            elif die.tag == "DW_TAG_variable":
                self._variable(dwarf, unit, die)
            self._drain()

    def _named(self, die: Any) -> None:
        index = self._index(die)
        if index is None:
            return
        self._drain()
        kind, name = self.nodes[index][:2]
        if name and kind not in ("declared", "pointer", "array", "function"):
            self.names.setdefault(name, index)

    def _index(self, die: Any | None) -> int | None:
        """Return the node of a type DIE, to be filled later; None for void."""
        die = next((d for d in _chain(die) if d.tag not in _QUALIFIERS), None)
        if die is None or die.tag not in _TAGS:
            return None
        if die.offset not in self._indices:
            self._indices[die.offset] = len(self.nodes)
            self._queue.append((len(self.nodes), die))
            self.nodes.append(["void", "", 0, "unsigned", None, None, []])
        return self._indices[die.offset]

    def _drain(self) -> None:
        while self._queue:
            index, die = self._queue.pop()
            self.nodes[index] = self._node(die)

    def _node(self, die: Any) -> Node:
        kind = _TAGS[die.tag]
        name = _PREFIXES.get(kind, "") + _name(die) if _name(die) else ""
        size = _attribute(die, "DW_AT_byte_size", 0)
        if "DW_AT_declaration" in die.attributes:
            return ["declared", name, 0, "unsigned", None, None, []]
        if kind in ("struct", "union"):
            return [kind, name, size, "unsigned", None, None, self._members(die)]
        if kind == "array":
            return self._array(die)
        if kind == "enum":
            return ["enum", name, size, self._enumerators(die, size), None, None, []]
        target = self._index(_referred(die))
        if kind == "pointer":
            return [kind, "", size or _POINTER_SIZE, "unsigned", None, target, []]
        encoding = _ENCODINGS.get(_attribute(die, "DW_AT_encoding", 0), "unsigned")
        return [kind, name, size, encoding, None, target, []]

    def _array(self, die: Any) -> Node:
        """Make one node a dimension; the first dimension is the outermost."""
        counts = [_count(c) for c in _children(die) if c.tag == "DW_TAG_subrange_type"]
        target = self._index(_referred(die))
        for count in reversed(counts[1:]):
            self.nodes.append(["array", "", 0, "unsigned", count, target, []])
            target = len(self.nodes) - 1
        return ["array", "", 0, "unsigned", counts[0] if counts else None, target, []]

    def _members(self, die: Any) -> list[list[Any]]:
        rows = []
        for child in _children(die):
            if child.tag == "DW_TAG_member":
                position, bits = _bits(child)
                offset = _location(child) if position is None else position // 8
                index = self._index(_referred(child))
                rows.append([_name(child), offset, index, position, bits])
        return rows

    def _enumerators(self, die: Any, size: int) -> str:
        """Note the constants of an enum and return its encoding."""
        values = {
            _name(c): _attribute(c, "DW_AT_const_value", 0)
            for c in _children(die)
            if c.tag == "DW_TAG_enumerator"
        }
        encoding = _enum_encoding(die) or ("signed" if min(values.values(), default=0) < 0 else "")
        for name, value in values.items():
            self.enumerators.setdefault(name, _as_encoded(value, size, encoding))
        return encoding or "unsigned"

    def _variable(self, dwarf: Any, unit: Any, die: Any) -> None:
        """Note a variable; its definition may name its declaration for the type."""
        declaration = die
        if "DW_AT_specification" in die.attributes:
            declaration = die.get_DIE_from_attribute("DW_AT_specification")
        name, address = _name(declaration), _address(dwarf, unit, die)
        source = die if "DW_AT_type" in die.attributes else declaration
        index = self._index(_referred(source))
        known = self.variables.get(name)
        if name and (known is None or (known[0] is None and address is not None)):
            self.variables[name] = [address, index]


def _attribute(die: Any, name: str, default: int) -> int:
    value = die.attributes[name].value if name in die.attributes else default
    return value if isinstance(value, int) else default


def _name(die: Any) -> str:
    return text(die.attributes["DW_AT_name"].value) if "DW_AT_name" in die.attributes else ""


def _referred(die: Any) -> Any | None:
    return die.get_DIE_from_attribute("DW_AT_type") if "DW_AT_type" in die.attributes else None


def _chain(die: Any | None) -> Iterator[Any]:
    """Yield a type DIE and what it refers to, one after the other; a circle is damage."""
    seen: set[int] = set()
    while die is not None and die.offset not in seen:
        yield die
        seen.add(die.offset)
        die = _referred(die)


def _children(die: Any) -> Iterator[Any]:
    """Yield the children of a DIE, which stand one behind the other; else it is damage."""
    last = die.offset
    for child in die.iter_children():
        if child.offset <= last:
            raise ValueError("a DIE's sibling stands before it")
        last = child.offset
        yield child


def _count(subrange: Any) -> int | None:
    """Return the elements of one dimension; None for one without a bound."""
    if "DW_AT_count" in subrange.attributes:
        value = subrange.attributes["DW_AT_count"].value
        return value if isinstance(value, int) else None
    if "DW_AT_upper_bound" not in subrange.attributes:
        return None
    bound = subrange.attributes["DW_AT_upper_bound"].value
    if not isinstance(bound, int):
        return None
    # [0] is written as the bound -1, in 32 bits.
    return 0 if bound in (-1, 0xFFFFFFFF) else bound + 1


def _location(member: Any) -> int:
    """Return DW_AT_data_member_location in bytes: a constant, or DWARF 2's one operation."""
    if "DW_AT_data_member_location" not in member.attributes:
        return 0
    value = member.attributes["DW_AT_data_member_location"].value
    if isinstance(value, int):
        return value
    return _uleb(value[1:]) if value and value[0] == _DW_OP_PLUS_UCONST else 0


def _bits(member: Any) -> tuple[int | None, int | None]:
    """Return position (see ``c_type.Member``) and width of a bit-field.

    DWARF 4 and later count from the start of the struct (DW_AT_data_bit_offset); before, from
    the most significant bit of the storage unit (DW_AT_bit_offset; DWARF 3, section 5.6.6).
    """
    if "DW_AT_bit_size" not in member.attributes:
        return None, None
    width = _attribute(member, "DW_AT_bit_size", 0)
    if "DW_AT_data_bit_offset" in member.attributes:
        return _attribute(member, "DW_AT_data_bit_offset", 0), width
    position = _location(member) * 8
    if "DW_AT_bit_offset" in member.attributes:
        unit = _attribute(member, "DW_AT_byte_size", 0) or _byte_size(_referred(member))
        offset = _attribute(member, "DW_AT_bit_offset", 0)
        if offset >= 1 << 63:  # negative, in a form without a sign: Clang, for packed structs
            offset -= 1 << 64
        position += unit * 8 - offset - width
    return position, width


def _byte_size(die: Any | None) -> int:
    """Return the size of a bit-field's declared type."""
    sizes = (_attribute(d, "DW_AT_byte_size", 0) for d in _chain(die))
    return next((size for size in sizes if size), 0)


def _enum_encoding(die: Any) -> str:
    """Return the encoding of an enum's underlying type, "" when DWARF does not say."""
    for source in (*_chain(_referred(die)), die):
        if "DW_AT_encoding" in source.attributes:
            return _ENCODINGS.get(_attribute(source, "DW_AT_encoding", 0), "unsigned")
    return ""


def _as_encoded(value: int, size: int, encoding: str) -> int:
    """Return a constant as C sees it; its form in DWARF may have lost the sign."""
    modulus = 1 << (8 * (size or 4))
    if encoding == "signed":
        half = modulus >> 1
        return (value + half) % modulus - half
    return value % modulus


def _address(dwarf: Any, unit: Any, variable: Any) -> int | None:
    """Return the static address of a variable, None when it has none or is only declared."""
    if "DW_AT_location" not in variable.attributes:
        return None
    expression = variable.attributes["DW_AT_location"].value
    if not isinstance(expression, list) or not expression:
        return None
    if expression[0] == _DW_OP_ADDR and len(expression) == 1 + _POINTER_SIZE:
        return int.from_bytes(bytes(expression[1:]), "little")
    if expression[0] == _DW_OP_ADDRX:
        return int(dwarf.get_addr(unit, _uleb(expression[1:])))
    return None


def _uleb(data: list[int]) -> int:
    """Decode an unsigned LEB128 number (DWARF 5, section 7.6)."""
    value = 0
    for index, byte in enumerate(data):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            break
    return value
