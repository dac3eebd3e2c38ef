#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include "monitor/command.h"

#define MONITOR_PROMPT "mm> "

/* All commands in the order of their names, gathered by the linker script. */
extern const struct monitor_command monitor_commands_start[], monitor_commands_end[];

#define for_each_command(command)                                                                  \
    for (const struct monitor_command *command = monitor_commands_start;                           \
         command != monitor_commands_end; command++)

const struct monitor_command *monitor_find(const char *name);

/* Read lines from the console and answer each, for ever. */
_Noreturn void monitor_run(void);

#endif
