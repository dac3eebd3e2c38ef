"""The kernel's Makefile: where the tree lies neither stops the build nor shows in the result."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.kernel.planted import copy_tree

SECONDS = 120
KEPT = ("boot", "lib", "mm/mm.c")
"""What the tree is cut down to: enough to compile, to link and to change."""


def copy_part(top: Path) -> Path:
    """Copy the tree below ``top`` without most of its C; return the kernel's folder."""
    kernel = copy_tree(top)
    keep = {path for part in KEPT for path in (kernel / part, *(kernel / part).rglob("*"))}
    for source in [*kernel.rglob("*.c"), *kernel.rglob("*.S")]:
        if source not in keep:
            source.unlink()
    return kernel


def make(kernel: Path, *arguments: str) -> str:
    """Run make in the kernel's folder, which must succeed, and return what it said."""
    status, said = try_make(kernel, *arguments)
    assert status == 0, said
    return said


def try_make(kernel: Path, *arguments: str) -> tuple[int, str]:
    """Run make in the kernel's folder and return its status and what it said."""
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    jobs = f"-j{len(os.sched_getaffinity(0))}"
    # The parts that are there speak of those that are not.
    link = "LDFLAGS=--unresolved-symbols=ignore-all"
    command = ["make", jobs, "-C", str(kernel), link, *arguments]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Build in a folder with an awkward name; return the kernel's folder and the image."""
    top = tmp_path_factory.mktemp("trees") / 'tree, "b" and it\'s'
    kernel = copy_part(top)
    make(kernel, f"O={top / 'out of tree'}")
    return kernel, top / "out of tree" / "kernel.elf"


def test_blanks_commas_and_quotes_in_paths(built: tuple[Path, Path], tmp_path: Path) -> None:
    plain = copy_part(tmp_path)
    make(plain)
    assert built[1].read_bytes() == (tmp_path / "build" / "kernel" / "kernel.elf").read_bytes()


def test_only_what_a_change_reaches_is_built_again(built: tuple[Path, Path]) -> None:
    kernel, image = built
    output = f"O={image.parent}"
    assert " -c " not in make(kernel, output)
    (kernel / "mm" / "mm.c").touch()
    assert make(kernel, output).count(" -c ") == 1
    assert make(kernel, output, "EXTRA_CFLAGS=-DOTHER").count(" -c ") > 1


def test_another_layout_in_the_same_folder_is_compiled_and_linked_anew(
    built: tuple[Path, Path],
) -> None:
    kernel, image = built
    output, before = f"O={image.parent}", image.read_bytes()
    assert make(kernel, output, "LAYOUT=identity").count(" -c ") > 1
    assert image.read_bytes() != before
    make(kernel, output, "LAYOUT=higher-half")
    assert image.read_bytes() == before


def test_an_unknown_layout_is_refused_with_the_names_there_are(built: tuple[Path, Path]) -> None:
    status, said = try_make(built[0], f"O={built[1].parent}", "LAYOUT=lower-half")
    assert status != 0
    assert "no layout 'lower-half': there are higher-half identity" in said


def test_clean_leaves_what_is_not_its_own(built: tuple[Path, Path]) -> None:
    kernel, image = built
    (image.parent / "notes").write_text("mine")
    make(kernel, f"O={image.parent}", "clean")
    assert [path.name for path in image.parent.iterdir()] == ["notes"]
    assert kernel.is_dir()
