#ifndef CPU_TOUCH_H
#define CPU_TOUCH_H

#include "cpu/traps.h"

/*
 * Give a trap to the access that asked for it (touch_read and its kin in cpu/traps.h), which then
 * returns. False when the trap is not one that such an access can cause, or none is under way.
 */
bool touch_take(struct trap_frame *frame);

#endif
