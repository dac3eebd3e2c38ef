#ifndef MONITOR_COMMANDS_PAGES_H
#define MONITOR_COMMANDS_PAGES_H

#include "mm/paging/space.h"

/*
 * Pages of user space mapped by hand, for commands that name the address space in different ways.
 * Each function answers.
 */

/* VIRTUAL PHYSICAL [rw] [user] [global]; at least the two must be there. */
void map_by_hand(struct space *space, int count, char **arguments);
void unmap_by_hand(struct space *space, const char *virtual);

#endif
