#ifndef MONITOR_ANSWER_H
#define MONITOR_ANSWER_H

#include "lib/types.h"

/* A line is about to be carried out; its tag ("#7", or "" for none) goes in front of the answer. */
void answer_begin(const char *tag);
/* Assert that it was answered. */
void answer_end(void);

#endif
