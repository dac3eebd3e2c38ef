#ifndef MONITOR_LINE_EDITOR_H
#define MONITOR_LINE_EDITOR_H

#include "lib/types.h"
#include "monitor/line.h"

/*
 * Prompt, and read one line from the console with echo, editing, history and completion. A line
 * that Ctrl-C abandons comes back empty. False when it was too long: `line` then holds what fitted.
 */
bool line_read(const char *prompt, char line[LINE_SIZE]);

#endif
