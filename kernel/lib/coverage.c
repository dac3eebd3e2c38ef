/* Which ways the kernel has gone: a counter for each step from one place in its code to another. */
#include "lib/types.h"

void __sanitizer_cov_trace_pc(void);

#define PLACES 65536 /* a power of two */

/* Read by the harness in RAM. The loader zeroes it with the rest of .bss. */
uint8_t coverage_map[PLACES];

/*
 * Called by the compiler at the start of each basic block with -fsanitize-coverage=trace-pc.
 *
 * This file is compiled without: a call from here would not end.
 */
void __sanitizer_cov_trace_pc(void)
{
    static uint32_t previous;
    /* Neighbours are far apart (multiplicative hashing, Knuth, volume 3, section 6.4). */
    uint32_t place = (uint32_t)__builtin_return_address(0) * 0x9E3779B1u / PLACES % PLACES;
    uint8_t *counter = &coverage_map[place ^ previous];

    *counter += *counter != UINT8_MAX;
    previous = place / 2; /* else A to B and B to A would be the same, and A to A none at all */
}
