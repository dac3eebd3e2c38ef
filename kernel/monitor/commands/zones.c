/* The console's commands about the buddy allocators' zones, and about the frame table. */
#include "lib/print.h"
#include "lib/string.h"
#include "mm/frames/buddy.h"
#include "mm/frames/pair.h"
#include "mm/layout.h"
#include "monitor/arguments.h"
#include "monitor/command.h"

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

/* The pair-bitmap buddy keeps the same counters. */
static void add_buddy(struct zone *sum, const buddy_t *buddy)
{
    for (unsigned order = 0; order <= MAX_ORDER; order++)
        sum->free_blocks[order] += buddy->free_blocks[order];
    sum->free_frames += buddy->free_frames;
    sum->managed_frames += buddy->managed_frames;
    sum->allocations += buddy->allocations;
    sum->frees += buddy->frees;
    sum->failures += buddy->failures;
}

static bool counts_zones(void)
{
    return frame_allocator == &buddy_allocator || frame_allocator == &pair_allocator;
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

/* For those who keep no counters by zone. */
static void answer_sum(const char *name)
{
    struct frame_counts counts;
    if (strcmp(name, "all") != 0) {
        answer_error("state", "%s counts no zones: all", frame_allocator->name);
        return;
    }
    frame_allocator->count(&counts);
    answer_ok("zone=all managed=%u free=%u largest=%u", counts.managed, counts.free,
              counts.largest);
}

MONITOR_COMMAND(zone, "dma|normal|high|all", "a zone's counters; free blocks from order 0 up")
{
    if (!expect_arguments(argc, argv, 2, 2))
        return;
    if (!counts_zones()) {
        answer_sum(argv[1]);
        return;
    }
    bool all = strcmp(argv[1], "all") == 0;
    struct zone sum = {0};
    bool found = all;
    for (unsigned id = 0; id < ZONE_COUNT; id++) {
        if (!all && strcmp(argv[1], zone_names[id]) != 0)
            continue;
        if (frame_allocator == &pair_allocator)
            add_buddy(&sum, &buddies[id]);
        else
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
                                        {"metadata", PAGE_METADATA}, {"held", PAGE_HELD},
                                        {"slab", PAGE_SLAB},         {"user", PAGE_USER}};
    format_words(flags, words, ARRAY_SIZE(words), text, size);
}

MONITOR_COMMAND(frame, "PHYSICAL",
                "what the frame table says of a frame; order=none: no block begins")
{
    uint32_t physical;
    if (!expect_arguments(argc, argv, 2, 2) || !parse_number(argv[1], &physical))
        return;
    if (frame_allocator != &buddy_allocator) {
        answer_error("state", "%s keeps no frame table", frame_allocator->name);
        return;
    }
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
