"""Tiny kernels, each made for one way to end, assembled with gcc."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from harness.image.description import Description
from harness.image.elf import load_kernel
from harness.image.kernel_image import KernelImage
from harness.image.schema.running import Console

START = """
.text
.align 4
.long 0x1BADB002, 3, -(0x1BADB002 + 3)
.globl _start, say, work, boot_eax, boot_ebx
.type _start, @function
_start:
    mov $stack + 4096, %esp
    mov %eax, boot_eax
    mov %ebx, boot_ebx
    xor %ebp, %ebp
    mov $first, %esi
    call say
    call work
.size _start, . - _start
.type say, @function
say:
    mov $0x3F8, %dx
1:  lodsb
    test %al, %al
    jz 2f
    outb %al, %dx
    jmp 1b
2:  ret
.size say, . - say
first: .asciz "kernel: first\\n"
ready: .asciz "ready\\n"
panic: .asciz "panic: it is over\\n"
refused: .asciz "panic: refused: no memory\\n"
end: .asciz "panic: end\\n"
no_idt: .word 0
    .long 0
.bss
boot_eax: .long 0
boot_ebx: .long 0
.lcomm stack, 4096
.text
.type work, @function
work:
    push %ebp
    mov %esp, %ebp
"""

READY = "mov $ready, %esi\ncall say\n1: hlt\njmp 1b\n"
TRIPLE_FAULT = "lidt no_idt\nint3\n1: jmp 1b\n"
RESET_CF9 = "mov $0xCF9, %dx\nmov $6, %al\noutb %al, %dx\n1: jmp 1b\n"
RESET_8042 = "mov $0xFE, %al\noutb %al, $0x64\n1: jmp 1b\n"
# The PIIX4's power management base is the firmware's to choose; here it is set to 0x600.
POWER_OFF = """
mov $0xCF8, %dx
mov $0x80000B40, %eax
outl %eax, %dx
mov $0xCFC, %dx
mov $0x601, %eax
outl %eax, %dx
mov $0xCF8, %dx
mov $0x80000B80, %eax
outl %eax, %dx
mov $0xCFC, %dx
mov $1, %al
outb %al, %dx
mov $0x604, %dx
mov $0x2000, %ax
outw %ax, %dx
1: jmp 1b
"""
SPIN = "1: jmp 1b\n"
HALT = "cli\nhlt\n1: jmp 1b\n"
NOTIFY = "mov $0x505, %dx\nmov $1, %al\noutb %al, %dx\ncli\n1: hlt\njmp 1b\n"
PANIC = "mov $panic, %esi\ncall say\nmov $end, %esi\ncall say\n" + NOTIFY
SILENT_PANIC = "mov $panic, %esi\ncall say\n" + HALT
REFUSED = "mov $refused, %esi\ncall say\nmov $end, %esi\ncall say\n" + NOTIFY
# Reads the first byte of 4 MiB and writes it to the console as a character.
TELL_BYTE = "movb {address}, %al\nmov $0x3F8, %dx\noutb %al, %dx\nmov $10, %al\noutb %al, %dx\n"

DESCRIPTION = Description(
    console=Console(
        first=re.compile("^kernel: first"),
        ready=re.compile("^ready"),
        panic=re.compile("^panic: (?P<message>.*)$"),
        refused=re.compile("^panic: refused: (?P<message>.*)$"),
        end=re.compile("^panic: end$"),
    )
)
NEVER_FIRST = Description(
    console=Console(first=re.compile("^it never says this"), ready=re.compile("^nor this"))
)
NO_DESCRIPTION = Description.none()


def assemble(folder: Path, work: str, description: Description = DESCRIPTION) -> KernelImage:
    """Return a kernel at 2 MiB that says its first line and then does ``work``."""
    source, output = folder / "kernel.S", folder / "kernel.elf"
    source.write_text(START + work + ".size work, . - work\n")
    options = [
        "-m32",
        "-nostdlib",
        "-static",
        "-fno-pie",
        "-g",
        "-Wl,-Ttext=0x200000,--build-id=none",
    ]
    subprocess.run(["gcc", *options, str(source), "-o", str(output)], check=True, timeout=60)
    return load_kernel(output, description)
