#ifndef MM_CHOICE_H
#define MM_CHOICE_H

#include "lib/types.h"

/*
 * The memory manager is put together at boot, from one part of each kind ("early", "frames",
 * "heap"): mm=NAME on the command line names a preset, a set of parts that were designed for each
 * other, and KIND=NAME one part, which then takes the preset's place.
 */

/*
 * The name chosen for one kind of part: KIND= on the command line, else the preset's; NULL for the
 * default. Good until the next call. An unknown preset panics, and says which there are.
 */
const char *mm_choice(const char *kind);

/*
 * The part of this kind that is in charge, out of a table of `count` pointers to structures that
 * begin with their name (const char *); the first one is the default. An unknown name panics, with
 * the kind in words ("frame allocator") and the names that there are.
 */
const void *mm_choose(const char *kind, const char *in_words, const void *table, size_t count);

#endif
