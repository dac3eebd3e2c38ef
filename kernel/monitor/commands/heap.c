/* The console's commands about the heap in charge, and about kmalloc. */
#include "mm/heap/heap.h"

#include "lib/string.h"
#include "mm/heap/kmalloc.h"
#include "monitor/arguments.h"
#include "monitor/command.h"

static void answer_counts(void)
{
    struct heap_counts counts;
    heap->count(&counts);
    answer_ok("heap=%s blocks=%u bytes=%u frames=%u failures=%u", heap->name, counts.blocks,
              counts.bytes, counts.frames, counts.failures);
}

static void alloc_block(uint32_t size)
{
    void *block = heap_alloc(size);
    if (block)
        answer_ok("virtual=0x%08x", (unsigned)(uintptr_t)block);
    else
        answer_error("memory", "no block of %u bytes", size);
}

static void free_block(uint32_t virtual)
{
    heap_free((void *)(uintptr_t)virtual);
    answer_ok("virtual=0x%08x", virtual);
}

static void check_block(uint32_t virtual)
{
    const char *wrong = heap->check((const void *)(uintptr_t)virtual);
    if (wrong)
        answer_error("state", "0x%08x: %s", virtual, wrong);
    else
        answer_ok("virtual=0x%08x", virtual);
}

MONITOR_COMMAND(heap, "[alloc BYTES | free VIRTUAL | check VIRTUAL]",
                "the heap in charge: what its live blocks hold; allocate, free, ask what is wrong")
{
    uint32_t number;
    if (argc == 1) {
        answer_counts();
        return;
    }
    if (!expect_arguments(argc, argv, 3, 3) || !parse_number(argv[2], &number))
        return;
    if (strcmp(argv[1], "alloc") == 0)
        alloc_block(number);
    else if (strcmp(argv[1], "free") == 0)
        free_block(number);
    else if (strcmp(argv[1], "check") == 0)
        check_block(number);
    else
        answer_error("usage", "heap %s: alloc, free or check", argv[1]);
}

static bool kmalloc_in_charge(void)
{
    if (heap == &kmalloc_heap)
        return true;
    answer_error("state", "kmalloc is not in charge: heap=%s is", heap->name);
    return false;
}

MONITOR_COMMAND(kmalloc, "BYTES", "allocate a block of kernel memory")
{
    uint32_t size;
    if (expect_arguments(argc, argv, 2, 2) && parse_number(argv[1], &size) && kmalloc_in_charge())
        alloc_block(size);
}

MONITOR_COMMAND(kfree, "VIRTUAL", "free a block; 0 does nothing, what is no block panics")
{
    uint32_t virtual;
    if (expect_arguments(argc, argv, 2, 2) && parse_number(argv[1], &virtual) &&
        kmalloc_in_charge())
        free_block(virtual);
}
