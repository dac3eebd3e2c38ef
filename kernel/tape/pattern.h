#ifndef TAPE_PATTERN_H
#define TAPE_PATTERN_H

#include "tape/action.h"

/*
 * What fills a block: little-endian words, of which each differs from the one before it, from its
 * neighbours' in other pages, and from those of other slots. Word i of slot s is
 *
 *     (s + 1) * 0x9E3779B1 + i * 0x85EBCA6B   (modulo 2^32)
 *
 * and a last part of a word takes as many of its low bytes. Frames are filled through the direct
 * map, or the window where that does not reach.
 */
void pattern_fill(enum tape_memory memory, const struct tape_slot *slot, uint32_t number);

/* The address of the first byte that is not the pattern's, 0 when there is none. */
uint32_t pattern_first_wrong(enum tape_memory memory, const struct tape_slot *slot,
                             uint32_t number);

/* The address of the first byte that is not 0, 0 when there is none. */
uint32_t pattern_first_not_zero(enum tape_memory memory, const struct tape_slot *slot);

#endif
