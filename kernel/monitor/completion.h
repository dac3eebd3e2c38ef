#ifndef MONITOR_COMPLETION_H
#define MONITOR_COMPLETION_H

#include "lib/types.h"

enum completion {
    COMPLETION_NONE,    /* nothing to add */
    COMPLETION_TEXT,    /* `found` is to be added to the line */
    COMPLETION_CHOICES, /* `found` lists what it may become */
};

/* Complete the command's name at the end of `line` (a tag may stand in front of it). */
enum completion completion_find(const char *line, char *found, size_t size);

#endif
