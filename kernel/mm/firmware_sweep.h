#ifndef MM_FIRMWARE_SWEEP_H
#define MM_FIRMWARE_SWEEP_H

#include "lib/types.h"

/* What could not be taken from the firmware's map as it stood, in entries. */
struct sweep_losses {
    uint32_t empty;   /* of length 0 */
    uint32_t beyond;  /* wholly above 4 GiB */
    uint32_t clipped; /* reaching beyond 4 GiB, or wrapping at 2^64 */
};

/*
 * Call visit for each stretch of bytes below 4 GiB that one memory type covers, ascending; two
 * stretches that touch differ in type. Bytes that no entry mentions are in no stretch. The end is
 * exclusive and may be 4 GiB. Any number of entries in any order; memory used is constant.
 */
struct sweep_losses firmware_sweep(void (*visit)(uint64_t start, uint64_t end, uint32_t type));

#endif
