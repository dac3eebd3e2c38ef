#ifndef MONITOR_MEMORY_H
#define MONITOR_MEMORY_H

#include "lib/types.h"

/* What the memory commands share: sets of flags as words, and the number of arguments. */
struct word {
    const char *name;
    uint32_t flag;
};

/* Add the flag that `text` names; answers "error usage: …" and returns false when none has it. */
bool parse_word(const char *text, const struct word *words, size_t count, uint32_t *flags);
/* The flags' names with commas between, or "none". The text must have room for all of them. */
void format_words(uint32_t flags, const struct word *words, size_t count, char *text, size_t size);
/* Answers "error usage: …" and returns false unless least <= argc <= most, the name included. */
bool expect_arguments(int argc, int least, int most);

#endif
