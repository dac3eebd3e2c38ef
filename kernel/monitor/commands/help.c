/* What the monitor knows of its own commands. */
#include "lib/print.h"
#include "monitor/arguments.h"
#include "monitor/command.h"
#include "monitor/registry.h"

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

static void explain(const char *name)
{
    const struct monitor_command *command = command_find(name);
    char usage[USAGE_SIZE];

    if (command == NULL)
        answer_error("unknown", "no command '%s'", name);
    else
        answer_ok("usage=\"%s\" text=\"%s\"", command_usage(command, usage), command->help);
}

MONITOR_COMMAND(help, "[NAME]", "list the commands, or explain one")
{
    if (!expect_arguments(argc, argv, 1, 2))
        return;
    if (argc == 1)
        list_commands();
    else
        explain(argv[1]);
}
