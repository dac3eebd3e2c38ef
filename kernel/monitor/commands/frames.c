/* The console's commands about frames: allocating, freeing, looking. */
#include "lib/print.h"
#include "lib/string.h"
#include "mm/frames/buddy.h"
#include "mm/layout.h"
#include "monitor/arguments.h"
#include "monitor/command.h"

static const char *const zone_names[ZONE_COUNT] = {"dma", "normal", "high"};

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

static void answer_block(struct page *page, unsigned order)
{
    pages_mark(page, 1u << order, PAGE_HELD);
    answer_ok("physical=0x%08x order=%u zone=%s", PFN_TO_PHYS(page_to_pfn(page)), order,
              zone_names[page->zone]);
}

/* The order is the frame interface's to judge: one that is too large is a failed allocation. */
MONITOR_COMMAND(alloc, "ORDER [dma|normal|high] [zero]", "allocate 2^ORDER frames")
{
    uint32_t order, flags;
    if (!expect_arguments(argc, argv, 2, 4) || !parse_number(argv[1], &order) ||
        !parse_frame_flags(argc, argv, 2, &flags))
        return;
    phys_t physical = order < 32 ? get_free_pages(flags, (size_t)1 << order) : 0;
    if (physical)
        answer_block(pfn_to_page(PHYS_TO_PFN(physical)), order);
    else
        answer_error("memory", "no block of order %u", order);
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
                "allocate COUNT frames, rounded up to a power of two")
{
    uint32_t count, flags;
    if (!expect_arguments(argc, argv, 2, 4) || !parse_number(argv[1], &count) ||
        !parse_frame_flags(argc, argv, 2, &flags))
        return;
    phys_t physical = get_free_pages(flags, count);
    if (physical)
        answer_block(pfn_to_page(PHYS_TO_PFN(physical)), pages_to_order(count));
    else
        answer_error("memory", "no block of %u frames", count);
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

static void add_zone(struct zone *sum, const struct zone *zone)
{
    for (unsigned order = 0; order <= MAX_ORDER; order++)
        sum->free_blocks[order] += zone->free_blocks[order];
    sum->free_frames += zone->free_frames;
    sum->managed_frames += zone->managed_frames;
    sum->allocations += zone->allocations;
    sum->frees += zone->frees;
    sum->failures += zone->failures;
}

static void answer_zone(const char *name, const struct zone *zone)
{
    char blocks[11 * (MAX_ORDER + 1)] = "";
    size_t used = 0;
    for (unsigned order = 0; order <= MAX_ORDER; order++)
        used += ksnprintf(blocks + used, sizeof(blocks) - used, order ? "/%u" : "%u",
                          zone->free_blocks[order]);
    answer_ok("zone=%s managed=%u free=%u allocations=%u frees=%u failures=%u blocks=%s", name,
              zone->managed_frames, zone->free_frames, zone->allocations, zone->frees,
              zone->failures, blocks);
}

MONITOR_COMMAND(zone, "dma|normal|high|all", "a zone's counters; free blocks from order 0 up")
{
    if (!expect_arguments(argc, argv, 2, 2))
        return;
    bool all = strcmp(argv[1], "all") == 0;
    struct zone sum = {0};
    bool found = all;
    for (unsigned id = 0; id < ZONE_COUNT; id++) {
        if (!all && strcmp(argv[1], zone_names[id]) != 0)
            continue;
        add_zone(&sum, &zones[id]);
        found = true;
    }
    if (found)
        answer_zone(argv[1], &sum);
    else
        answer_error("usage", "no zone %s: dma, normal, high or all", argv[1]);
}

static void format_page_flags(uint8_t flags, char *text, size_t size)
{
    static const struct word words[] = {{"reserved", PAGE_RESERVED}, {"free", PAGE_FREE},
                                        {"table", PAGE_TABLE},       {"heap", PAGE_HEAP},
                                        {"metadata", PAGE_METADATA}, {"held", PAGE_HELD}};
    format_words(flags, words, ARRAY_SIZE(words), text, size);
}

MONITOR_COMMAND(frame, "PHYSICAL",
                "what the frame table says of a frame; order=none: no block begins")
{
    uint32_t physical;
    if (!expect_arguments(argc, argv, 2, 2) || !parse_number(argv[1], &physical))
        return;
    const struct page *page = pfn_to_page(PHYS_TO_PFN(physical));
    if (!page) {
        answer_error("range", "frame 0x%x is beyond the frame table", PHYS_TO_PFN(physical));
        return;
    }
    char flags[64], order[8] = "none";
    format_page_flags(page->flags, flags, sizeof(flags));
    if (page->order != ORDER_NONE)
        ksnprintf(order, sizeof(order), "%u", page->order);
    answer_ok("frame=0x%x flags=%s count=%u order=%s zone=%s", PHYS_TO_PFN(physical), flags,
              page->count, order, zone_names[page->zone]);
}
