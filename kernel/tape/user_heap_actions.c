/* Operations on the heap of sub-blocks in user space. */
#include "mm/heap/subblock_user.h"
#include "tape/action.h"

TAPE_ACTION(TAPE_USER_HEAP_ALLOC, user_heap_alloc, TAPE_GIVES, TAPE_VIRTUAL)
{
    if (!user_arena_reachable())
        return 0;
    return (uint32_t)(uintptr_t)subblock_alloc(&user_arena, operation->size);
}

TAPE_ACTION(TAPE_USER_HEAP_FREE, user_heap_free, TAPE_TAKES, TAPE_VIRTUAL)
{
    if (user_arena_reachable())
        subblock_free(&user_arena, (void *)(uintptr_t)value);
    return 0;
}
