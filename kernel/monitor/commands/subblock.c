/* The console's commands about the heaps of sub-blocks. */
#include "mm/heap/subblock.h"
#include "lib/string.h"
#include "mm/heap/subblock_old.h"
#include "mm/heap/subblock_user.h"
#include "monitor/arguments.h"
#include "monitor/command.h"

static void answer_counts(const struct subblock_statistics *statistics, const void *spare)
{
    answer_ok("live=%u used=%u chunks=%u failures=%u spare=0x%08x", statistics->live,
              statistics->used, statistics->chunks, statistics->failures,
              (unsigned)(uintptr_t)spare);
}

static void answer_block(const void *block, uint32_t chunks, uint32_t free)
{
    answer_ok("virtual=0x%08x chunks=%u free=%u", (unsigned)(uintptr_t)block, chunks, free);
}

static void old_block(uint32_t index)
{
    const struct subblock_old_block *block = subblock_old.blocks;
    while (block && index-- > 0)
        block = block->next;
    if (block)
        answer_block(block, 1, block->free);
    else
        answer_error("range", "the list of blocks is not that long");
}

static void arena_block(const struct subblock_arena *arena, uint32_t index)
{
    const struct subblock_block *block = arena->blocks;
    while (block && index-- > 0)
        block = block->next;
    if (block)
        answer_block(block, block->chunks, block->free);
    else
        answer_error("range", "the list of blocks is not that long");
}

static void kernel_counts(void)
{
    if (heap == &subblock_old_heap)
        answer_counts(&subblock_old.statistics, subblock_old.spare);
    else
        answer_counts(&kernel_arena.statistics, kernel_arena.spare);
}

static void kernel_block(uint32_t index)
{
    if (heap == &subblock_old_heap)
        old_block(index);
    else
        arena_block(&kernel_arena, index);
}

static void kernel_command(int argc, char **argv)
{
    uint32_t index;
    if (heap != &subblock_old_heap && heap != &subblock_heap)
        answer_error("state", "no heap of sub-blocks is in charge: heap=%s is", heap->name);
    else if (argc == 1)
        kernel_counts();
    else if (argc != 3 || strcmp(argv[1], "block") != 0)
        answer_error("usage", "subblock, subblock block INDEX or subblock user");
    else if (parse_number(argv[2], &index))
        kernel_block(index);
}

static void user_alloc_block(uint32_t size)
{
    void *block = subblock_alloc(&user_arena, size);
    if (block)
        answer_ok("virtual=0x%08x", (unsigned)(uintptr_t)block);
    else
        answer_error("memory", "no block of %u bytes", size);
}

static void user_check_block(uint32_t virtual)
{
    const char *wrong = subblock_check(&user_arena, (const void *)(uintptr_t)virtual);
    if (wrong)
        answer_error("state", "0x%08x: %s", virtual, wrong);
    else
        answer_ok("virtual=0x%08x", virtual);
}

static void user_act(const char *verb, uint32_t number)
{
    if (strcmp(verb, "alloc") == 0) {
        user_alloc_block(number);
    } else if (strcmp(verb, "check") == 0) {
        user_check_block(number);
    } else if (strcmp(verb, "block") == 0) {
        arena_block(&user_arena, number);
    } else if (strcmp(verb, "free") == 0) {
        subblock_free(&user_arena, (void *)(uintptr_t)number);
        answer_ok("virtual=0x%08x", number);
    } else {
        answer_error("usage", "subblock user %s: alloc, free, check or block", verb);
    }
}

static void user_command(int argc, char **argv)
{
    uint32_t number;
    if (!user_arena_reachable())
        answer_error("state", "the user heap is in address space 0, which is not the current one");
    else if (argc == 2)
        answer_counts(&user_arena.statistics, user_arena.spare);
    else if (expect_arguments(argc, argv, 4, 4) && parse_number(argv[3], &number))
        user_act(argv[2], number);
}

MONITOR_COMMAND(subblock,
                "[block INDEX] | user [alloc BYTES | free VIRTUAL | check VIRTUAL | block INDEX]",
                "the heap of sub-blocks in charge, or the one for users: counters, blocks by list")
{
    if (!expect_arguments(argc, argv, 1, 4))
        return;
    if (argc >= 2 && strcmp(argv[1], "user") == 0)
        user_command(argc, argv);
    else
        kernel_command(argc, argv);
}
