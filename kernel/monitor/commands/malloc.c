/* The console's commands about malloc beyond what every heap can. */
#include "mm/heap/malloc.h"

#include "lib/string.h"
#include "monitor/arguments.h"
#include "monitor/command.h"

static bool in_charge(void)
{
    if (heap == &malloc_heap)
        return true;
    answer_error("state", "malloc is not in charge: heap=%s is", heap->name);
    return false;
}

static void answer_block(const void *block)
{
    if (block)
        answer_ok("virtual=0x%08x", (unsigned)(uintptr_t)block);
    else
        answer_error("memory", "no such block");
}

static void answer_statistics(void)
{
    answer_ok("large_blocks=%u large_bytes=%u large_frames=%u failures=%u",
              malloc_statistics.large_blocks, malloc_statistics.large_bytes,
              malloc_statistics.large_pages, malloc_statistics.failures);
}

/* realloc to nothing frees, which is no failure. */
static void resize(void *block, size_t size)
{
    void *moved = realloc(block, size);
    if (size == 0)
        answer_ok("virtual=0x%08x", 0);
    else
        answer_block(moved);
}

MONITOR_COMMAND(malloc, "[calloc COUNT BYTES | realloc VIRTUAL BYTES]",
                "malloc's large blocks; allocate zeroed, change a block's size")
{
    uint32_t first, second;
    if (!expect_arguments(argc, argv, 1, 4) || !in_charge())
        return;
    if (argc == 1) {
        answer_statistics();
        return;
    }
    if (!expect_arguments(argc, argv, 4, 4) || !parse_number(argv[2], &first) ||
        !parse_number(argv[3], &second))
        return;
    if (strcmp(argv[1], "calloc") == 0)
        answer_block(calloc(first, second));
    else if (strcmp(argv[1], "realloc") == 0)
        resize((void *)(uintptr_t)first, second);
    else
        answer_error("usage", "malloc %s: calloc or realloc", argv[1]);
}
