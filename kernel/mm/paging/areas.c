/* Who has which part of the kernel's virtual areas: records on lists, first fit. */
#include "mm/paging/areas.h"

#include "lib/panic.h"
#include "mm/frames/frames.h"
#include "mm/layout.h"

struct list_head areas;
struct area_page *area_pages;

static struct list_head spare_areas; /* records that describe nothing now */

/* A page each, they would be 58 to a bucket where most of the address space is the user's. */
enum { AREA_BUCKETS = 512 };

static struct list_head free_areas; /* in address order */
static struct list_head used_areas[AREA_BUCKETS];

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

static struct list_head *bucket_of(uintptr_t start)
{
    return &used_areas[start / PAGE_SIZE % AREA_BUCKETS];
}

void areas_init(void)
{
    list_init(&areas);
    list_init(&spare_areas);
    list_init(&free_areas);
    for (uint32_t i = 0; i < AREA_BUCKETS; i++)
        list_init(&used_areas[i]);
    struct area *all = new_record(AREAS_START, (AREAS_END - AREAS_START) / PAGE_SIZE);
    if (!all)
        refuse("no memory for the records of the kernel's virtual areas");
    list_add_back(&all->list, &areas);
    list_add_back(&all->alike, &free_areas);
}

static struct area *first_fit(uint32_t pages)
{
    list_for_each(node, &free_areas)
    {
        struct area *area = list_entry(node, struct area, alike);
        if (area->pages >= pages)
            return area;
    }
    return NULL;
}

/* Cut the front off a free area as one of so many pages, on no list of those alike. */
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
    else if (area)
        list_remove(&area->alike);
    if (!area)
        return 0;
    area->state = AREA_USED;
    list_add_front(&area->alike, bucket_of(area->start));
    return area->start;
}

struct area *area_find(uintptr_t start)
{
    list_for_each(node, bucket_of(start))
    {
        struct area *area = list_entry(node, struct area, alike);
        if (area->start == start)
            return area;
    }
    return NULL;
}

/* The area of this link when there is one and it is free, else NULL. */
static struct area *free_area(struct list_head *node)
{
    struct area *area = list_entry(node, struct area, list);
    return node != &areas && area->state == AREA_FREE ? area : NULL;
}

/* The first free area behind an address, as a link; the list's head without one. */
static struct list_head *free_behind(uintptr_t start)
{
    struct list_head *node = free_areas.next;
    while (node != &free_areas && list_entry(node, struct area, alike)->start < start)
        node = node->next;
    return node;
}

/* The later of two neighbours goes into the earlier one. */
static void join(struct area *area, struct area *next)
{
    area->pages += next->pages;
    retire_record(next);
}

void area_free(struct area *area)
{
    ASSERT(area->state == AREA_USED);
    struct area *previous = free_area(area->list.previous), *next = free_area(area->list.next);
    area->state = AREA_FREE;
    list_remove(&area->alike);
    if (!previous)
        list_insert_before(&area->alike, next ? &next->alike : free_behind(area->start));
    if (next) {
        list_remove(&next->alike);
        join(area, next);
    }
    if (previous)
        join(previous, area);
}
