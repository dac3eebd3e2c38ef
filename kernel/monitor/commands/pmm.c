/* The console's commands about the page frame allocator by next fit. */
#include "mm/frames/pmm.h"

#include "mm/frames/held.h"
#include "mm/layout.h"
#include "monitor/arguments.h"
#include "monitor/command.h"
#include "monitor/subcommand.h"

static void pmm_alloc_command(int argc, char **argv)
{
    static const struct word words[] = {{"zero", FRAME_ZERO}};
    uint32_t count, flags = 0;
    if (!parse_number(argv[1], &count) ||
        (argc > 2 && !parse_word(argv[2], words, ARRAY_SIZE(words), &flags)))
        return;
    void *pages = flags & FRAME_ZERO ? pmm_allocz(count) : pmm_alloc(count);
    if (!pages) {
        answer_error("memory", "no %u free frames in a row", count);
        return;
    }
    frames_mark(VIRT_TO_PHYS(pages), count, PAGE_HELD);
    answer_ok("physical=0x%08x count=%u", VIRT_TO_PHYS(pages), count);
}

static void pmm_free_command(int argc __attribute__((unused)), char **argv)
{
    uint32_t physical, count;
    if (!parse_number(argv[1], &physical) || !parse_number(argv[2], &count))
        return;
    pmm_free(PHYS_TO_VIRT(physical), count);
    held_clear(PHYS_TO_PFN(physical), count);
    answer_ok("physical=0x%08x count=%u", physical, count);
}

static void pmm_state_command(int argc __attribute__((unused)), char **argv __attribute__((unused)))
{
    struct frame_counts counts;
    frame_pool_count(&pmm_frames.pool, &counts);
    answer_ok("frames=%u managed=%u free=%u largest=%u cursor=0x%x", pmm_frames.pool.taken.frames,
              counts.managed, counts.free, counts.largest, pmm_frames.cursor);
}

MONITOR_COMMAND(pmm, "alloc COUNT [zero] | free PHYSICAL COUNT | state",
                "frames of the direct map by next fit (frames=pmm)")
{
    static const struct subcommand subcommands[] = {{"alloc", 1, 2, pmm_alloc_command},
                                                    {"free", 2, 2, pmm_free_command},
                                                    {"state", 0, 0, pmm_state_command}};
    const struct subcommand *found =
        find_subcommand(argc, argv, subcommands, ARRAY_SIZE(subcommands));
    if (found && frame_allocator != &pmm_allocator)
        answer_error("state", "frames=%s is in charge", frame_allocator->name);
    else if (found)
        found->run(argc - 1, argv + 1);
}
