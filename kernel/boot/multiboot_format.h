#ifndef BOOT_MULTIBOOT_FORMAT_H
#define BOOT_MULTIBOOT_FORMAT_H

#include "lib/types.h"

/* What a Multiboot loader leaves in EAX: Multiboot 0.6.96, section 3.2. */
#define MULTIBOOT_LOADER_MAGIC 0x2BADB002u

/*
 * Section 3.3 "Boot information format"; pointers are physical addresses. What may follow (VBE,
 * framebuffer) is not used here.
 */
struct multiboot_information {
    uint32_t flags;
    uint32_t memory_lower, memory_upper; /* KiB */
    uint32_t boot_device;
    uint32_t command_line;
    uint32_t modules_count, modules;
    uint32_t symbols[4];
    uint32_t map_length, map;
    uint32_t drives_length, drives;
    uint32_t configuration_table;
    uint32_t loader_name;
    uint32_t apm_table;
};
_Static_assert(sizeof(struct multiboot_information) == 72, "Multiboot information");

struct multiboot_module {
    uint32_t start, end; /* end is exclusive */
    uint32_t string;     /* 0: none */
    uint32_t reserved;
};
_Static_assert(sizeof(struct multiboot_module) == 16, "Multiboot module");

/* `size` counts what follows it, and may be more than the 20 bytes that are known. */
struct multiboot_map_entry {
    uint32_t size;
    uint64_t base;
    uint64_t length;
    uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct multiboot_map_entry) == 24, "Multiboot map entry");

#define MULTIBOOT_LOADER_NAME (1u << 9)

#endif
