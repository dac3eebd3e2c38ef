/* What the boot loader says: memory, modules, command line, and where it put all that. */
#include "boot/multiboot.h"

#include "boot/command_line.h"
#include "boot/multiboot_format.h"
#include "boot/window.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "lib/string.h"

/*
 * Bounds on what a loader may claim. Ranges that cannot be listed could not be kept from the
 * allocator, and entries that are not read may be reservations: beyond a bound the kernel refuses.
 */
#define MAP_ENTRIES_MAX 16384
#define STRING_MAX      4096u

static struct multiboot_information information;
static struct boot_range ranges[MULTIBOOT_RANGES_MAX];
static unsigned range_count;

static void add_range(const char *what, phys_t start, uint32_t length)
{
    if (length > 0 && start + length - 1 < start) {
        kprintf("boot: %s at 0x%08x goes beyond 4 GiB: cut\n", what, start);
        length = -start;
    }
    if (length == 0)
        return;
    ASSERT(range_count < MULTIBOOT_RANGES_MAX);
    ranges[range_count++] = (struct boot_range){what, start, length};
}

/* Bytes of the string with its terminator; a string without end is cut at STRING_MAX. */
static uint32_t string_length(const char *what, phys_t string)
{
    char part[128];

    for (uint32_t length = 0; length < STRING_MAX; length += sizeof(part)) {
        physical_read(string + length, part, sizeof(part));
        for (uint32_t i = 0; i < sizeof(part); i++)
            if (part[i] == '\0')
                return length + i + 1;
    }
    kprintf("boot: %s at 0x%08x does not end: cut at %u bytes\n", what, string, STRING_MAX);
    return STRING_MAX;
}

static void add_string(const char *what, phys_t string)
{
    if (string != 0)
        add_range(what, string, string_length(what, string));
}

static void add_module(const struct multiboot_module *module)
{
    if (module->end < module->start)
        kprintf("boot: module 0x%08x-0x%08x ends before it begins: ignored\n", module->start,
                module->end);
    else
        add_range("module", module->start, module->end - module->start);
    add_string("module string", module->string);
}

static void add_modules(void)
{
    uint32_t count = information.modules_count;
    struct multiboot_module module;

    if (count > MULTIBOOT_MODULES_MAX)
        refuse("%u boot modules, and no more than %u can be kept safe", count,
               MULTIBOOT_MODULES_MAX);
    add_range("module list", information.modules, count * sizeof(module));
    for (uint32_t i = 0; i < count; i++) {
        physical_read(information.modules + i * sizeof(module), &module, sizeof(module));
        add_module(&module);
    }
}

static void read_command_line(void)
{
    uint32_t length = string_length("command line", information.command_line);

    add_range("command line", information.command_line, length);
    command_line_set(information.command_line, length);
}

/* 64-bit: `size` is the loader's, and so may be anything. */
struct map_cursor {
    uint64_t offset;
    uint32_t entries;
};

static uint32_t bytes_left(const struct map_cursor *cursor)
{
    return information.map_length - (uint32_t)cursor->offset;
}

/*
 * Each entry is `size` + 4 bytes, whatever is known of it. False at the map's end, or where what
 * follows is no entry: cut short, or of a size that leaves no room for the type.
 */
static bool next_entry(struct map_cursor *cursor, struct multiboot_map_entry *entry)
{
    uint64_t step;

    if (bytes_left(cursor) < sizeof(*entry))
        return false;
    physical_read(information.map + (uint32_t)cursor->offset, entry, sizeof(*entry));
    step = (uint64_t)entry->size + sizeof(entry->size);
    if (step < sizeof(*entry) || step > bytes_left(cursor))
        return false;
    if (cursor->entries++ == MAP_ENTRIES_MAX)
        refuse("the memory map has more than %u entries", MAP_ENTRIES_MAX);
    cursor->offset += step;
    return true;
}

void multiboot_for_each_entry(void (*visit)(const struct firmware_entry *, void *), void *context)
{
    struct map_cursor cursor = {0};
    struct multiboot_map_entry entry;

    if (!multiboot_has(MULTIBOOT_MEMORY_MAP))
        return;
    while (next_entry(&cursor, &entry)) {
        struct firmware_entry plain = {entry.base, entry.length, entry.type};

        visit(&plain, context);
    }
}

static void inspect_map(void)
{
    struct map_cursor cursor = {0};
    struct multiboot_map_entry entry;

    add_range("memory map", information.map, information.map_length);
    while (next_entry(&cursor, &entry))
        continue;
    if (bytes_left(&cursor) > 0)
        kprintf("boot: the last %u bytes of the memory map are no entry: ignored\n",
                bytes_left(&cursor));
}

void multiboot_read(uint32_t magic, phys_t address)
{
    if (magic != MULTIBOOT_LOADER_MAGIC)
        refuse("not started by a Multiboot loader (EAX was 0x%08x)", magic);
    physical_read(address, &information, sizeof(information));
    add_range("boot information", address, sizeof(information));
    if (multiboot_has(MULTIBOOT_COMMAND_LINE))
        read_command_line();
    if (multiboot_has(MULTIBOOT_MODULES))
        add_modules();
    if (information.flags & MULTIBOOT_LOADER_NAME)
        add_string("boot loader name", information.loader_name);
    if (multiboot_has(MULTIBOOT_MEMORY_MAP))
        inspect_map();
}

bool multiboot_has(enum multiboot_flag flag)
{
    return (information.flags & flag) != 0;
}

uint32_t multiboot_memory_lower(void)
{
    return information.memory_lower;
}

uint32_t multiboot_memory_upper(void)
{
    return information.memory_upper;
}

void multiboot_for_each_range(void (*visit)(const struct boot_range *, void *), void *context)
{
    for (unsigned i = 0; i < range_count; i++)
        visit(&ranges[i], context);
}

/* The terminator is compared as well: a string that was cut ends with no word. */
static bool ends_with_word(phys_t string, const char *word)
{
    char end[32];
    size_t size = strlen(word) + 1;
    uint32_t length = string != 0 ? string_length("module string", string) : 0;
    char before = ' ';

    ASSERT(size <= sizeof(end));
    if (length < size)
        return false;
    if (length > size)
        physical_read(string + length - size - 1, &before, 1);
    physical_read(string + length - size, end, size);
    return before == ' ' && memcmp(end, word, size) == 0;
}

bool multiboot_find_module(const char *word, struct boot_range *found)
{
    uint32_t count = multiboot_has(MULTIBOOT_MODULES) ? information.modules_count : 0;
    struct multiboot_module module;

    for (uint32_t i = 0; i < count; i++) {
        physical_read(information.modules + i * sizeof(module), &module, sizeof(module));
        if (module.end >= module.start && ends_with_word(module.string, word)) {
            *found = (struct boot_range){"module", module.start, module.end - module.start};
            return true;
        }
    }
    return false;
}
