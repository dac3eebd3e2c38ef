/* What a Multiboot loader leaves in memory: Multiboot 0.6.96, section 3.3. */
#ifndef MULTIBOOT_H
#define MULTIBOOT_H

#include <stdint.h>

#define MULTIBOOT_MAGIC        0x2BADB002
#define MULTIBOOT_COMMAND_LINE 0x004
#define MULTIBOOT_MODULES      0x008
#define MULTIBOOT_MEMORY_MAP   0x040
#define MULTIBOOT_LOADER_NAME  0x200
#define MULTIBOOT_USABLE       1

struct multiboot_info {
    uint32_t flags;
    uint32_t mem_lower, mem_upper;
    uint32_t boot_device;
    uint32_t command_line;
    uint32_t module_count, modules;
    uint32_t symbols[4];
    uint32_t map_length, map;
    uint32_t drives_length, drives;
    uint32_t config_table;
    uint32_t loader_name;
    uint32_t others[5];
};

struct multiboot_module {
    uint32_t start, end; /* physical; the end is the first byte behind it */
    uint32_t string;
    uint32_t reserved;
};

struct multiboot_region {
    uint32_t size; /* of what follows */
    uint64_t base, length;
    uint32_t type;
} __attribute__((packed));

#endif
