"""Boot a kernel's memory manager under QEMU, decode it out of guest RAM, and check it."""
