/* The last lines entered, in a ring. */
#include "monitor/history.h"

#include "lib/string.h"
#include "monitor/line.h"

#define HISTORY_LINES 16

static char lines[HISTORY_LINES][LINE_SIZE];
static unsigned added;

void history_add(const char *line)
{
    const char *last = history_get(1);

    if (line[0] == '\0' || (last != NULL && strcmp(last, line) == 0))
        return;
    memcpy(lines[added % HISTORY_LINES], line, strlen(line) + 1);
    added++;
}

const char *history_get(unsigned age)
{
    if (age == 0 || age > HISTORY_LINES || age > added)
        return NULL;
    return lines[(added - age) % HISTORY_LINES];
}
