#ifndef MONITOR_REGISTRY_H
#define MONITOR_REGISTRY_H

#include "monitor/command.h"

/* All commands in the order of their names, gathered by the linker script. */
extern const struct monitor_command monitor_commands_start[], monitor_commands_end[];

#define for_each_command(command)                                                                  \
    for (const struct monitor_command *command = monitor_commands_start;                           \
         command != monitor_commands_end; command++)

/* NULL when no command is called so. */
const struct monitor_command *command_find(const char *name);

#define USAGE_SIZE 192

/* "NAME ARGUMENTS". Returns `text`. */
const char *command_usage(const struct monitor_command *command, char text[USAGE_SIZE]);

#endif
