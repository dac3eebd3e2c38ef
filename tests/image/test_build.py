"""Building with real make and gcc."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.image.build import BuildError, build, build_directory, default_build_root
from harness.image.cache import cache_directory
from harness.image.description import Description, load_description
from harness.image.elf import ImageError
from harness.image.errors import DescriptionError

DESCRIPTION = """
name = "two words"
[build]
command = ["make", "-C", "{source}", "O={build}", "{variables}"]
image = "kernel.elf"
variables = ["CC", "VALUE"]
"""
MAKEFILE = """
CC = gcc
VALUE = 1
$(O)/kernel.elf: kernel.c
\techo built >> $(O)/log
\t$(CC) -m32 -ffreestanding -nostdlib -static -no-pie -fno-pic -DVALUE=$(VALUE) \\
\t\t-Wl,-Ttext-segment=0x100000,-z,noseparate-code $< -o $@
"""
KERNEL = """
__attribute__((section(".multiboot"), used))
const unsigned header[3] = {0x1BADB002, 0, -0x1BADB002u};
int value = VALUE;
void _start(void) { for (;;); }
"""


@pytest.fixture
def description(tmp_path: Path) -> Description:
    source = tmp_path / "source"
    source.mkdir()
    (source / "Makefile").write_text(MAKEFILE)
    (source / "kernel.c").write_text(KERNEL)
    (source / "harness.toml").write_text(DESCRIPTION)
    return load_description(source / "harness.toml")


def _log(description: Description, root: Path, **variables: str) -> list[str]:
    return (build_directory(description, variables, root) / "log").read_text().split()


def test_builds_once_until_the_source_changes(description: Description, tmp_path: Path) -> None:
    root = tmp_path / "build"
    first = build(description, build_root=root)
    assert first.description is description
    assert build(description, build_root=root).build_id == first.build_id
    assert _log(description, root) == ["built"]
    assert description.source is not None
    (description.source / "kernel.c").write_text(KERNEL + "int more = 5;")
    later = first.path.stat().st_mtime + 5
    _touch(description.source / "kernel.c", later)
    assert "more" in build(description, build_root=root).symbols
    assert _log(description, root) == ["built", "built"]


def _touch(path: Path, when: float) -> None:
    subprocess.run(["touch", "-d", f"@{when}", str(path)], check=True)


def test_each_choice_of_variables_has_its_folder(description: Description, tmp_path: Path) -> None:
    root = tmp_path / "build"
    one = build(description, {"VALUE": "1"}, root)
    two = build(description, {"VALUE": "2"}, root)
    assert one.path != two.path
    assert one.build_id != two.build_id
    assert build_directory(description, {"VALUE": "2"}, root) == two.path.parent
    assert two.path.parent.name.startswith("two_words-")


def test_the_source_tree_stays_clean(description: Description, tmp_path: Path) -> None:
    assert description.source is not None
    before = sorted(description.source.rglob("*"))
    build(description, build_root=tmp_path / "build")
    assert sorted(description.source.rglob("*")) == before


def test_builders_of_the_same_wait_for_each_other(description: Description, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from harness.image.build import build; "
        "from harness.image.description import load_description as load; "
        "print(build(load(Path(sys.argv[1])), {}, Path(sys.argv[2])).build_id)"
    )
    arguments = [sys.executable, "-c", program, str(description.path), str(tmp_path / "build")]
    both = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert outputs[0] == outputs[1]
    assert _log(description, tmp_path / "build") == ["built"]


def test_a_failure_quotes_the_command_and_the_compiler(
    description: Description, tmp_path: Path
) -> None:
    with pytest.raises(BuildError) as caught:
        build(description, {"VALUE": "nonsense"}, tmp_path / "build")
    message = str(caught.value)
    assert "VALUE=nonsense" in message.splitlines()[1]
    assert "'nonsense' undeclared" in message


@pytest.mark.parametrize("compiler", ["no-such-cc", "sh -c no-such-cc"])
def test_a_missing_compiler_is_named(
    description: Description, tmp_path: Path, compiler: str
) -> None:
    with pytest.raises(BuildError, match="build failed: no-such-cc is not installed"):
        build(description, {"CC": compiler}, tmp_path / "build")


def test_a_missing_build_tool_is_named(
    description: Description, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match="make is not installed"):
        build(description, build_root=tmp_path / "build")


def test_only_listed_variables_may_be_set(description: Description, tmp_path: Path) -> None:
    with pytest.raises(DescriptionError, match=r"O is not among .* \(CC, VALUE\)"):
        build(description, {"O": "/"}, tmp_path / "build")


def test_a_kernel_without_instructions_cannot_be_built() -> None:
    with pytest.raises(DescriptionError, match=r"no \[build\] table"):
        build(Description.none())


def test_a_build_must_leave_a_kernel(description: Description, tmp_path: Path) -> None:
    assert description.source is not None
    (description.source / "Makefile").write_text("all:\n\ttrue\n")
    with pytest.raises(BuildError, match=r"left no kernel\.elf"):
        build(description, build_root=tmp_path / "build")
    (description.source / "Makefile").write_text("all:\n\techo text > $(O)/kernel.elf\n")
    with pytest.raises(ImageError, match="not an ELF file"):
        build(description, build_root=tmp_path / "build")


def test_where_builds_go() -> None:
    tree = Path(__file__).resolve().parents[2]
    assert default_build_root() in (tree / "build", cache_directory() / "build")
