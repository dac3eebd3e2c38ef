#include "lib/print.h"
#include "monitor/monitor.h"

static void list_commands(void)
{
    char names[512];
    size_t used = 0;

    for_each_command(command)
    {
        if (used < sizeof(names))
            used += ksnprintf(names + used, sizeof(names) - used, "%s%s", used > 0 ? "," : "",
                              command->name);
    }
    answer_ok("commands=%s", names);
}

MONITOR_COMMAND(help, "[NAME]", "list the commands, or explain one")
{
    const struct monitor_command *command = argc == 2 ? monitor_find(argv[1]) : NULL;

    if (argc == 1)
        list_commands();
    else if (argc > 2)
        answer_error("usage", "help [NAME]");
    else if (command == NULL)
        answer_error("unknown", "no command '%s'", argv[1]);
    else
        answer_ok("usage=\"%s%s%s\" text=\"%s\"", command->name,
                  command->arguments[0] != '\0' ? " " : "", command->arguments, command->help);
}
