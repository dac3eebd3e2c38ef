#ifndef CPU_FEATURES_H
#define CPU_FEATURES_H

#include "lib/types.h"

enum cpu_feature {
    CPU_INVLPG = 1 << 0, /* 486 and later */
    CPU_WP = 1 << 1,     /* 486 and later: CR0.WP */
    CPU_PSE = 1 << 2,    /* 4 MiB pages */
    CPU_PGE = 1 << 3,    /* global pages */
    CPU_CR4 = 1 << 4,    /* has control register 4 */
    CPU_TSC = 1 << 5,    /* has a time stamp counter */
    CPU_LOCAL_APIC = 1 << 6,
};

/* Found once, before anything asks: EFLAGS.AC, EFLAGS.ID, then CPUID leaf 1. */
void cpu_features_init(void);
bool cpu_has(enum cpu_feature feature);

#endif
