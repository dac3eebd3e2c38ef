#ifndef MONITOR_ARGUMENTS_H
#define MONITOR_ARGUMENTS_H

#include "lib/types.h"

/*
 * Understanding a command's arguments. Each function that returns false has answered
 * "error usage: …".
 */

/* Unless least <= argc <= most, the command's name included. */
bool expect_arguments(int argc, char **argv, int least, int most);

/* A number of 32 bits, decimal or 0x…. */
bool parse_number(const char *text, uint32_t *number);

/* Sets of flags as words. */
struct word {
    const char *name;
    uint32_t flag;
};

/* Add the flag that `text` names. */
bool parse_word(const char *text, const struct word *words, size_t count, uint32_t *flags);
/* The flags' names with commas between, or "none". The text must have room for all of them. */
void format_words(uint32_t flags, const struct word *words, size_t count, char *text, size_t size);

#endif
