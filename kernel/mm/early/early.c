/* Which early allocator is in charge, and the way to it. */
#include "mm/early/early.h"

#include "boot/command_line.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/early/bootmem.h"
#include "mm/early/memblock.h"

/* The first one is the default. */
static const struct early_allocator *const allocators[] = {&bootmem_allocator, &memblock_allocator};

const struct early_allocator *early_allocator;

static _Noreturn void panic_unknown(const char *name)
{
    char names[64] = "";
    size_t length = 0;
    for (size_t i = 0; i < ARRAY_SIZE(allocators) && length < sizeof(names); i++)
        length += ksnprintf(names + length, sizeof(names) - length, "%s%s", i > 0 ? ", " : "",
                            allocators[i]->name);
    panic("no early allocator '%s': there are %s", name, names);
}

static const struct early_allocator *find_allocator(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(allocators); i++) {
        if (strcmp(allocators[i]->name, name) == 0)
            return allocators[i];
    }
    panic_unknown(name);
}

void early_init(void)
{
    /* As long as the whole line: a name that is cut, or left out, would choose another one. */
    static char option[COMMAND_LINE_MAX];
    const char *name = command_line_option("early", option, sizeof(option));
    early_allocator = name ? find_allocator(name) : allocators[0];
    early_allocator->init();
}

void *early_alloc_page(void)
{
    return early_allocator->alloc_page();
}

void *early_alloc_contiguous(size_t pages)
{
    return early_allocator->alloc_contiguous(pages);
}

void early_free_contiguous(void *address, size_t pages)
{
    if (!early_allocator->free_contiguous)
        panic("%s: 0x%08x freed, but nothing can be given back to it", early_allocator->name,
              (unsigned)(uintptr_t)address);
    early_allocator->free_contiguous(address, pages);
}

void early_hand_over(void)
{
    early_allocator->hand_over();
}
