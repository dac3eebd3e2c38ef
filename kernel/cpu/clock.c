/* Time in ticks of the CPU. */
#include "cpu/clock.h"

#include "cpu/features.h"

uint64_t clock_ticks(void)
{
    uint64_t ticks = 0;

    if (cpu_has(CPU_TSC))
        __asm__ volatile("rdtsc" : "=A"(ticks));
    return ticks;
}
