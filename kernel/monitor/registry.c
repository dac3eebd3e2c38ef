/* The commands that the linker has gathered. */
#include "monitor/registry.h"

#include "lib/print.h"
#include "lib/string.h"

const struct monitor_command *command_find(const char *name)
{
    for_each_command(command)
    {
        if (strcmp(command->name, name) == 0)
            return command;
    }
    return NULL;
}

const char *command_usage(const struct monitor_command *command, char text[USAGE_SIZE])
{
    const char *space = command->arguments[0] != '\0' ? " " : "";

    ksnprintf(text, USAGE_SIZE, "%s%s%s", command->name, space, command->arguments);
    return text;
}
