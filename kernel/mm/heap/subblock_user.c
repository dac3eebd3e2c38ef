/* The sub-block heap over user regions. */
#include "mm/heap/subblock_user.h"

#include "cpu/touch.h"
#include "mm/layout.h"
#include "mm/paging/user.h"

/*
 * The pages that hold a block's records get their frames now, by an access that may fail: a fault
 * for want of a frame in the middle of the heap's work would be the end. The largest map that a
 * block can have takes one byte in 32.
 */
static bool touch_records(uintptr_t start, size_t chunks)
{
    size_t bytes = sizeof(struct subblock_block) + chunks * SUBBLOCKS_A_CHUNK;
    for (size_t i = 0; i < PAGES_FOR(bytes); i++) {
        if (touch_write(start + i * PAGE_SIZE, 0).faulted)
            return false;
    }
    return true;
}

static void *take_pages(size_t *chunks)
{
    uintptr_t start = user_alloc(*chunks);
    if (!start)
        return NULL;
    if (touch_records(start, *chunks))
        return (void *)start;
    user_free(start);
    return NULL;
}

static void give_pages(void *start, size_t chunks __attribute__((unused)))
{
    user_free((uintptr_t)start);
}

static const struct chunk_source user_source = {take_pages, give_pages};

struct subblock_arena user_arena = {.source = &user_source};

bool user_arena_reachable(void)
{
    return current_space->id == 0;
}
