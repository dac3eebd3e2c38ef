#ifndef MONITOR_HISTORY_H
#define MONITOR_HISTORY_H

#include "lib/types.h"

/* Remember a line, unless it is empty or the same as the one before. */
void history_add(const char *line);
/* The line entered `age` lines ago (1 = the last one), or NULL. */
const char *history_get(unsigned age);

#endif
