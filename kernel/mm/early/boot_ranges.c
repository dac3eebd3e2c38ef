/* The frames that are taken before there is an allocator. */
#include "mm/early/boot_ranges.h"

#include "boot/multiboot.h"
#include "mm/layout.h"

static void (*frame_visitor)(pfn_t start, pfn_t end);

static void visit_bytes(const struct boot_range *range, void *context __attribute__((unused)))
{
    uint64_t end = (uint64_t)range->start + range->length;
    if (range->length > 0)
        frame_visitor(PHYS_TO_PFN(range->start), PHYS_TO_PFN(end + PAGE_SIZE - 1));
}

void boot_ranges_for_each(void (*visit)(pfn_t start, pfn_t end))
{
    visit(0, 1);
    visit(PHYS_TO_PFN(VIRT_TO_PHYS(kernel_start)), PHYS_TO_PFN(VIRT_TO_PHYS(kernel_end)));
    frame_visitor = visit;
    multiboot_for_each_range(visit_bytes, NULL);
}

static struct {
    pfn_t start, end, conflict_end;
} wanted;

static void compare(pfn_t start, pfn_t end)
{
    if (start < wanted.end && wanted.start < end)
        wanted.conflict_end = end;
}

pfn_t boot_range_conflict(pfn_t start, pfn_t end)
{
    wanted.start = start;
    wanted.end = end;
    wanted.conflict_end = 0;
    boot_ranges_for_each(compare);
    return wanted.conflict_end;
}
