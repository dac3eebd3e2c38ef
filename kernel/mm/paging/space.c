/* Address spaces: making them, and taking them apart. */
#include "mm/paging/space.h"

#include "lib/panic.h"
#include "mm/layout.h"
#include "mm/paging/paging.h"
#include "mm/paging/tables.h"
#include "mm/paging/user.h"
#include "mm/paging/vmm.h"

struct list_head spaces = LIST_INITIALISER(spaces);
struct space *current_space;
struct record_pool space_records = RECORD_POOL(space_records, struct space);

static struct space kernel_space;
static uint32_t next_id;

/* Into the list only with a directory: whoever walks it may change the kernel's part of each. */
static void add_space(struct space *space, phys_t directory)
{
    space->id = next_id++;
    space->directory = directory;
    space->global_pages = false;
    list_init(&space->regions);
    list_add_back(&space->list, &spaces);
}

void spaces_init(void)
{
    add_space(&kernel_space, page_directory_physical);
    current_space = &kernel_space;
}

/* User space is whole directory entries: all that one of these maps is user space. */
static bool is_users_entry(uint32_t index)
{
    const struct vmm_region *region = vmm_region_of(index * LARGE_PAGE_SIZE + PAGE_SIZE);
    return region && region->rights & VMM_USER;
}

static void copy_kernel_part(uint32_t *directory)
{
    const uint32_t *kernel = PHYS_TO_VIRT(kernel_space.directory);
    for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
        if (!is_users_entry(i))
            directory[i] = kernel[i];
    }
}

struct space *space_create(void)
{
    struct space *space = record_take(&space_records);
    if (!space)
        return NULL;
    phys_t directory = table_alloc();
    if (!directory) {
        record_return(&space_records, space);
        return NULL;
    }
    copy_kernel_part(PHYS_TO_VIRT(directory));
    add_space(space, directory);
    return space;
}

static void unmap_user_space(struct space *space)
{
    uintptr_t page;
    while ((page = vmm_last_mapped(space, USER_START, USER_END))) {
        phys_t held;
        enum paging_result result = vmm_unmap(space, page, &held);
        ASSERT(result == PAGING_OK);
    }
}

void space_destroy(struct space *space)
{
    if (space == &kernel_space)
        panic("space: the kernel's own address space destroyed");
    if (space == current_space)
        panic("space: %u destroyed, which is the current one", space->id);
    user_free_all(space);
    unmap_user_space(space);
    list_remove(&space->list);
    table_free(space->directory);
    record_return(&space_records, space);
}

struct space *space_find(uint32_t id)
{
    list_for_each(node, &spaces)
    {
        struct space *space = list_entry(node, struct space, list);
        if (space->id == id)
            return space;
    }
    return NULL;
}
