/* The console's commands about the early allocators, which are gone: a call must be caught. */
#include "lib/string.h"
#include "mm/early/bootmem.h"
#include "mm/early/memblock.h"
#include "mm/layout.h"
#include "monitor/arguments.h"
#include "monitor/command.h"

static void bootmem_free_something(void)
{
    void *page = PHYS_TO_VIRT(DMA_LIMIT);
    bootmem_free_page(page);
    answer_ok("virtual=0x%08x", (unsigned)(uintptr_t)page);
}

MONITOR_COMMAND(bootmem, "alloc|free", "call an early allocator, which is gone: a panic")
{
    if (!expect_arguments(argc, argv, 2, 2))
        return;
    if (strcmp(argv[1], "alloc") == 0)
        answer_ok("virtual=0x%08x", (unsigned)(uintptr_t)bootmem_alloc_page());
    else if (strcmp(argv[1], "free") == 0)
        bootmem_free_something();
    else
        answer_error("usage", "bootmem %s: alloc or free", argv[1]);
}

MONITOR_COMMAND(memblock, "alloc", "call an early allocator, which is gone: a panic")
{
    if (!expect_arguments(argc, argv, 2, 2))
        return;
    if (strcmp(argv[1], "alloc") == 0)
        answer_ok("virtual=0x%08x", (unsigned)(uintptr_t)memblock_alloc_page());
    else
        answer_error("usage", "memblock %s: alloc", argv[1]);
}
