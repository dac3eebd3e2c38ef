/* The console's commands about frames, whichever allocator gives them. */
#include "mm/frames/frames.h"

#include "mm/layout.h"
#include "monitor/arguments.h"
#include "monitor/command.h"

/* Words from argv[first] on: where from, and whether zeroed. */
static bool parse_frame_flags(int argc, char **argv, int first, uint32_t *flags)
{
    static const struct word words[] = {
        {"dma", FRAME_DMA}, {"normal", FRAME_NORMAL}, {"high", FRAME_HIGH}, {"zero", FRAME_ZERO}};
    *flags = 0;
    for (int i = first; i < argc; i++) {
        if (!parse_word(argv[i], words, ARRAY_SIZE(words), flags))
            return false;
    }
    return true;
}

static const char *zone_name(phys_t physical)
{
    return zone_names[zone_of(PHYS_TO_PFN(physical))];
}

/* The order is the frame interface's to judge: one that is too large is a failed allocation. */
MONITOR_COMMAND(alloc, "ORDER [dma|normal|high] [zero]", "allocate 2^ORDER frames")
{
    uint32_t order, flags;
    if (!expect_arguments(argc, argv, 2, 4) || !parse_number(argv[1], &order) ||
        !parse_frame_flags(argc, argv, 2, &flags))
        return;
    phys_t physical = order < 32 ? get_free_pages(flags, (size_t)1 << order) : 0;
    if (!physical) {
        answer_error("memory", "no block of order %u", order);
        return;
    }
    frames_mark(physical, (size_t)1 << order, PAGE_HELD);
    answer_ok("physical=0x%08x order=%u zone=%s", physical, order, zone_name(physical));
}

MONITOR_COMMAND(free, "PHYSICAL ORDER", "free a block; what is not allocated so panics")
{
    uint32_t physical, order;
    if (!expect_arguments(argc, argv, 3, 3) || !parse_number(argv[1], &physical) ||
        !parse_number(argv[2], &order))
        return;
    free_pages(physical, order < 32 ? (size_t)1 << order : SIZE_MAX);
    answer_ok("physical=0x%08x order=%u", physical, order);
}

MONITOR_COMMAND(pages, "COUNT [dma|normal|high] [zero]",
                "allocate COUNT frames in a row; count= says how many they became")
{
    uint32_t count, flags;
    if (!expect_arguments(argc, argv, 2, 4) || !parse_number(argv[1], &count) ||
        !parse_frame_flags(argc, argv, 2, &flags))
        return;
    phys_t physical = get_free_pages(flags, count);
    if (!physical) {
        answer_error("memory", "no block of %u frames", count);
        return;
    }
    frames_mark(physical, count, PAGE_HELD);
    answer_ok("physical=0x%08x count=%u zone=%s", physical, (unsigned)frames_granted(count),
              zone_name(physical));
}

MONITOR_COMMAND(freepages, "PHYSICAL COUNT", "free what pages gave, with the same COUNT")
{
    uint32_t physical, count;
    if (!expect_arguments(argc, argv, 3, 3) || !parse_number(argv[1], &physical) ||
        !parse_number(argv[2], &count))
        return;
    free_pages(physical, count);
    answer_ok("physical=0x%08x count=%u", physical, count);
}

MONITOR_COMMAND(frames, "", "the frame allocator's counters; largest: what it could give at once")
{
    struct frame_counts counts;
    if (!expect_arguments(argc, argv, 1, 1))
        return;
    frame_allocator->count(&counts);
    answer_ok("allocator=%s managed=%u free=%u largest=%u", frame_allocator->name, counts.managed,
              counts.free, counts.largest);
}
