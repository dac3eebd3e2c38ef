"""The ROM of the direct path: from the reset vector to a Multiboot kernel's entry point.

Encodings: Intel SDM volume 2; state after reset: volume 3, section 10.1 (CS base 0xFFFF0000, EIP
0xFFF0); what the kernel may expect: Multiboot 0.6.96, section 3.2.

The ROM is the same for each boot of a kernel. The address of the boot information, which is not,
is handed over in the first word of the *mailbox*, 8 bytes of RAM; the ROM then copies the second
word over it, so that RAM which was filled evenly is so again.
"""

from __future__ import annotations

from struct import pack

from harness.machine import text_mode

SIZE = 0x10000
"""Bytes; mapped up to 4 GiB."""
BASE = (1 << 32) - SIZE
PORT_WRITES, CODE, DESCRIPTORS, POINTER, RESET_VECTOR = 0xF000, 0xFE00, 0xFF00, 0xFF40, 0xFFF0
"""Offsets into the ROM."""
BOOTLOADER_MAGIC = 0x2BADB002
"""EAX at the kernel's entry (Multiboot, section 3.2)."""
CODE_SEGMENT, DATA_SEGMENT = 8, 16

FLAT_CODE = 0x00CF9A000000FFFF
FLAT_DATA = 0x00CF92000000FFFF
"""Descriptors of base 0, limit 4 GiB, 32-bit, ring 0 (SDM volume 3, figure 3-8)."""

PCI_ADDRESS = 0xCF8
"""PCI configuration mechanism #1: the address port; data at + 4."""
PAM_LOW, PAM_HIGH = 0x80000058, 0x8000005C
"""The i440FX's registers 0x58-0x5F, of which 0x59-0x5F are PAM0-PAM6 (Intel 290549, 3.2.19)."""
PAM_LOW_OPEN, PAM_HIGH_OPEN = 0x33333000, 0x33333333
"""Reads and writes of 0xC0000-0xFFFFF go to RAM."""

APIC_SPURIOUS, APIC_LINT0, APIC_LINT1 = 0xFEE000F0, 0xFEE00350, 0xFEE00360
"""Registers of the local APIC (SDM volume 3, table 11-1); a CPU without one ignores them."""
APIC_ENABLED, EXTERNAL_INTERRUPT, NON_MASKABLE = 0x1FF, 0x8700, 0x8400
"""Virtual wire mode (MultiProcessor Specification 1.4, section 3.6.2.2), as firmware leaves it:
interrupts of the 8259 come through. After a reset they do not."""

MAILBOX_SIZE = 8
MAILBOX_CANDIDATES = (0x500, 0x9F000, 0x8F000, 0x7F000, 0x10000)
"""Conventional memory: at 0x500 the BIOS data area ends; the others are for kernels there."""


def direct_boot_rom(entry: int, mailbox: int, display: bool = False) -> bytes:
    """Return the ROM that jumps to physical ``entry`` in protected mode.

    EAX holds the magic number, EBX what the word at physical ``mailbox`` says, and the segment
    registers are flat; interrupts and paging are off. A ``display`` is put into text mode before.
    """
    rom = bytearray(b"\xff" * SIZE)
    _put(rom, RESET_VECTOR, b"\xe9" + pack("<h", CODE - (RESET_VECTOR + 3)))  # jmp near
    _put(rom, DESCRIPTORS, pack("<QQQ", 0, FLAT_CODE, FLAT_DATA))
    _put(rom, POINTER, pack("<HI", 3 * 8 - 1, BASE + DESCRIPTORS))
    real = _enter_protected_mode()
    show = b""
    if display:
        _put(rom, PORT_WRITES, text_mode.table())
        show = _show_text()
    _put(rom, CODE, real + _flat_segments() + show + _enter_kernel(entry, mailbox))
    return bytes(rom)


def _put(rom: bytearray, offset: int, data: bytes) -> None:
    rom[offset : offset + len(data)] = data


def _enter_protected_mode() -> bytes:
    """Return the 16-bit part."""
    code = b"\xfa\xfc"  # cli; cld
    code += b"\x66\x2e\x0f\x01\x16" + pack("<H", POINTER)  # lgdt cs:[POINTER], 32-bit base
    code += b"\x0f\x20\xc0"  # mov eax, cr0
    code += b"\x66\x83\xc8\x01"  # or eax, CR0.PE
    code += b"\x0f\x22\xc0"  # mov cr0, eax
    target = BASE + CODE + len(code) + 8
    return code + b"\x66\xea" + pack("<IH", target, CODE_SEGMENT)  # jmp far, 32-bit offset


def _flat_segments() -> bytes:
    """Return what the 32-bit part begins with."""
    code = b"\x66\xb8" + pack("<H", DATA_SEGMENT)  # mov ax, DATA_SEGMENT
    return code + b"\x8e\xd8\x8e\xc0\x8e\xe0\x8e\xe8\x8e\xd0"  # mov ds, es, fs, gs, ss, ax


def _show_text() -> bytes:
    """Return 32-bit code that puts the display into text mode, and blanks it."""
    code = b"\x66\xba" + pack("<H", text_mode.ATTRIBUTE_RESET)  # mov dx, ATTRIBUTE_RESET
    code += b"\xec"  # in al, dx
    code += b"\xbe" + pack("<I", BASE + PORT_WRITES)  # mov esi, PORT_WRITES
    code += b"\xb9" + pack("<I", len(text_mode.port_writes()))  # mov ecx, their number
    loop = b"\x66\xad" + b"\x89\xc2" + b"\xac\xee"  # lodsw; mov edx, eax; lodsb; out dx, al
    code += loop + b"\xe2" + pack("<b", -(len(loop) + 2))  # loop
    code += b"\xbf" + pack("<I", text_mode.MEMORY)  # mov edi, MEMORY
    code += b"\xb9" + pack("<I", text_mode.CELLS)  # mov ecx, CELLS
    return code + b"\x66\xb8" + pack("<H", text_mode.BLANK) + b"\xf3\x66\xab"  # rep stosw


def _enter_kernel(entry: int, mailbox: int) -> bytes:
    """Return the rest of the 32-bit part."""
    code = _write_pci(PAM_LOW, PAM_LOW_OPEN) + _write_pci(PAM_HIGH, PAM_HIGH_OPEN)
    code += _write_memory(APIC_SPURIOUS, APIC_ENABLED)
    code += _write_memory(APIC_LINT0, EXTERNAL_INTERRUPT)
    code += _write_memory(APIC_LINT1, NON_MASKABLE)
    code += b"\x8b\x1d" + pack("<I", mailbox)  # mov ebx, [mailbox]
    code += b"\xa1" + pack("<I", mailbox + 4)  # mov eax, [mailbox + 4]
    code += b"\xa3" + pack("<I", mailbox)  # mov [mailbox], eax
    code += b"\xb8" + pack("<I", BOOTLOADER_MAGIC)  # mov eax, magic
    code += b"\xb9" + pack("<I", entry)  # mov ecx, entry
    return code + b"\xff\xe1"  # jmp ecx


def _write_pci(register: int, value: int) -> bytes:
    code = b"\x66\xba" + pack("<H", PCI_ADDRESS)  # mov dx, PCI_ADDRESS
    code += b"\xb8" + pack("<I", register) + b"\xef"  # mov eax, register; out dx, eax
    code += b"\x66\xba" + pack("<H", PCI_ADDRESS + 4)
    return code + b"\xb8" + pack("<I", value) + b"\xef"


def _write_memory(address: int, value: int) -> bytes:
    return b"\xc7\x05" + pack("<II", address, value)  # mov dword [address], value
