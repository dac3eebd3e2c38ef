"""Small kernels for the tests, compiled on the spot."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

HEADER = """
__attribute__((section(".multiboot"), used))
const unsigned multiboot_header[3] = {0x1BADB002, 0, -0x1BADB002u};
void _start(void);
"""
SCRIPT = """
ENTRY(_start)
PHDRS { text PT_LOAD FLAGS(5); data PT_LOAD FLAGS(6); note PT_NOTE FLAGS(4); }
SECTIONS
{
    . = %(virtual)#x;
    .text : AT(ADDR(.text) - %(virtual)#x + %(physical)#x)
        { KEEP(*(.multiboot)) *(.text .text.*) *(.rodata .rodata.*) } :text
    .note.gnu.build-id : { KEEP(*(.note.gnu.build-id)) } :text :note
    . = ALIGN(0x1000);
    linker_symbol = .;
    .data : AT(ADDR(.data) - %(virtual)#x + %(physical)#x) { *(.data .data.*) } :data
    .bss : AT(ADDR(.bss) - %(virtual)#x + %(physical)#x) { *(.bss .bss.* COMMON) } :data
    /DISCARD/ : { *(.comment) *(.eh_frame) *(.note.GNU-stack) }
}
"""
COMMON_FLAGS = (
    *("-m32", "-march=i486", "-ffreestanding", "-fno-pic", "-fno-stack-protector", "-fcommon"),
    *("-fno-asynchronous-unwind-tables", "-w"),
)
COMPILERS = tuple(
    command
    for command in (
        *("gcc -gdwarf-3 -gstrict-dwarf", "gcc -gdwarf-4", "gcc -gdwarf-5"),
        *("clang -gdwarf-4", "clang -gdwarf-5"),
    )
    if shutil.which(command.split()[0])
)


def compile_kernel(
    folder: Path,
    source: str,
    compiler: str = "gcc -gdwarf-4",
    physical: int = 0x100000,
    virtual: int = 0xC0100000,
    others: tuple[str, ...] = (),
) -> Path:
    """Compile and link ``source`` as ``kernel.c``, and other files, and return the ELF."""
    names = ["kernel", *(f"other{index}" for index in range(len(others)))]
    for name, text in zip(names, (HEADER + source, *others), strict=True):
        (folder / f"{name}.c").write_text(text)
    (folder / "kernel.ld").write_text(SCRIPT % {"physical": physical, "virtual": virtual})
    for name in names:
        compile_ = [*compiler.split(), *COMMON_FLAGS, "-O1", "-c", f"{name}.c", "-o", f"{name}.o"]
        _run(compile_, folder)
    link = ["ld", "-m", "elf_i386", "-T", "kernel.ld", "-nostdlib", "--build-id=sha1"]
    objects = [f"{name}.o" for name in names]
    _run([*link, "-z", "max-page-size=4096", *objects, "-o", "kernel.elf"], folder)
    return folder / "kernel.elf"


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
