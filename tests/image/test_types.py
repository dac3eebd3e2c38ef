"""Layouts against the compiler's own word: sizeof, offsetof and initialised objects."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest
from construct import ConstructError
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.image.c_type import Kind
from harness.image.elf import load_kernel
from harness.image.errors import UnknownName
from harness.image.kernel_image import KernelImage
from harness.image.layouts import bits
from harness.image.types import TypeTable
from tests.image.compiler import COMPILERS, compile_kernel
from tests.image.readers import assert_readers_agree

TYPES = """
typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32;
typedef unsigned long long u64; typedef u32 pfn_t;
struct list { struct list *next, *previous; };
enum colour { RED = 1, GREEN, HIGH = 0xC0FFEE11u };
enum level { LOW = -5, UP = 3 };
struct item { struct list list; u32 count; u8 flags, order; const volatile u8 zone; };
struct mixed { u8 a; u64 b; u16 c; long double d; double e; float f; _Bool g; short h; };
struct __attribute__((packed)) tight { u8 a; u32 b; u16 c; u64 d; };
struct fields { int a : 3; u32 b : 7; u8 c; u64 d : 40; enum colour e; u32 : 4; u32 f : 5; };
struct __attribute__((packed)) split { u32 a : 5; u32 b : 30; u32 c : 13; };
struct nested { u8 kind; union { u32 word; u8 bytes[4]; struct { short low, high; }; };
                struct { u32 x : 4, y : 12; }; u32 last; };
union view { u32 word; u16 halves[2]; struct { u8 a, b; } pair; };
struct table { char name[3][2]; struct item *items[2]; void (*call)(int); enum level level; };
struct tail { u32 length; u32 zero[0]; u64 data[]; };
struct opaque; struct holder { struct opaque *hidden; struct item *const volatile item; };
"""
OFFSETS = {
    "struct list": ("next", "previous"),
    "struct item": ("list", "count", "flags", "order", "zone"),
    "struct mixed": ("a", "b", "c", "d", "e", "f", "g", "h"),
    "struct tight": ("a", "b", "c", "d"),
    "struct fields": ("c", "e"),
    "struct split": (),
    "struct nested": ("kind", "word", "bytes", "low", "high", "last"),
    "union view": ("word", "halves", "pair"),
    "struct table": ("name", "items", "call", "level"),
    "struct tail": ("length", "zero", "data"),
    "struct holder": ("hidden", "item"),
    "pfn_t": (),
    "enum colour": (),
    "unsigned long long": (),
    "short": (),
}
BIT_FIELDS = {
    "struct fields": {"a": -1, "b": 0x7F, "d": (1 << 40) - 1, "f": 0x1F},
    "struct split": {"a": 0x1F, "b": (1 << 30) - 1, "c": 0x1FFF},
    "struct nested": {"x": 0xF, "y": 0xFFF},
}
"""Values in which every bit of the field is set."""


def _program() -> str:
    numbers = []
    for name, members in OFFSETS.items():
        numbers.append(f"sizeof({name})")
        numbers += [f"__builtin_offsetof({name}, {member})" for member in members]
    objects = [
        f"{name} {_object(name, member)} = {{ .{member} = -1 }};"
        for name, members in BIT_FIELDS.items()
        for member in members
    ]
    uses = [f"{name} use_{index};" for index, name in enumerate(OFFSETS)]
    return "\n".join(
        [
            TYPES,
            f"u32 truth[] = {{ {', '.join(numbers)} }};",
            *objects,
            *uses,
            "enum level level; struct item items[4]; struct item *chosen = items + 1;",
            "extern char linker_symbol[]; char *end(void) { return linker_symbol; }",
            "static u32 hidden = 3; u32 *reveal(void) { hidden++; return &hidden; }",
            "void _start(void) { reveal(); for (;;); }",
        ]
    )


def _object(name: str, member: str) -> str:
    return f"only_{name.split()[-1]}_{member}"


@pytest.fixture(scope="module", params=COMPILERS)
def kernel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> KernelImage:
    folder = tmp_path_factory.mktemp("types")
    return load_kernel(compile_kernel(folder, _program(), request.param))


@pytest.fixture(scope="module")
def types(kernel: KernelImage) -> TypeTable:
    return kernel.types


def _bytes_at(kernel: KernelImage, symbol: str, length: int) -> bytes:
    physical = kernel.physical(kernel.symbol(symbol))
    segment = next(s for s in kernel.segments if 0 <= physical - s.physical < s.memory_size)
    start = physical - segment.physical
    return segment.data[start : start + length].ljust(length, b"\0")


def test_sizes_and_offsets_are_the_compiler_s(kernel: KernelImage) -> None:
    count = sum(1 + len(members) for members in OFFSETS.values())
    truth = iter(np.frombuffer(_bytes_at(kernel, "truth", 4 * count), "<u4").tolist())
    for name, members in OFFSETS.items():
        type_ = kernel.types.lookup(name)
        assert type_.size == next(truth), name
        for member in members:
            assert type_.member(member).offset == next(truth), (name, member)


@pytest.mark.parametrize(
    ("name", "member"), [(n, m) for n, members in BIT_FIELDS.items() for m in members]
)
def test_bit_fields_are_where_the_compiler_puts_them(
    kernel: KernelImage, name: str, member: str
) -> None:
    type_ = kernel.types.lookup(name)
    data = _bytes_at(kernel, _object(name, member), type_.size)
    parsed = assert_readers_agree(kernel.types, name, data)
    expected = BIT_FIELDS[name][member]
    for field in type_.fields():
        wanted = expected if field.name == member else 0
        if field.bit_size is not None:
            assert parsed[field.name] == wanted, field.name
            column = np.frombuffer(data, kernel.types.dtype(name), 1)[field.name]
            assert bits(column, field).tolist() == [wanted], field.name
    others = [f.name for f in type_.fields() if f.bit_size is not None and f.name != member]
    assert kernel.types.construct(name).build(parsed | dict.fromkeys(others, 0)) == data


@pytest.mark.parametrize("name", OFFSETS)
@settings(max_examples=20)
@given(noise=st.randoms(use_true_random=False))
def test_both_readers_agree_on_any_bytes(types: TypeTable, name: str, noise: Random) -> None:
    assert_readers_agree(types, name, noise.randbytes(types.lookup(name).size))


def test_enumerators(kernel: KernelImage) -> None:
    names = ("RED", "GREEN", "HIGH", "LOW", "UP", "MISSING")
    values = [kernel.types.enumerator(name) for name in names]
    assert values == [1, 2, 0xC0FFEE11, -5, 3, None]


def test_variables(kernel: KernelImage) -> None:
    address, type_ = kernel.types.variable("chosen")
    assert (address, str(type_)) == (kernel.symbol("chosen"), "struct item *")
    address, type_ = kernel.types.variable("items")
    assert (address, type_.kind, type_.count) == (kernel.symbol("items"), Kind.ARRAY, 4)
    assert type_.target.member("count").type.stripped.name == "unsigned int"
    assert kernel.types.variable("hidden")[0] == kernel.symbol("hidden")


def test_a_recursive_type_leads_to_itself(kernel: KernelImage) -> None:
    list_ = kernel.types.lookup("struct list")
    assert list_.member("next").type.target is list_
    assert kernel.types.lookup("struct item").member("list").type is list_


def test_an_array_of_arrays_keeps_its_order(kernel: KernelImage) -> None:
    name = kernel.types.lookup("struct table").member("name").type
    assert (name.count, name.target.count) == (3, 2)


def test_pointers_to_what_is_only_declared(kernel: KernelImage) -> None:
    hidden = kernel.types.lookup("struct holder").member("hidden").type
    assert (hidden.kind, hidden.target.kind) == (Kind.POINTER, Kind.DECLARED)
    assert kernel.types.lookup("struct holder").member("item").type.target.size == 16


def test_integer_types_have_all_their_spellings(kernel: KernelImage) -> None:
    lookup = kernel.types.lookup
    assert lookup("unsigned") is lookup("unsigned int")
    assert lookup("long long unsigned int") is lookup("unsigned long long")
    assert lookup("struct item * *").target is lookup("struct item*")


def test_unknown_names_come_with_the_nearest(kernel: KernelImage) -> None:
    with pytest.raises(UnknownName, match=r"no type 'struct itme'; nearest: struct item"):
        kernel.types.lookup("struct itme")
    with pytest.raises(UnknownName, match=r"member of struct item 'cuont'; nearest: count"):
        kernel.types.lookup("struct item").member("cuont")
    with pytest.raises(UnknownName, match=r"no variable 'chosne'; nearest: chosen"):
        kernel.types.variable("chosne")
    assert kernel.types.nearest("GREEM") == "GREEN"


def test_building_wants_every_member_and_no_other(kernel: KernelImage) -> None:
    layout = kernel.types.construct("struct list")
    assert layout.build({"next": 1, "previous": 2}) == b"\1\0\0\0\2\0\0\0"
    with pytest.raises(ConstructError, match="needs 'previous'"):
        layout.build({"next": 1})
    with pytest.raises(ConstructError, match="no member 'prev'"):
        layout.build({"next": 1, "previous": 2, "prev": 3})
    fields = kernel.types.construct("struct fields")
    with pytest.raises(ConstructError, match="does not fit 'b', 7 bits"):
        fields.build({"a": 0, "b": 128, "c": 0, "d": 0, "e": 0, "f": 0})


def test_one_alternative_of_a_union_is_enough(kernel: KernelImage) -> None:
    layout = kernel.types.construct("union view")
    assert layout.build({"halves": [0x1234, 0x5678]}) == b"\x34\x12\x78\x56"
    nested = kernel.types.construct("struct nested")
    built = nested.build({"kind": 1, "low": -1, "high": 2, "x": 0, "y": 0, "last": 0})
    assert built[4:8] == b"\xff\xff\2\0"


def test_types_come_from_the_cache_at_once(kernel: KernelImage) -> None:
    names = kernel.types.names
    again = load_kernel(kernel.path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.image.types.extract", _never)
        assert again.types.names == names


def _never(contents: bytes) -> object:
    raise AssertionError("the cache was not used")


def test_a_kernel_without_debug_information_says_so(tmp_path: Path) -> None:
    kernel = load_kernel(compile_kernel(tmp_path, "void _start(void) { for (;;); }", "gcc -g0"))
    with pytest.raises(UnknownName, match="build with -g"):
        kernel.types.lookup("struct item")
    assert kernel.source_line(kernel.symbol("_start")) is None
