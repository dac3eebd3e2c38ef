"""Descriptions that name something of another type: a precise error or fault, never a crash."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.check.faults import every_fault
from harness.decode.context import DescriptionMismatch
from harness.decode.decode import decode
from harness.image.description import load_description
from harness.image.kernel_image import KernelImage
from harness.ram.protocol import Ram
from tests.decode.conftest import Loader
from tests.decode.memory import UNPAGED, Loaded

SOURCE = """
struct node { struct node *next; unsigned size; } nodes[4];
struct node *head = nodes, *nowhere = (struct node *)0xe0000000, **pointers = &head;
union either { unsigned number; struct node node; } either;
unsigned number = 3, array[8], matrix[2][4];
unsigned char byte = 1;
unsigned long long wide = 1ull << 40;
int negative = -5;
void *opaque = array;
void (*call)(void);
struct unknown *incomplete;
float real;
enum colour { RED, GREEN } colour;
struct { unsigned low : 3, high : 29; } bits = {1, 2};
"""
NAMES = (
    *("nodes", "head", "nowhere", "pointers", "either", "number", "array", "matrix", "byte"),
    *(
        "wide",
        "negative",
        "opaque",
        "call",
        "incomplete",
        "real",
        "colour",
        "bits",
        "RED",
        "_start",
    ),
    *("bits.low", "nodes[2]", "&number", "*head", "head->next", "linker_symbol", "-1", "array[-1]"),
)
TABLES = {
    "bitmap": '[[bitmaps]]\nname = "x"\nwords = "{0}"\nbits = "32"',
    "bits": '[[bitmaps]]\nname = "x"\nwords = "array"\nbits = "{0}"',
    "frame table": '[frame_table]\narray = "{0}"\ncount = "4"\nfree = "size"',
    "count": '[frame_table]\narray = "nodes"\ncount = "{0}"\nfree = "size"',
    "over members": '[frame_table]\narray = "nodes"\ncount = "4"\nfree = "{0}"',
    "null list": '[[free_lists]]\nname = "x"\nhead = "{0}"\nstyle = "null"\nnodes = "block"',
    "circular list": '[[free_lists]]\nname = "x"\nhead = "{0}"\nnodes = "block"',
    "orders": '[[free_lists]]\nname = "x"\nhead = "head"\norders = "{0}"\nnodes = "block"\n'
    'style = "null"',
    "chain": '[[header_chains]]\nname = "x"\nfirst = "{0}"\nheader = "struct node"\n'
    'size = "size"\nnext = "next"',
    "blocks": '[[header_chains]]\nname = "x"\nfirst = "nodes"\nheader = "struct node"\n'
    'size = "{0}"\nend = "nodes + 4"',
    "root": '[page_tables]\nroot = "{0}"',
    "metadata": '[[metadata]]\nname = "x"\nstart = "{0}"\nlength = "64"',
    "chain of frames": '[[metadata]]\nname = "x"\nchain = "{0}"\nnext = "next"',
    "bump": '[[bumps]]\nname = "x"\narray = "{0}"\ncount = "2"\nstart = "size"\n'
    'cursor = "size"\nend = "size"',
    "held": '[held]\nwords = "{0}"\nbits = "32"',
    "memory map": '[firmware_map]\narray = "{0}"\ncount = "2"\nstart = "size"\nend = "size"\n'
    'usable = "1"',
}


@pytest.fixture(scope="module")
def program(loader: Loader) -> Loaded:
    return loader(SOURCE, "")


@pytest.mark.parametrize("toml", TABLES.values(), ids=TABLES)
def test_any_name_in_any_place(program: Loaded, tmp_path: Path, toml: str) -> None:
    """Of everything that a kernel has, whatever fits decodes; of the rest it is said what it is."""
    path = tmp_path / "harness.toml"
    for name in NAMES:
        path.write_text(toml.format(name))
        kernel = replace(program.kernel, description=load_description(path))
        said = what_is_said(program.ram, kernel)
        assert all(0 < len(words) < 1000 for words in said), name


def what_is_said(ram: Ram, kernel: KernelImage) -> list[str]:
    try:
        return [fault.message for fault in every_fault(decode(ram, UNPAGED, kernel))]
    except DescriptionMismatch as error:
        return [str(error)]
