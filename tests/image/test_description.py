"""Descriptions: the bundled one, small ones, and each mistake at its line."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.image.description import (
    Description,
    bundled_description,
    bundled_path,
    load_description,
)
from harness.image.errors import DescriptionError
from harness.image.schema.layout import Zone
from harness.image.toml_table import read_toml


def _load(tmp_path: Path, text: str) -> Description:
    path = tmp_path / "harness.toml"
    path.write_text(text, encoding="utf-8")
    return load_description(path)


def test_the_bundled_description_is_valid() -> None:
    description = bundled_description()
    assert description.bundled
    assert description.path == bundled_path()
    assert description.zones[0] == Zone("dma", 16 << 20)
    hash(description)


def test_everything_is_optional(tmp_path: Path) -> None:
    description = _load(tmp_path, "")
    assert description.source == tmp_path
    assert not description.bundled
    none = Description.none()
    for name in ("build", "monitor", "frame_table", "zones", "heaps", "console", "page_tables"):
        assert getattr(description, name) == getattr(none, name)


def test_values_keep_their_names(tmp_path: Path) -> None:
    text = """
    [moments]
    early = "hand_over"
    [[page_tables.linear]]
    name = "direct"
    virtual = 0xC0000000
    end = "BASE + 0x400000"
    frames = ["image"]
    global = true
    except = [["0", "a + 1"]]
    [frame_table]
    array = "frames"
    count = "n"
    owners."page table" = "flags & 1"
    [[bitmaps]]
    name = "map"
    words = "w"
    bits = "b"
    moment = "early"
    taken = 0
    """
    description = _load(tmp_path, text)
    assert description.moments == {"early": "hand_over"}
    linear = description.page_tables.linear[0]
    assert (linear.virtual, linear.end) == (0xC0000000, "BASE + 0x400000")
    assert (linear.global_, linear.except_, linear.user) == (True, (("0", "a + 1"),), False)
    assert description.frame_table is not None
    assert description.frame_table.owners == {"page table": "flags & 1"}
    assert description.bitmaps[0].taken == 0


_LINEAR = '[[page_tables.linear]]\nname = "d"\nvirtual = {}\nend = {}\nframes = ["image"]'
_MONITOR = "[monitor]\nprompt = '> '\nrequest = '{}'\nanswer = '{}'"
_BITMAP = '[[bitmaps]]\nname = "b"\nwords = "w"\nbits = "n"\n'
_SUBBLOCKS = '[[subblock_heaps]]\nname = "s"\nblocks = "b"\nnext = "n"\nfree = "f"\nmap = "m"\n'
_BLOCKS = '[[free_lists]]\nname = "f"\nhead = "h"\nnodes = "block"\n'
_PAIRS = "\n".join(
    ["[[pair_maps]]", 'name = "f"']
    + [f'{key} = "1"' for key in ("zones", "base", "size", "max_order", "bytes", "length")]
    + ['first_bit = "1"', ""]
)
_TYPE = (
    '[[types]]\nname = "{}"\nsize = {}\n[types.members]\nnext = {{ offset = {}, type = "{}" }}\n'
)

MISTAKES = [
    ('nmae = "x"', 1, "nmae: unknown key; did you mean 'name'?"),
    ("\n\nqqq = 1", 3, "qqq: unknown key; known: name, build"),
    ('[build]\ncommand = ["make"]', 1, "build: image is missing"),
    (
        '[build]\nimage = "k"\ncommand = [\n  "make",\n  7,\n]',
        3,
        "build.command[1]: must be a string",
    ),
    ("name = 3", 1, "name: must be a string, not 3"),
    ('name = ""', 1, "name: must not be empty"),
    ("build = 3", 1, "build: must be a table"),
    ("zones = 3", 1, "zones: must be an array, not 3"),
    ('moments = ["x"]', 1, "moments: must be a table"),
    ('[boot]\npaths = ["direct", "dirct"]', 2, "boot.paths[1]: must be one of 'direct'"),
    ("[console]\nfirst = 'a'\nready = '(b'", 3, "console.ready: not a regular expression"),
    ('[[zones]]\nname = "a"\nend = true', 3, "zones[0].end: must be a non-negative integer"),
    ('[[zones]]\nname = "a"\nend = -1', 3, "zones[0].end: must be a non-negative integer"),
    (
        '[[zones]]\nname = "a"\nend = 9\n[[zones]]\nname = "b"\nend = 9',
        6,
        "zones[1].end: 0x9 does not lie behind 0x9",
    ),
    (_LINEAR.format("true", 4096), 3, "page_tables.linear[0].virtual: must be a non-negative int"),
    (_LINEAR.format(4096, '""'), 4, "page_tables.linear[0].end: must not be empty"),
    (_LINEAR.format(0, 4096) + '\nexcept = [["1"]]', 6, "must have 2 elements, not 1"),
    (_MONITOR.format("{tag}", "{tag}"), 3, "monitor.request: needs {command}"),
    (_MONITOR.format("{tag} {command}", "x"), 4, "monitor.answer: needs {tag}"),
    (_MONITOR.format("{tag} {command}", "{tag}("), 4, "monitor.answer: not a regular expression"),
    (_MONITOR.format("{tag} {command}", "{tag}"), 4, "needs a group (?P<status>"),
    (_BITMAP + 'moment = "late"', 5, "bitmaps[0].moment: no moment 'late'; there are ready"),
    (_BITMAP + 'metadata = "m"', 5, "bitmaps[0].metadata: no [[metadata]] named 'm'"),
    (_BITMAP + "taken = true", 5, "bitmaps[0].taken: must be one of 0, 1, not True"),
    ('[moments]\nready = "f"', 2, "moments.ready: this name is taken"),
    ('[firmware_map]\narray = "a"', 1, "firmware_map: array needs count, start, end and usable"),
    ("[firmware_map]\nabove = 9\nbelow = 9", 3, "firmware_map.below: does not lie behind above"),
    ('[[metadata]]\nname = "m"\nstart = "s"', 1, "needs start and length, or chain and next"),
    (
        '[[free_lists]]\nname = "f"\nhead = "h"\nstyle = "null"',
        1,
        "free_lists[0].nodes: there is no [frame_table]",
    ),
    (
        '[[presets]]\nname = "p"\n[[presets]]\nname = "p"',
        4,
        "presets[1].name: there is a preset 'p' already",
    ),
    (
        '[[presets]]\nname = "p"\nvariables = { CC = "gcc" }',
        3,
        "presets[0].variables.CC: is not among [build] variables (none)",
    ),
    (
        '[coverage]\nmap = "m"\nvariables = { CC = "gcc" }',
        3,
        "coverage.variables.CC: is not among [build] variables (none)",
    ),
    (_SUBBLOCKS + "subblock = 0", 7, "subblock_heaps[0].subblock: 4096 is no multiple of 0"),
    (_SUBBLOCKS + "subblock = 48", 7, "subblock_heaps[0].subblock: 4096 is no multiple of 48"),
    ('"a\\nb" = 1', 1, r"'a\nb': unknown key"),
    (f"{'a' * 200} = 1", 1, f"{'a' * 79}…{'a' * 18}': unknown key"),
    (
        f"name = [{'1, ' * 99}]",
        1,
        f"name: must be a string, not [{'1, ' * 26}1…, 1, 1, 1, 1, 1, 1]",
    ),
    (
        f'[[zones]]\nname = "a"\nend = 0x{"f" * 17}',
        3,
        "zones[0].end: must have no more than 64 bits",
    ),
    (f"name = 0x{'f' * 9999}", 1, "name: must be a string, not a number of too many digits"),
    (
        '[build]\nimage = "k"\nvariables = ["CC"]',
        3,
        "build.variables: there is no command to set them in",
    ),
    (_PAIRS + 'managed = "m"', 2, "pair_maps[0].name: no [[free_lists]] has this name"),
    (
        _BLOCKS + 'style = "null"\n' + _PAIRS + 'managed = "m"',
        6,
        "pair_maps[0]: managed and managed_bits go together",
    ),
    (
        _BLOCKS + 'links = "physical"',
        5,
        'free_lists[0].links: physical links need nodes = "block" and style = "null"',
    ),
    (
        _BLOCKS + 'style = "null"\nlinks = "physical"',
        6,
        "free_lists[0].links: physical links need node, a C type",
    ),
    (_TYPE.format("page", 4, 0, "int"), 2, "types[0].name: is not of the form 'struct page'"),
    (_TYPE.format("struct page", 0, 0, "int"), 3, "types[0].size: is not between 1 and 1048576"),
    (_TYPE.format("struct page", 1 << 21, 0, "int"), 3, "types[0].size: is not between 1 and"),
    (_TYPE.format("struct page", 4, 1, "int"), 5, "next: its 4 bytes at offset 1 end beyond the"),
    (_TYPE.format("struct page", 4, 0, "char[5]"), 5, "next: its 5 bytes at offset 0 end beyond"),
    (_TYPE.format("struct page", 4, 0, "int[0]"), 5, "next: a signed int[0] has no size"),
    (_TYPE.format("struct page", 4, 0, "void"), 5, "types[0].members.next: a void has no size"),
    (_TYPE.format("struct page", 4, 0, "*"), 5, "'*' is no C type such as 'uint8_t', 'struct"),
    (_TYPE.format("struct page", 4, 0, "struct pge *"), 5, "no type 'struct pge'; nearest: struct"),
    (
        _TYPE.format("struct page", 4, 0, "struct page"),
        5,
        "cannot hold a struct page, which is not",
    ),
    (_TYPE.format("struct page", 4, 0, "int") * 2, 7, "types[1].name: there is a struct page al"),
    ('a = "\nb', 1, "Illegal character"),
    ("a = 1\na = 2", 2, "Cannot overwrite a value"),
]


@pytest.mark.parametrize(("text", "line", "message"), MISTAKES, ids=[m[2] for m in MISTAKES])
def test_mistakes_are_named_at_their_line(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    with pytest.raises(DescriptionError) as caught:
        _load(tmp_path, text)
    place = re.escape(f"{tmp_path / 'harness.toml'}:{line}: ")
    assert re.match(place, str(caught.value)), caught.value
    assert message in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DescriptionError, match="No such file"):
        load_description(tmp_path / "missing.toml")
    (tmp_path / "deep.toml").write_text("name = " + "[" * 5000)
    with pytest.raises(DescriptionError, match=r"deep\.toml: its arrays or tables are nested too"):
        load_description(tmp_path / "deep.toml")
    (tmp_path / "digits.toml").write_text("name = " + "9" * 5000)
    with pytest.raises(DescriptionError, match=r"digits\.toml: a number in it has too many dig"):
        load_description(tmp_path / "digits.toml")
    (tmp_path / "large.toml").write_text("#" * (1 << 20) + "\n")
    with pytest.raises(DescriptionError, match=r"large\.toml: larger than 1 MiB"):
        load_description(tmp_path / "large.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe4"')
    with pytest.raises(DescriptionError, match="not UTF-8 text: byte 8"):
        load_description(tmp_path / "latin.toml")


def test_lines_are_found_behind_everything_that_toml_allows(tmp_path: Path) -> None:
    text = (
        'a = """\n[not.a.table]\nb = 1\n"""\n'
        "c = [\n  [1],\n  # comment\n  [2],\n]\n"
        '[ d . "e f" ] # comment\n  g.h = 1\n'
        "[[i]]\n[i.j]\nk = 1\n[[i]]\n[i.j]\nk = 2\n"
        'l = \'it """ # [\' # "[\nm = """\\\\"""\nn = "\\"["\np = """"a\n"""""\n'
        "q = { r = [1] }\ns = '\u2028'\nt = '''\n\\'''''\nu = 1"
    )
    path = tmp_path / "harness.toml"
    path.write_text(text)
    assert read_toml(path).lines.known == {
        ("a",): 1,
        ("c",): 5,
        ("d", "e f"): 10,
        ("d", "e f", "g", "h"): 11,
        ("i", 0): 12,
        ("i", 0, "j"): 13,
        ("i", 0, "j", "k"): 14,
        ("i", 1): 15,
        ("i", 1, "j"): 16,
        ("i", 1, "j", "k"): 17,
        ("i", 1, "j", "l"): 18,
        ("i", 1, "j", "m"): 19,
        ("i", 1, "j", "n"): 20,
        ("i", 1, "j", "p"): 21,
        ("i", 1, "j", "q", "r"): 23,
        ("i", 1, "j", "s"): 24,
        ("i", 1, "j", "t"): 25,
        ("i", 1, "j", "u"): 27,
    }


def test_a_long_value_takes_no_longer_than_its_length(tmp_path: Path) -> None:
    started = time.monotonic()
    assert _load(tmp_path, 'name = """\n' + "x\n" * 50_000 + '"""\n').name.count("x") == 50_000
    assert time.monotonic() - started < 5


def test_files_of_other_systems(tmp_path: Path) -> None:
    """A byte order mark, and lines that end with two characters."""
    (tmp_path / "harness.toml").write_bytes(b'\xef\xbb\xbfname = "x"\r\nnmae = 3\r\n')
    with pytest.raises(DescriptionError, match=r"harness\.toml:2: nmae: unknown key"):
        load_description(tmp_path / "harness.toml")


@given(data=st.data())
def test_a_damaged_description_is_refused_or_valid(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = bundled_path().read_text().splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        index = data.draw(st.integers(0, len(lines) - 1))
        lines[index] = data.draw(st.sampled_from(["", "x = 1", "[x]", "x", *lines]))
    path = tmp_path_factory.getbasetemp() / "damaged.toml"
    path.write_text("\n".join(lines))
    message = _complaint(path)
    assert message is None or re.match(rf"{path}:\d+: ", message)


def _complaint(path: Path) -> str | None:
    try:
        load_description(path)
    except DescriptionError as error:
        return str(error)
    return None
