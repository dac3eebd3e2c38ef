#ifndef MONITOR_SUBCOMMAND_H
#define MONITOR_SUBCOMMAND_H

#include "lib/types.h"

/* A command's first argument, where that says what is to be done. */
struct subcommand {
    const char *name;
    int least, most;                    /* arguments behind it */
    void (*run)(int argc, char **argv); /* argv[0] is the subcommand's name: argc - 1, argv + 1 */
};

/*
 * The one that argv[1] names. NULL when there is none, or with other arguments; "error usage: …"
 * is answered then.
 */
const struct subcommand *find_subcommand(int argc, char **argv, const struct subcommand *table,
                                         size_t count);

#endif
