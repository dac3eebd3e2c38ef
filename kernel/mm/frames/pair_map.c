/* The pair-bitmap buddy's bits: a bit for each pair of buddies, and one for each frame. */
#include "mm/frames/pair_map.h"

#include "lib/panic.h"
#include "lib/string.h"
#include "mm/early/early.h"
#include "mm/firmware_map.h"
#include "mm/layout.h"

#define BYTES_FOR(bits) (((bits) + 7) / 8)

uint8_t *pair_records;
size_t pair_records_size;
struct pair_managed pair_managed;

/* A pair whose second half lies beyond the end has its bit too. */
static void number_pairs(buddy_t *buddy, pfn_t frames)
{
    uint32_t bit = 0;
    for (unsigned order = 0; order <= buddy->max_order; order++) {
        buddy->first_bit[order] = bit;
        bit += (frames + (2u << order) - 1) >> (order + 1);
    }
    buddy->map_size = BYTES_FOR(buddy->first_bit[buddy->max_order]);
}

static void measure_zone(enum zone_id id, pfn_t usable_end)
{
    buddy_t *buddy = &buddies[id];
    pfn_t start = zone_start(id);
    pfn_t end = zone_end(id) < usable_end ? zone_end(id) : usable_end;
    pfn_t frames = end > start ? end - start : 0;
    buddy->base = PFN_TO_PHYS(start);
    buddy->size = frames * PAGE_SIZE;
    buddy->max_order = largest_order(start, frames);
    number_pairs(buddy, frames);
}

/* At most 256 KiB, for 4 GiB. */
void pair_map_reserve(void)
{
    pair_managed.frames = firmware_map_end();
    pair_records_size = BYTES_FOR(pair_managed.frames);
    for (enum zone_id id = ZONE_DMA; id < ZONE_COUNT; id++) {
        measure_zone(id, pair_managed.frames);
        pair_records_size += buddies[id].map_size;
    }
    size_t pages = PAGES_FOR(pair_records_size);
    pair_records = early_alloc_contiguous(pages);
    if (!pair_records)
        refuse("no room for the pair maps: %u free KiB in a row below 896 MiB are needed",
               (unsigned)(pages * (PAGE_SIZE / 1024)));
}

void pair_map_clear(void)
{
    uint8_t *next = pair_records;
    memset(pair_records, 0, pair_records_size);
    for (enum zone_id id = ZONE_DMA; id < ZONE_COUNT; id++) {
        buddies[id].map = next;
        next += buddies[id].map_size;
    }
    pair_managed.bits = next;
}

static bool any_bit(const uint8_t *map, uint32_t first, uint32_t end)
{
    while (first < end) {
        if (first % 8 == 0 && first + 8 <= end && map[first / 8] == 0)
            first += 8;
        else if (map[first / 8] >> first % 8 & 1)
            return true;
        else
            first++;
    }
    return false;
}

/* The pairs that lie wholly inside, of every smaller order. */
bool pair_any_within(const buddy_t *buddy, phys_t block, unsigned order)
{
    pfn_t frame = PHYS_TO_PFN(block - buddy->base);
    for (unsigned lower = 0; lower < order; lower++) {
        uint32_t first = buddy->first_bit[lower] + (frame >> (lower + 1));
        if (any_bit(buddy->map, first, first + (1u << (order - lower - 1))))
            return true;
    }
    return false;
}

void pair_manage(pfn_t first, pfn_t count)
{
    for (pfn_t frame = first; frame < first + count;) {
        if (frame % 8 == 0 && first + count - frame >= 8) {
            pair_managed.bits[frame / 8] = 0xFF;
            frame += 8;
        } else {
            pair_managed.bits[frame / 8] |= 1u << frame % 8;
            frame++;
        }
    }
}

pfn_t pair_managed_end(pfn_t first, pfn_t count)
{
    pfn_t frame = first, end = first + count;
    while (frame < end && pair_manages(frame)) {
        bool whole = frame % 8 == 0 && end - frame >= 8 && pair_managed.bits[frame / 8] == 0xFF;
        frame += whole ? 8 : 1;
    }
    return frame;
}
