/* Who has which part of the kernel's virtual areas: first fit over a list of records. */
#include "mm/paging/areas.h"

#include "lib/panic.h"
#include "mm/frames/frames.h"
#include "mm/layout.h"

struct list_head areas;
struct area_page *area_pages;

static struct list_head spare_areas; /* records that describe nothing now */

#define AREAS_A_PAGE ((PAGE_SIZE - sizeof(struct area_page)) / sizeof(struct area))

static bool more_records(void)
{
    phys_t frame = get_free_page(FRAME_NORMAL | FRAME_ZERO);
    if (!frame)
        return false;
    frames_mark(frame, 1, PAGE_METADATA);
    struct area_page *page = PHYS_TO_VIRT(frame);
    page->next = area_pages;
    area_pages = page;
    for (uint32_t i = 0; i < AREAS_A_PAGE; i++)
        list_add_back(&page->areas[i].list, &spare_areas);
    return true;
}

static struct area *new_record(uintptr_t start, uint32_t pages)
{
    if (list_empty(&spare_areas) && !more_records())
        return NULL;
    struct area *area = list_entry(spare_areas.next, struct area, list);
    list_remove(&area->list);
    area->start = start;
    area->pages = pages;
    area->state = AREA_FREE;
    return area;
}

static void retire_record(struct area *area)
{
    list_remove(&area->list);
    list_add_front(&area->list, &spare_areas);
}

void areas_init(void)
{
    list_init(&areas);
    list_init(&spare_areas);
    struct area *all = new_record(AREAS_START, (AREAS_END - AREAS_START) / PAGE_SIZE);
    if (!all)
        refuse("no memory for the records of the kernel's virtual areas");
    list_add_back(&all->list, &areas);
}

static struct area *first_fit(uint32_t pages)
{
    list_for_each(node, &areas)
    {
        struct area *area = list_entry(node, struct area, list);
        if (area->state == AREA_FREE && area->pages >= pages)
            return area;
    }
    return NULL;
}

/* Cut the area's front off as a used one of so many pages. */
static struct area *cut_front(struct area *area, uint32_t pages)
{
    struct area *front = new_record(area->start, pages);
    if (!front)
        return NULL;
    list_insert_before(&front->list, &area->list);
    area->start += pages * PAGE_SIZE;
    area->pages -= pages;
    return front;
}

uintptr_t area_alloc(uint32_t pages)
{
    struct area *area = pages ? first_fit(pages) : NULL;
    if (area && area->pages > pages)
        area = cut_front(area, pages);
    if (!area)
        return 0;
    area->state = AREA_USED;
    return area->start;
}

struct area *area_find(uintptr_t start)
{
    list_for_each(node, &areas)
    {
        struct area *area = list_entry(node, struct area, list);
        if (area->start == start)
            return area->state == AREA_USED ? area : NULL;
    }
    return NULL;
}

static bool is_free_area(struct list_head *node)
{
    return node != &areas && list_entry(node, struct area, list)->state == AREA_FREE;
}

/* The later of two free neighbours goes into the earlier one. */
static void join_next(struct area *area)
{
    struct area *next = list_entry(area->list.next, struct area, list);
    area->pages += next->pages;
    retire_record(next);
}

void area_free(struct area *area)
{
    ASSERT(area->state == AREA_USED);
    area->state = AREA_FREE;
    if (is_free_area(area->list.next))
        join_next(area);
    if (is_free_area(area->list.previous))
        join_next(list_entry(area->list.previous, struct area, list));
}
