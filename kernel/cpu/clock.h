#ifndef CPU_CLOCK_H
#define CPU_CLOCK_H

#include "lib/types.h"

/*
 * The time stamp counter (Intel SDM volume 3, section 17.17), or 0 on a CPU that has none. A
 * machine that counts instructions lets it tick once an instruction.
 */
uint64_t clock_ticks(void);

#endif
