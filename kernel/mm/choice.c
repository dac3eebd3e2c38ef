/* Which parts the memory manager is made of: the command line's word on it. */
#include "mm/choice.h"

#include "boot/command_line.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "lib/string.h"

struct preset {
    const char *name; /* mm=NAME */
    const char *early, *frames, *heap;
};

/* What each of the four published designs is made of. The first one is the default. */
static const struct preset presets[] = {
    {.name = "helios", .early = "bootmem", .frames = "buddy", .heap = "kmalloc"},
    {.name = "ferrite", .early = "memblock", .frames = "pair", .heap = "kmalloc"},
    {.name = "apoptos", .early = "memblock", .frames = "pmm", .heap = "malloc"},
    {.name = "oct", .early = "memblock", .frames = "bitmap", .heap = "subblock"},
};

static const char *part_name(const void *part)
{
    return *(const char *const *)part;
}

/* `name_of` the element with each index below `count`, in words; then the machine stops. */
static _Noreturn void panic_unknown(const char *in_words, const char *name,
                                    const char *(*name_of)(const void *table, size_t index),
                                    const void *table, size_t count)
{
    char names[128] = "";
    size_t length = 0;
    for (size_t i = 0; i < count && length < sizeof(names); i++)
        length += ksnprintf(names + length, sizeof(names) - length, "%s%s", i > 0 ? ", " : "",
                            name_of(table, i));
    panic("no %s '%s': there are %s", in_words, name, names);
}

static const char *preset_at(const void *table, size_t index)
{
    return ((const struct preset *)table)[index].name;
}

static const char *part_at(const void *table, size_t index)
{
    return part_name(((const void *const *)table)[index]);
}

static const struct preset *chosen_preset(void)
{
    /* As long as the whole line: a name that is cut, or left out, would choose another one. */
    static char option[COMMAND_LINE_MAX];
    const char *name = command_line_option("mm", option, sizeof(option));
    if (!name)
        return &presets[0];
    for (size_t i = 0; i < ARRAY_SIZE(presets); i++) {
        if (strcmp(presets[i].name, name) == 0)
            return &presets[i];
    }
    panic_unknown("memory manager", name, preset_at, presets, ARRAY_SIZE(presets));
}

static const char *preset_choice(const struct preset *preset, const char *kind)
{
    if (strcmp(kind, "early") == 0)
        return preset->early;
    if (strcmp(kind, "frames") == 0)
        return preset->frames;
    return strcmp(kind, "heap") == 0 ? preset->heap : NULL;
}

const char *mm_choice(const char *kind)
{
    static char option[COMMAND_LINE_MAX];
    const struct preset *preset = chosen_preset();
    const char *name = command_line_option(kind, option, sizeof(option));
    return name ? name : preset_choice(preset, kind);
}

const void *mm_choose(const char *kind, const char *in_words, const void *table, size_t count)
{
    const void *const *parts = table;
    const char *name = mm_choice(kind);
    if (!name)
        return parts[0];
    for (size_t i = 0; i < count; i++) {
        if (strcmp(part_name(parts[i]), name) == 0)
            return parts[i];
    }
    panic_unknown(in_words, name, part_at, table, count);
}
