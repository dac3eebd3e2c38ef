/* What tapes do with address spaces and their user regions. */
#include "cpu/touch.h"
#include "mm/paging/space.h"
#include "mm/paging/user.h"
#include "mm/paging/vmm.h"
#include "tape/action.h"

TAPE_ACTION(TAPE_USER_ALLOC, user_alloc, TAPE_GIVES, TAPE_NOWHERE)
{
    return user_alloc(operation->size);
}

TAPE_ACTION(TAPE_USER_FREE, user_free, TAPE_TAKES, TAPE_NOWHERE)
{
    user_free(value);
    return 0;
}

static uint32_t outcome(struct touch touch)
{
    return touch.faulted ? TAPE_FAULT : touch.value;
}

TAPE_ACTION(TAPE_TOUCH_READ, touch_read, TAPE_FREE_OF_SLOTS, TAPE_NOWHERE)
{
    return outcome(touch_read(operation->size));
}

TAPE_ACTION(TAPE_TOUCH_WRITE, touch_write, TAPE_FREE_OF_SLOTS, TAPE_NOWHERE)
{
    return outcome(touch_write(operation->size, operation->cache));
}

TAPE_ACTION(TAPE_SPACE_CREATE, space_create, TAPE_GIVES, TAPE_NOWHERE)
{
    const struct space *space = space_create();
    return space ? space->id : 0;
}

TAPE_ACTION(TAPE_SPACE_DESTROY, space_destroy, TAPE_TAKES, TAPE_NOWHERE)
{
    space_destroy(space_find(value));
    return 0;
}

TAPE_ACTION(TAPE_SPACE_SWITCH, space_switch, TAPE_FREE_OF_SLOTS, TAPE_NOWHERE)
{
    vmm_switch(space_find(value));
    return value;
}
