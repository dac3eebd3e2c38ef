"""Types over several files: repeated, only declared, and different under one name."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.image.c_type import Kind
from harness.image.dwarf_types import extract
from harness.image.elf import load_kernel
from harness.image.kernel_image import KernelImage
from harness.image.type_merge import merge
from tests.image.compiler import COMPILERS, compile_kernel

SHARED = """
struct node { struct node *next; struct owner *owner; };
extern struct node *head;
"""
FIRST = SHARED + "struct private { char a; } one; void _start(void) { head = 0; for (;;); }"
SECOND = (
    SHARED + "struct owner { int id; struct node node; }; struct owner owner; struct node *head;"
)
THIRD = "struct private { long long b; } two;"


@pytest.fixture(scope="module", params=COMPILERS)
def kernel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> KernelImage:
    folder = tmp_path_factory.mktemp("merge")
    return load_kernel(compile_kernel(folder, FIRST, request.param, others=(SECOND, THIRD)))


def test_what_one_file_declares_another_defines(kernel: KernelImage) -> None:
    owner = kernel.types.lookup("struct node").member("owner").type.target
    assert owner.kind is Kind.STRUCT
    assert owner is kernel.types.lookup("struct owner")
    assert owner.size == 12


def test_a_repeated_type_is_one(kernel: KernelImage) -> None:
    node = kernel.types.lookup("struct node")
    assert kernel.types.variable("head")[1].target is node
    assert kernel.types.lookup("struct owner").member("node").type is node


def test_variables_keep_their_own_file_s_type(kernel: KernelImage) -> None:
    sizes = [kernel.types.variable(name)[1].size for name in ("one", "two")]
    assert sizes == [1, 8]


def test_types_that_differ_only_far_away_stay_apart() -> None:
    """Two structs a, whose pointers lead to structs b of different sizes."""
    nodes = []
    for size in (4, 8):
        base = len(nodes)
        nodes += [
            ["struct", "struct a", 4, "unsigned", None, None, [["p", 0, base + 1, None, None]]],
            ["pointer", "", 4, "unsigned", None, base + 2, []],
            ["struct", "struct b", size, "unsigned", None, None, []],
        ]
    merged, renumber = merge(nodes, {})
    assert len(merged) == 6
    merged, renumber = merge(nodes + nodes[:3], {})
    assert len(merged) == 6
    assert renumber(6) == renumber(0) != renumber(3)
    assert renumber(None) is None


def test_a_file_that_repeats_the_headers_adds_no_types(tmp_path: Path) -> None:
    repeated = SHARED + "struct node *behind(struct node *x) { return x->next; }"
    nodes = []
    for index, files in enumerate([(SECOND, THIRD), (SECOND, THIRD, repeated)]):
        folder = tmp_path / str(index)
        folder.mkdir()
        path = compile_kernel(folder, FIRST, others=files)
        nodes.append(extract(path.read_bytes())["nodes"])
    assert nodes[0] == nodes[1]
    assert len(nodes[0]) > 5
