/* The words of a monitor's command. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

/* Cut the first word off `*text`; it is empty when there is none. */
char *next_word(char **text);

bool same(const char *one, const char *other);

/* Read a decimal number or one with 0x; returns false for anything else. */
bool parse_number(const char *word, uint32_t *number);

#endif
