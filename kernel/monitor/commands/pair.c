/* The console's command about the pair-bitmap buddy. */
#include "mm/frames/pair.h"

#include "lib/string.h"
#include "mm/frames/pair_list.h"
#include "mm/frames/pair_map.h"
#include "monitor/arguments.h"
#include "monitor/command.h"

/* NULL, and an answer, when the name is no zone's. */
static const buddy_t *find_zone(const char *name)
{
    for (unsigned id = 0; id < ZONE_COUNT; id++) {
        if (strcmp(name, zone_names[id]) == 0)
            return &buddies[id];
    }
    answer_error("usage", "no zone %s: dma, normal or high", name);
    return NULL;
}

static void answer_list(const char *zone, const char *number)
{
    const buddy_t *buddy = find_zone(zone);
    uint32_t order;
    if (!buddy || !parse_number(number, &order))
        return;
    if (order > MAX_ORDER)
        answer_error("range", "orders are 0 to %u", MAX_ORDER);
    else
        answer_ok("zone=%s order=%u blocks=%u first=0x%08x", zone, order, buddy->free_blocks[order],
                  buddy->free_lists[order]);
}

static void answer_map(const char *zone)
{
    const buddy_t *buddy = find_zone(zone);
    if (buddy)
        answer_ok("zone=%s base=0x%08x size=0x%08x max_order=%u map=0x%08x map_size=%u", zone,
                  buddy->base, buddy->size, buddy->max_order, (unsigned)(uintptr_t)buddy->map,
                  (unsigned)buddy->map_size);
}

static void answer_node(const char *physical)
{
    uint32_t address;
    struct buddy_node node;
    if (!parse_number(physical, &address))
        return;
    if (address % PAGE_SIZE || !pair_manages(PHYS_TO_PFN(address)))
        answer_error("range", "0x%08x is no managed frame's address", address);
    else if (!pair_node(buddy_of(address), address, &node))
        answer_error("state", "no free block begins at 0x%08x", address);
    else
        answer_ok("physical=0x%08x order=%u next=0x%08x previous=0x%08x", address, node.order,
                  node.next, node.previous);
}

MONITOR_COMMAND(pair, "list ZONE ORDER | map ZONE | node PHYSICAL",
                "the pair-bitmap buddy: a free list, a zone's map, a free block's node")
{
    if (!expect_arguments(argc, argv, 3, 4))
        return;
    if (frame_allocator != &pair_allocator)
        answer_error("state", "the frame allocator is %s", frame_allocator->name);
    else if (strcmp(argv[1], "list") == 0 && argc == 4)
        answer_list(argv[2], argv[3]);
    else if (strcmp(argv[1], "map") == 0 && argc == 3)
        answer_map(argv[2]);
    else if (strcmp(argv[1], "node") == 0 && argc == 3)
        answer_node(argv[2]);
    else
        answer_error("usage", "pair list ZONE ORDER, pair map ZONE or pair node PHYSICAL");
}
