/* The console's commands about the block allocator by first fit. */
#include "mm/frames/bitmap.h"

#include "mm/frames/held.h"
#include "mm/layout.h"
#include "monitor/arguments.h"
#include "monitor/command.h"
#include "monitor/subcommand.h"

static bool parse_blocks(char **argv, uint32_t *block, uint32_t *count)
{
    return parse_number(argv[1], block) && parse_number(argv[2], count);
}

static void answer_blocks(phys_t block, uint32_t count)
{
    answer_ok("physical=0x%08x count=%u", block, count);
}

static void bitmap_alloc_command(int argc, char **argv)
{
    static const struct word words[] = {{"zero", FRAME_ZERO}};
    uint32_t count, flags = 0;
    if (!parse_number(argv[1], &count) ||
        (argc > 2 && !parse_word(argv[2], words, ARRAY_SIZE(words), &flags)))
        return;
    phys_t block = flags ? get_free_pages(flags, count) : bitmap_alloc_blocks(count);
    if (!block) {
        answer_error("memory", "no %u free blocks in a row", count);
        return;
    }
    frames_mark(block, count, PAGE_HELD);
    answer_blocks(block, count);
}

static void bitmap_free_command(int argc __attribute__((unused)), char **argv)
{
    uint32_t block, count;
    if (!parse_blocks(argv, &block, &count))
        return;
    bitmap_free_blocks(block, count);
    held_clear(PHYS_TO_PFN(block), count);
    answer_blocks(block, count);
}

static void bitmap_set_command(int argc __attribute__((unused)), char **argv)
{
    uint32_t block, count;
    if (!parse_blocks(argv, &block, &count))
        return;
    if (!bitmap_set_blocks(block, count)) {
        answer_error("range", "not all of %u blocks from 0x%08x are free", count, block);
        return;
    }
    frames_mark(block, count, PAGE_HELD);
    answer_blocks(block, count);
}

static void bitmap_unset_command(int argc __attribute__((unused)), char **argv)
{
    uint32_t block, count;
    if (!parse_blocks(argv, &block, &count))
        return;
    if (!bitmap_unset_blocks(block, count)) {
        answer_error("range", "not all of %u blocks from 0x%08x are taken and managed", count,
                     block);
        return;
    }
    held_clear(PHYS_TO_PFN(block), count);
    answer_blocks(block, count);
}

static void bitmap_state_command(int argc __attribute__((unused)),
                                 char **argv __attribute__((unused)))
{
    struct frame_counts counts;
    frame_pool_count(&bitmap_frames, &counts);
    answer_ok("frames=%u managed=%u free=%u largest=%u", bitmap_frames.taken.frames, counts.managed,
              counts.free, counts.largest);
}

MONITOR_COMMAND(bitmap, "alloc COUNT [zero] | free|set|unset PHYSICAL COUNT | state",
                "blocks by first fit (frames=bitmap); set takes the ones that are named")
{
    static const struct subcommand subcommands[] = {{"alloc", 1, 2, bitmap_alloc_command},
                                                    {"free", 2, 2, bitmap_free_command},
                                                    {"set", 2, 2, bitmap_set_command},
                                                    {"unset", 2, 2, bitmap_unset_command},
                                                    {"state", 0, 0, bitmap_state_command}};
    const struct subcommand *found =
        find_subcommand(argc, argv, subcommands, ARRAY_SIZE(subcommands));
    if (found && frame_allocator != &bitmap_allocator)
        answer_error("state", "frames=%s is in charge", frame_allocator->name);
    else if (found)
        found->run(argc - 1, argv + 1);
}
