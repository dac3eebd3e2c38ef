/* User regions: first fit of addresses, and giving back what was touched. */
#include "mm/paging/user.h"

#include "lib/panic.h"
#include "mm/frames/frames.h"
#include "mm/layout.h"
#include "mm/paging/vmm.h"

#define USER_PAGES ((USER_END - USER_START) / PAGE_SIZE)

_Static_assert(USER_END % LARGE_PAGE_SIZE == 0, "a page table may serve users and the kernel");
_Static_assert(DIRECTORY_INDEX(USER_START) == 0 || USER_START % LARGE_PAGE_SIZE == 0,
               "a page table may serve users and the kernel");

const uint8_t zero_page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE))) = {0};
struct record_pool user_records = RECORD_POOL(user_records, struct user_region);

static struct user_region *region_at(struct list_head *node)
{
    return list_entry(node, struct user_region, list);
}

static uintptr_t region_end(const struct user_region *region)
{
    return region->start + region->pages * PAGE_SIZE;
}

/* The first address from `start` on at which `size` bytes fit before `end` and nothing is mapped.
 */
static uintptr_t fit_between(uintptr_t start, uintptr_t end, size_t size)
{
    while (end - start >= size) {
        uintptr_t mapped = vmm_last_mapped(current_space, start, start + size);
        if (!mapped)
            return start;
        start = mapped + PAGE_SIZE;
    }
    return 0;
}

/* Put a region in front of `next`; false when there is no record for it. */
static bool insert_region(uintptr_t start, size_t pages, struct list_head *next)
{
    struct user_region *region = record_take(&user_records);
    if (!region)
        return false;
    region->start = start;
    region->pages = pages;
    region->frames = 0;
    list_insert_before(&region->list, next);
    return true;
}

uintptr_t user_alloc(size_t pages)
{
    if (pages == 0 || pages > USER_PAGES)
        return 0;
    struct list_head *next = current_space->regions.next;
    uintptr_t gap = USER_START, start;
    while (next != &current_space->regions) {
        start = fit_between(gap, region_at(next)->start, pages * PAGE_SIZE);
        if (start)
            return insert_region(start, pages, next) ? start : 0;
        gap = region_end(region_at(next));
        next = next->next;
    }
    start = fit_between(gap, USER_END, pages * PAGE_SIZE);
    return start && insert_region(start, pages, next) ? start : 0;
}

static bool in_user_space(uintptr_t start, size_t pages)
{
    return start % PAGE_SIZE == 0 && start >= USER_START && start < USER_END && pages > 0 &&
           pages <= (USER_END - start) / PAGE_SIZE;
}

/* The first region that does not end before `start`. */
static struct list_head *region_behind(uintptr_t start)
{
    struct list_head *next = current_space->regions.next;
    while (next != &current_space->regions && region_end(region_at(next)) <= start)
        next = next->next;
    return next;
}

enum user_result user_alloc_at(uintptr_t start, size_t pages)
{
    if (!in_user_space(start, pages))
        return USER_RANGE;
    uintptr_t end = start + pages * PAGE_SIZE;
    struct list_head *next = region_behind(start);
    bool overlaps = next != &current_space->regions && region_at(next)->start < end;
    if (overlaps || vmm_last_mapped(current_space, start, end))
        return USER_OCCUPIED;
    return insert_region(start, pages, next) ? USER_OK : USER_NO_MEMORY;
}

/* vmm_unmap lets the CPU forget the page before its frame goes to somebody else. */
static void unmap_pages(struct space *space, struct user_region *region)
{
    uintptr_t page;
    while ((page = vmm_last_mapped(space, region->start, region_end(region)))) {
        phys_t frame;
        enum paging_result result = vmm_unmap(space, page, &frame);
        ASSERT(result == PAGING_OK);
        if (frame != VIRT_TO_PHYS(zero_page)) {
            free_page(frame);
            region->frames--;
        }
    }
    ASSERT(region->frames == 0);
}

static void free_region(struct space *space, struct user_region *region)
{
    unmap_pages(space, region);
    list_remove(&region->list);
    record_return(&user_records, region);
}

struct user_region *user_region_of(const struct space *space, uintptr_t address)
{
    list_for_each(node, &space->regions)
    {
        struct user_region *region = region_at(node);
        if (address < region_end(region))
            return address >= region->start ? region : NULL;
    }
    return NULL;
}

void user_free(uintptr_t start)
{
    struct user_region *region = user_region_of(current_space, start);
    if (!region || region->start != start)
        panic("user: 0x%08x freed, at which no region begins", (unsigned)start);
    free_region(current_space, region);
}

void user_free_all(struct space *space)
{
    while (!list_empty(&space->regions))
        free_region(space, region_at(space->regions.next));
}
