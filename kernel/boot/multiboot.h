#ifndef BOOT_MULTIBOOT_H
#define BOOT_MULTIBOOT_H

#include "lib/types.h"

/* Multiboot 0.6.96, section 3.3 "Boot information format"; only the fields that are read here. */
enum multiboot_flag {
    MULTIBOOT_MEMORY = 1 << 0,
    MULTIBOOT_COMMAND_LINE = 1 << 2,
    MULTIBOOT_MODULES = 1 << 3,
    MULTIBOOT_MEMORY_MAP = 1 << 6,
};

/* Modules that can be kept safe; a range for each and for its string, and a few for the rest. */
#define MULTIBOOT_MODULES_MAX 256
#define MULTIBOOT_RANGES_MAX  (2 * MULTIBOOT_MODULES_MAX + 8)

/* One stretch of physical memory that the boot loader filled for us: must never be handed out. */
struct boot_range {
    const char *what; /* "boot information", "memory map", "command line", "module", … */
    phys_t start;
    uint32_t length;
};

struct firmware_entry {
    uint64_t base;
    uint64_t length;
    uint32_t type;
};

/*
 * Read the boot information at physical address `information` through the window. Must be called
 * first; everything below answers from what it found. Nothing is trusted: lengths are bounded, a
 * short last entry is ignored (and said), the step between map entries is `size` + 4.
 */
void multiboot_read(uint32_t magic, phys_t information);

bool multiboot_has(enum multiboot_flag flag);
uint32_t multiboot_memory_lower(void); /* KiB from 0 */
uint32_t multiboot_memory_upper(void); /* KiB from 1 MiB */

/* Call visit for each entry of the firmware's map, in its order, as it stands there. */
void multiboot_for_each_entry(void (*visit)(const struct firmware_entry *entry, void *context),
                              void *context);
/* Call visit for each range that holds boot information (the MBI, map, strings, modules, …). */
void multiboot_for_each_range(void (*visit)(const struct boot_range *range, void *context),
                              void *context);
/* The first module whose string ends with `word` (loaders may put the file's name in front). */
bool multiboot_find_module(const char *word, struct boot_range *module);

#endif
