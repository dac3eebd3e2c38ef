/* Commands that do several things. */
#include "monitor/subcommand.h"

#include "lib/string.h"
#include "monitor/arguments.h"
#include "monitor/command.h"
#include "monitor/registry.h"

static int most_arguments(const struct subcommand *table, size_t count)
{
    int most = 0;
    for (size_t i = 0; i < count; i++)
        most = table[i].most > most ? table[i].most : most;
    return most;
}

const struct subcommand *find_subcommand(int argc, char **argv, const struct subcommand *table,
                                         size_t count)
{
    char usage[USAGE_SIZE];
    if (!expect_arguments(argc, argv, 2, 2 + most_arguments(table, count)))
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const struct subcommand *one = &table[i];
        if (strcmp(argv[1], one->name) == 0)
            return expect_arguments(argc, argv, 2 + one->least, 2 + one->most) ? one : NULL;
    }
    answer_error("usage", "%s is none of: %s", argv[1],
                 command_usage(command_find(argv[0]), usage));
    return NULL;
}
