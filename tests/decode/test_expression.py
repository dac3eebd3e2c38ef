"""Expressions: what they are worth is asked of the compiler, which puts the results into .data."""

from __future__ import annotations

import numpy as np
import pytest

from harness.decode.address_space import NotReadable
from harness.decode.expression import ExpressionError, Scope
from tests.decode.conftest import Loader
from tests.decode.memory import Loaded

CONSTANT = [
    *("1 + 2 * 3", "(1 + 2) * 3", "7 / 2", "-7 / 2", "-7 % 3", "7 % -3", "1 << 31", "1u << 31"),
    *("0xFFFFFFFFu + 1", "-1 < 0u", "-1 < 0", "0x80000000 > 0", "~0", "~0u", "!5", "!!5", "-1u"),
    *("0x7fffffff * 2u", "3 - 5u", "0xFF & 0x0F0", "0xFF | 0x100", "0xFF ^ 0x0F", "-16 >> 2"),
    *("0xFFFFFFF0u >> 4", "1 && 0", "1 || 0", "0 && 1", "2 && 2", "1 ? 3 : 4", "0 ? 3 : 4"),
    *("sizeof(struct thing)", "sizeof(int) * 8", "sizeof(struct thing *)", "sizeof(word_t)"),
    *("(unsigned char)300", "(signed char)200", "(word_t)-1 > 0", "(short)0x18000", "'A'", "010"),
    *("BIG == 0xC0FFEE11u", "BIG > 0", "SMALL | BIG", "NEGATIVE < 0", "THREE << 2", "5 == 5"),
    *("3 != 4", "4 >= 4", "4 <= 3", "-1 > 1u", "(unsigned long long)1 << 40 != 0", "+5"),
    *("(unsigned short)1 - 2 < 0", "(unsigned char)1 - 2 < 0", "(unsigned)1 - 2 < 0"),
    *("(-1 >> 1) == -1", "1 - 2 - 3", "100000 * 100000 != 0", "sizeof(struct thing) - 100 > 0"),
]
MEMORY = [
    *(
        "table[2].value",
        "table[1].next->value",
        "head->next->value",
        "pointer->value",
        "(*head).id",
    ),
    *("*numbers", "numbers[3]", "*(numbers + 2)", "(numbers + 3) - numbers", "grid[1][2]"),
    *("head == &table[0]", "&head->value - &table[0].value", "head && head->id", "!head"),
    *("small", "negative", "negative < 0", "small + negative", "byte << 8 | byte", "text[1]"),
    *("sizeof table / sizeof table[0]", "sizeof(table)", "((struct thing *)head)->value"),
    *("table[0].bits", "table[1].bits", "table[1].sbits", "table[0].sbits < table[1].sbits"),
    *("table[2].in.deep", "nothing == 0", "nothing && nothing->value", "head->kind == THREE"),
    *("truth", "!truth", "wide == 0x123456789ull", "wide > 0xFFFFFFFF", "anonymous.inner"),
    *("(word_t)&table[1] - (word_t)&table[0]", "head + 1 == &table[1]", "&table[1] - head"),
    *("&table[2] - 1 == &table[1]", "*(&numbers[3] - 2)"),
    *("byte ? numbers[1] : 9", "~byte", "-byte", "-small", "head[2].value", "table->value"),
]
SOURCE = """
typedef unsigned word_t;
enum sizes { SMALL = 1, THREE = 3, BIG = 0xC0FFEE11u };
enum others { NEGATIVE = -5 };
struct thing {
    struct thing *next;
    unsigned value;
    unsigned short id;
    unsigned char bits : 3;
    signed char sbits : 4;
    struct { int deep; } in;
    enum sizes kind;
};
extern struct thing table[3];
struct thing table[3] = {
    {&table[1], 11, 7, 5, -8, {1}, THREE},
    {&table[2], 22, 8, 2, 7, {2}, SMALL},
    {0, 0xC0FFEE11u, 9, 7, -1, {-3}, BIG},
};
struct thing *head = &table[0], *pointer = &table[1], *nothing = 0, *wild = (void *)0x50000000;
int numbers[4] = {10, -20, 30, 40};
short grid[2][3] = {{1, 2, 3}, {4, 5, -6}};
signed char small = -100;
short negative = -30000;
unsigned char byte = 0xAB;
char text[] = "hello";
_Bool truth = 1;
unsigned long long wide = 0x123456789ull;
struct { int outer; union { int inner; char raw[4]; }; } anonymous = {1, {77}};
"""


@pytest.fixture(scope="module")
def program(loader: Loader) -> Loaded:
    """The compiler's own results: constants as initialised data."""
    results = [f"unsigned result_{i} = (unsigned)({e});" for i, e in enumerate(CONSTANT)]
    return loader(SOURCE + "\n".join(results), "")


@pytest.mark.parametrize("number", range(len(CONSTANT)), ids=CONSTANT)
def test_constants_as_the_compiler_sees_them(program: Loaded, number: int) -> None:
    expected = program.ram.word(program.address(f"result_{number}"))
    assert program.context.evaluate.integer(CONSTANT[number]) % (1 << 32) == expected


MEMORY_RESULTS = {
    "table[2].value": 0xC0FFEE11,
    "table[1].next->value": 0xC0FFEE11,
    "head->next->value": 22,
    "pointer->value": 22,
    "(*head).id": 7,
    "*numbers": 10,
    "numbers[3]": 40,
    "*(numbers + 2)": 30,
    "(numbers + 3) - numbers": 3,
    "grid[1][2]": -6,
    "head == &table[0]": 1,
    "&head->value - &table[0].value": 0,
    "head && head->id": 1,
    "!head": 0,
    "small": -100,
    "negative": -30000,
    "negative < 0": 1,
    "small + negative": -30100,
    "byte << 8 | byte": 0xABAB,
    "text[1]": ord("e"),
    "sizeof table / sizeof table[0]": 3,
    "sizeof(table)": 60,
    "((struct thing *)head)->value": 11,
    "table[0].bits": 5,
    "table[1].bits": 2,
    "table[1].sbits": 7,
    "table[0].sbits < table[1].sbits": 1,
    "table[2].in.deep": -3,
    "nothing == 0": 1,
    "nothing && nothing->value": 0,
    "head->kind == THREE": 1,
    "truth": 1,
    "!truth": 0,
    "wide == 0x123456789ull": 1,
    "wide > 0xFFFFFFFF": 1,
    "anonymous.inner": 77,
    "(word_t)&table[1] - (word_t)&table[0]": 20,
    "head + 1 == &table[1]": 1,
    "&table[1] - head": 1,
    "&table[2] - 1 == &table[1]": 1,
    "*(&numbers[3] - 2)": -20,
    "byte ? numbers[1] : 9": -20,
    "~byte": ~0xAB,
    "-byte": -0xAB,
    "-small": 100,
    "head[2].value": 0xC0FFEE11,
    "table->value": 11,
}


@pytest.mark.parametrize("expression", MEMORY)
def test_memory(program: Loaded, expression: str) -> None:
    assert program.context.evaluate.integer(expression) == MEMORY_RESULTS[expression]


def test_running_variables_and_symbols(program: Loaded) -> None:
    evaluate = program.context.evaluate
    scope = Scope({"zone": 1, "order": 2})
    assert evaluate.integer("grid[zone][order]", scope) == -6
    assert evaluate.integer("linker_symbol") == program.kernel.symbol("linker_symbol")
    assert evaluate.integer("head") == program.address("table")
    assert evaluate.integer("numbers") == program.address("numbers")


def test_a_structure_in_memory_at_hand(program: Loaded) -> None:
    type_ = program.kernel.types.lookup("struct thing")
    scope = Scope(structure=(type_, program.address("table") + type_.size))
    assert program.context.evaluate.integer("value + id + THREE", scope) == 33


COLUMNS = [
    *("value", "value == BIG", "id & 1", "id + 250", "id << 20", "bits", "sbits", "-id", "~id"),
    *("bits == 5 || sbits == 7", "kind == SMALL && id", "!(id & 1)", "in.deep", "in.deep < 0"),
    *("value + value", "id - 8", "id / 2", "(unsigned char)(id * 100)", "id > 7 ? 1 : 2", "5"),
    *(
        "value & 0x10",
        "value & 0xFFFFFFFF",
        "id & 0x10000",
        "id | 0x10000",
        "in.deep * 2",
        "~value",
    ),
]


@pytest.mark.parametrize("expression", COLUMNS)
def test_columns_are_what_each_element_gives(program: Loaded, expression: str) -> None:
    type_ = program.kernel.types.lookup("struct thing")
    start = program.address("table")
    rows = program.ram.array(start, program.kernel.types.dtype(type_), 3)
    evaluate = program.context.evaluate
    scopes = (Scope(structure=(type_, start + i * type_.size)) for i in range(3))
    one_by_one = [evaluate.integer(expression, scope) for scope in scopes]
    found = evaluate.column(expression, rows, type_)
    assert isinstance(found, np.ndarray)
    assert [int(number) for number in found] == one_by_one


@pytest.mark.parametrize(
    ("expression", "column", "reason"),
    [
        ("hed->value", 1, "no 'hed'; nearest: head"),
        ("1 + head->valu", 5, "no member of struct thing 'valu'; nearest: value"),
        ("head.value", 1, "use ->"),
        ("numbers->x", 1, "has no members"),
        ("1 +", 4, "ends too early"),
        ("1 + * + 2)", 10, "syntax error"),
        ("head + head", 1, "a pointer plus a pointer"),
        ("1 / 0", 1, "division by zero"),
        ("1 << 32", 1, "shift"),
        ("1 << -1", 1, "shift"),
        ("f(1)", 1, "a call is not supported"),
        ("byte = 1", 1, "an assignment is not supported"),
        ("byte++", 1, "is not supported"),
        ("1.5", 1, "no integer"),
        ("", None, "not one C expression"),
        ("1; 2", None, "not one C expression"),
        ("&1", 2, "not in memory"),
        ("sizeof(struct nothing)", 1, "no type"),
        ("(struct thing)head", 1, "no cast"),
    ],
)
def test_errors_say_where_and_what(
    program: Loaded, expression: str, column: int | None, reason: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        program.context.evaluate.integer(expression)
    assert reason in str(caught.value)
    assert f"'{expression}'" in str(caught.value)
    assert caught.value.column == column


def test_the_column_counts_from_one(program: Loaded) -> None:
    with pytest.raises(ExpressionError) as caught:
        program.context.evaluate.integer("1 + 22 + missing")
    assert caught.value.column == 10


def test_a_wild_pointer_is_the_guests_fault_not_the_descriptions(program: Loaded) -> None:
    with pytest.raises(NotReadable) as caught:
        program.context.evaluate.integer("wild->value")
    assert caught.value.address == 0x50000004


def test_both_sides_of_a_comparison(program: Loaded) -> None:
    evaluate, place = program.context.evaluate, program.kernel.types.variable("grid")[0]
    scope = Scope({"zone": 0, "order": 0})
    first = evaluate.integer("grid[0][0]") & 0xFFFFFFFF
    assert evaluate.comparison("grid[zone][order] == -1", scope) == (place, first, 0xFFFFFFFF)


@pytest.mark.parametrize("expression", ["1 == 1", "linker_symbol == 3", "grid[0][0] != 3", "7"])
def test_not_a_comparison_of_something_in_memory(program: Loaded, expression: str) -> None:
    assert program.context.evaluate.comparison(expression, Scope()) is None


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("1+" * 999 + "1", "nested too deeply"),
        ("(" * 900 + "1" + ")" * 900, "nested too deeply"),
        ("*" * 500 + "head", "nested too deeply"),
        ("(int" + "*" * 900 + ")1", "nested too deeply"),
        ("head" + "->next" * 300, "nested too deeply"),
        ("1+" * 1000 + "1", "longer than 2000 characters"),
        ("0x1" + "0" * 16, "a number of more than 64 bits"),
        ("9" * 1999, "a number of more than 64 bits"),
        ("exit(1)", "a call is not supported"),
        ("(1, 2)", "a comma is not supported"),
    ],
)
def test_what_is_too_much_is_refused_in_a_sentence(
    program: Loaded, expression: str, reason: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        program.context.evaluate.integer(expression)
    assert caught.value.reason == reason
    assert len(str(caught.value)) < 200


def test_a_constant_column_of_64_bits_is_signed_like_all_columns(program: Loaded) -> None:
    rows = program.ram.array(program.address("table"), "u1", 3)
    type_ = program.kernel.types.lookup("struct thing")
    found = program.context.evaluate.column("0xffffffffffffffff", rows, type_)
    assert found.tolist() == [-1, -1, -1]


def test_what_is_as_deep_as_it_may_be(program: Loaded) -> None:
    assert program.context.evaluate.integer("1+" * 98 + "1") == 99
    assert program.context.evaluate.integer("- " * 98 + "1") == 1
