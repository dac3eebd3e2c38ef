/* The console's commands about kmalloc. */
#include "mm/heap/kmalloc.h"

#include "monitor/arguments.h"
#include "monitor/command.h"

MONITOR_COMMAND(kmalloc, "BYTES", "allocate a block of kernel memory")
{
    uint32_t size;
    if (!expect_arguments(argc, argv, 2, 2) || !parse_number(argv[1], &size))
        return;
    void *block = kmalloc(size);
    if (block)
        answer_ok("virtual=0x%08x", (unsigned)(uintptr_t)block);
    else
        answer_error("memory", "no block of %u bytes", size);
}

MONITOR_COMMAND(kfree, "VIRTUAL", "free a block; 0 does nothing, what is no block panics")
{
    uint32_t virtual;
    if (!expect_arguments(argc, argv, 2, 2) || !parse_number(argv[1], &virtual))
        return;
    kfree((void *)(uintptr_t)virtual);
    answer_ok("virtual=0x%08x", virtual);
}

MONITOR_COMMAND(heap, "", "what kmalloc's live blocks hold")
{
    if (!expect_arguments(argc, argv, 1, 1))
        return;
    answer_ok("blocks=%u bytes=%u frames=%u failures=%u", kmalloc_statistics.blocks,
              kmalloc_statistics.bytes, kmalloc_statistics.frames, kmalloc_statistics.failures);
}
