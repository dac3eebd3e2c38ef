/*
 * From the sweep's stretches of bytes to a table of regions of frames, with RAM that is not there
 * left out.
 */
#include "mm/firmware_map.h"

#include "boot/window.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "mm/firmware_sweep.h"
#include "mm/layout.h"

struct firmware_map firmware_map;

/* What did not fit, to be said in the end. */
static uint32_t slack_bytes;     /* usable, but in frames that are not wholly usable */
static uint32_t folded_regions;  /* reservations that the table does not list */
static uint32_t dropped_regions; /* usable ones that it does not list: their RAM is lost */

static void remove_region(uint32_t index)
{
    firmware_map.count--;
    for (uint32_t i = index; i < firmware_map.count; i++)
        firmware_map.regions[i] = firmware_map.regions[i + 1];
}

static uint32_t region_frames(const struct memory_region *region)
{
    return region->end - region->start;
}

/*
 * Make room in a full table for a usable region. A reservation may go first: frames in no region
 * are as unusable as reserved ones. Without any, the smallest usable region goes, of equal ones
 * the highest; false when that is the new one.
 */
static bool make_room(uint32_t frames)
{
    uint32_t smallest = 0;
    for (uint32_t i = 0; i < firmware_map.count; i++) {
        const struct memory_region *region = &firmware_map.regions[i];
        if (region->type != MEMORY_USABLE) {
            folded_regions++;
            remove_region(i);
            return true;
        }
        if (region_frames(region) <= region_frames(&firmware_map.regions[smallest]))
            smallest = i;
    }
    dropped_regions++;
    if (frames <= region_frames(&firmware_map.regions[smallest]))
        return false;
    remove_region(smallest);
    return true;
}

static bool has_room(const struct memory_region *region)
{
    if (firmware_map.count < FIRMWARE_MAP_MAX)
        return true;
    if (region->type == MEMORY_USABLE)
        return make_room(region_frames(region));
    folded_regions++;
    return false;
}

/*
 * Two reservations rounded outward may meet in one frame: the more restrictive keeps it. True when
 * nothing of the last one remains.
 */
static bool settle_shared_frame(struct memory_region *last, struct memory_region *region)
{
    if (region->start >= last->end)
        return false;
    if (region->type > last->type)
        last->end = region->start;
    else
        region->start = last->end;
    return last->start >= last->end;
}

/* Regions come ascending. */
static void append_region(struct memory_region region)
{
    while (firmware_map.count > 0) {
        struct memory_region *last = &firmware_map.regions[firmware_map.count - 1];
        if (last->type == region.type && last->end >= region.start) {
            last->end = last->end > region.end ? last->end : region.end;
            return;
        }
        if (!settle_shared_frame(last, &region))
            break;
        firmware_map.count--;
    }
    if (region.start < region.end && has_room(&region))
        firmware_map.regions[firmware_map.count++] = region;
}

/* The image is RAM beyond doubt, and nobody should write into it, not even for an instant. */
static bool frame_present(pfn_t frame)
{
    phys_t address = PFN_TO_PHYS(frame);
    bool image = address >= VIRT_TO_PHYS(kernel_start) && address < VIRT_TO_PHYS(kernel_end);
    return image || physical_probe(address);
}

/*
 * Where RAM can begin or end on a PC: multiples of 4 MiB, and the hole for video memory and ROMs
 * from 640 KiB to 1 MiB. The first such border above `frame`.
 */
static pfn_t next_border(pfn_t frame)
{
    if (frame < PHYS_TO_PFN(0xA0000))
        return PHYS_TO_PFN(0xA0000);
    if (frame < PHYS_TO_PFN(0x100000))
        return PHYS_TO_PFN(0x100000);
    pfn_t chunk = PHYS_TO_PFN(LARGE_PAGE_SIZE);
    return (frame / chunk + 1) * chunk;
}

/* The frames that were probed last, all with RAM or all without. */
static struct {
    pfn_t start, end;
    bool present;
} probed;

static void finish_probed(void)
{
    if (probed.start < probed.end && probed.present)
        append_region((struct memory_region){probed.start, probed.end, MEMORY_USABLE});
    else if (probed.start < probed.end)
        kprintf("mm: no RAM in frames 0x%x-0x%x, which the map calls usable\n", probed.start,
                probed.end - 1);
    probed.start = probed.end = 0;
}

static void add_probed(pfn_t start, pfn_t end, bool present)
{
    if (probed.end != start || probed.present != present) {
        finish_probed();
        probed.start = start;
        probed.present = present;
    }
    probed.end = end;
}

/* Add what the map calls usable, as far as there is RAM: the first and last frame of a chunk
 * speak for it when they agree. */
static void add_usable(pfn_t start, pfn_t end)
{
    while (start < end) {
        pfn_t border = next_border(start);
        pfn_t chunk_end = border < end ? border : end;
        bool first = frame_present(start);
        if (first == frame_present(chunk_end - 1)) {
            add_probed(start, chunk_end, first);
        } else {
            for (pfn_t frame = start; frame < chunk_end; frame++)
                add_probed(frame, frame + 1, frame_present(frame));
        }
        start = chunk_end;
    }
    if (probed.present)
        finish_probed();
}

/* Usable bytes are rounded inward to frames, all others outward. */
static void add_stretch(uint64_t start, uint64_t end, uint32_t type)
{
    pfn_t first = PHYS_TO_PFN(start), last = PHYS_TO_PFN(end);
    pfn_t first_up = PHYS_TO_PFN(start + PAGE_SIZE - 1), last_up = PHYS_TO_PFN(end + PAGE_SIZE - 1);
    if (type != MEMORY_USABLE) {
        append_region((struct memory_region){first, last_up, type});
        return;
    }
    pfn_t frames = first_up < last ? last - first_up : 0;
    slack_bytes += (uint32_t)(end - start - ((uint64_t)frames << PAGE_SHIFT));
    add_usable(first_up, first_up + frames);
}

static void say_losses(const struct sweep_losses *losses)
{
    if (losses->empty || losses->beyond || losses->clipped)
        kprintf("mm: map entries: %u empty, %u above 4 GiB, %u cut at 4 GiB\n", losses->empty,
                losses->beyond, losses->clipped);
    if (slack_bytes)
        kprintf("mm: %u usable bytes dropped in partial frames\n", slack_bytes);
    if (folded_regions || dropped_regions)
        kprintf("mm: map too long: %u reservations not listed, %u usable regions dropped\n",
                folded_regions, dropped_regions);
}

static uint32_t usable_regions(void)
{
    uint32_t regions = 0;
    for (uint32_t i = 0; i < firmware_map.count; i++)
        regions += firmware_map.regions[i].type == MEMORY_USABLE;
    return regions;
}

void firmware_map_init(void)
{
    struct sweep_losses losses = firmware_sweep(add_stretch);
    finish_probed();
    say_losses(&losses);
    uint32_t frames = firmware_map_count(0, PHYS_TO_PFN(ADDRESS_LIMIT));
    if (frames == 0)
        refuse("no usable memory below 4 GiB");
    kprintf("mm: %u usable regions, %u frames\n", usable_regions(), frames);
}

pfn_t firmware_map_end(void)
{
    for (uint32_t i = firmware_map.count; i > 0; i--) {
        if (firmware_map.regions[i - 1].type == MEMORY_USABLE)
            return firmware_map.regions[i - 1].end;
    }
    return 0;
}

/* The index of the first region that ends behind this frame. */
static uint32_t region_index(pfn_t frame)
{
    uint32_t low = 0, high = firmware_map.count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (firmware_map.regions[middle].end <= frame)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool firmware_map_usable(pfn_t frame)
{
    uint32_t index = region_index(frame);
    const struct memory_region *region = &firmware_map.regions[index];
    return index < firmware_map.count && region->start <= frame && region->type == MEMORY_USABLE;
}

uint32_t firmware_map_count(pfn_t start, pfn_t end)
{
    uint32_t frames = 0;
    for (uint32_t i = region_index(start); i < firmware_map.count; i++) {
        const struct memory_region *region = &firmware_map.regions[i];
        if (region->start >= end)
            break;
        pfn_t first = region->start > start ? region->start : start;
        pfn_t last = region->end < end ? region->end : end;
        frames += region->type == MEMORY_USABLE ? last - first : 0;
    }
    return frames;
}
