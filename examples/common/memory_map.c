/*
 * The firmware's map may be in any order and contradict itself. So each frame is looked up in the
 * whole map: every byte must lie in a usable region, and none in another one.
 */
#include "memory_map.h"

#include <stddef.h>

#define FOUR_GIB (1ULL << 32)

/* A PC has its display's memory here; the maps of some virtual machines call it usable. */
#define DISPLAY_START 0xA0000
#define DISPLAY_END   0xC0000

extern char kernel_start[], kernel_end[]; /* the linker script: physical addresses */

static const struct multiboot_region *first_region(const struct multiboot_info *info)
{
    return (const void *)info->map;
}

static const struct multiboot_region *next_region(const struct multiboot_info *info,
                                                  const struct multiboot_region *region)
{
    uint32_t next = (uint32_t)region + region->size + sizeof(region->size);
    return next < info->map + info->map_length ? (const void *)next : NULL;
}

/* The end of a region; one that wraps ends with the address space. */
static uint64_t region_end(const struct multiboot_region *region)
{
    uint64_t end = region->base + region->length;
    return end < region->base ? UINT64_MAX : end;
}

uint32_t last_usable_address(const struct multiboot_info *info)
{
    const struct multiboot_region *region;
    uint64_t last = 0;

    for (region = first_region(info); region; region = next_region(info, region))
        if (region->type == MULTIBOOT_USABLE && region_end(region) > last)
            last = region_end(region);
    /* The last frame below 4 GiB is never used: its end would be 0. */
    return last < FOUR_GIB ? (uint32_t)last : (uint32_t)(FOUR_GIB - FRAME_SIZE);
}

static bool overlaps(uint64_t start, uint64_t end, uint64_t other_start, uint64_t other_end)
{
    return start < other_end && other_start < end;
}

static bool touches_reserved(const struct multiboot_info *info, uint32_t frame)
{
    const struct multiboot_region *region;

    for (region = first_region(info); region; region = next_region(info, region))
        if (region->type != MULTIBOOT_USABLE &&
            overlaps(frame, (uint64_t)frame + FRAME_SIZE, region->base, region_end(region)))
            return true;
    return false;
}

/* The end of the usable region that has the byte, or the byte itself. */
static uint64_t usable_until(const struct multiboot_info *info, uint64_t byte)
{
    const struct multiboot_region *region;

    for (region = first_region(info); region; region = next_region(info, region))
        if (region->type == MULTIBOOT_USABLE && region->base <= byte && byte < region_end(region))
            return region_end(region);
    return byte;
}

bool frame_is_usable(const struct multiboot_info *info, uint32_t frame)
{
    uint64_t position = frame, end = (uint64_t)frame + FRAME_SIZE, next;

    while (position < end) {
        next = usable_until(info, position);
        if (next == position)
            return false;
        position = next;
    }
    return !overlaps(frame, end, DISPLAY_START, DISPLAY_END) && !touches_reserved(info, frame);
}

static bool in_frame(uint32_t frame, uint32_t start, uint32_t length)
{
    return length && overlaps(frame, (uint64_t)frame + FRAME_SIZE, start, (uint64_t)start + length);
}

static bool string_in_frame(uint32_t frame, uint32_t string)
{
    uint32_t length = 1;

    while (((const char *)string)[length - 1])
        length++;
    return in_frame(frame, string, length);
}

static bool module_in_frame(uint32_t frame, const struct multiboot_module *module)
{
    return in_frame(frame, module->start, module->end - module->start) ||
           (module->string && string_in_frame(frame, module->string));
}

static bool modules_in_frame(const struct multiboot_info *info, uint32_t frame)
{
    const struct multiboot_module *modules = (const void *)info->modules;
    uint32_t i;

    if (!(info->flags & MULTIBOOT_MODULES))
        return false;
    for (i = 0; i < info->module_count; i++)
        if (module_in_frame(frame, &modules[i]))
            return true;
    return in_frame(frame, info->modules, info->module_count * sizeof(*modules));
}

bool frame_is_taken(const struct multiboot_info *info, uint32_t frame)
{
    return in_frame(frame, (uint32_t)kernel_start, kernel_end - kernel_start) ||
           in_frame(frame, (uint32_t)info, sizeof(*info)) ||
           in_frame(frame, info->map, info->map_length) || modules_in_frame(info, frame) ||
           (info->flags & MULTIBOOT_COMMAND_LINE && string_in_frame(frame, info->command_line)) ||
           (info->flags & MULTIBOOT_LOADER_NAME && string_in_frame(frame, info->loader_name));
}
