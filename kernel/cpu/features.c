/* Which of the features that the 386 lacks this CPU has. */
#include "cpu/features.h"

/* Intel SDM volume 1, section 3.4.3 "EFLAGS Register". */
#define EFLAGS_AC (1u << 18)
#define EFLAGS_ID (1u << 21)

/* Intel SDM volume 2, CPUID leaf 1, EDX. */
#define CPUID_PSE  (1u << 3)
#define CPUID_TSC  (1u << 4)
#define CPUID_APIC (1u << 9)
#define CPUID_PGE  (1u << 13)

static uint32_t features;

/* A CPU that does not know a flag does not let it change: 386 for AC, early 486 for ID. */
static bool eflags_can_change(uint32_t flag)
{
    uint32_t before, after;

    __asm__ volatile("pushf\n\t"
                     "pop %0\n\t"
                     "mov %0, %1\n\t"
                     "xor %2, %1\n\t"
                     "push %1\n\t"
                     "popf\n\t"
                     "pushf\n\t"
                     "pop %1\n\t"
                     "push %0\n\t"
                     "popf"
                     : "=&r"(before), "=&r"(after)
                     : "ri"(flag)
                     : "cc");
    return ((before ^ after) & flag) != 0;
}

static uint32_t cpuid(uint32_t leaf, uint32_t *edx)
{
    uint32_t eax, ebx, ecx;

    __asm__ volatile("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(*edx) : "a"(leaf), "c"(0));
    return eax;
}

void cpu_features_init(void)
{
    uint32_t edx;

    features = 0;
    if (!eflags_can_change(EFLAGS_AC))
        return;
    features = CPU_INVLPG | CPU_WP;
    if (!eflags_can_change(EFLAGS_ID))
        return;
    features |= CPU_CR4;
    if (cpuid(0, &edx) < 1)
        return;
    cpuid(1, &edx);
    features |= (edx & CPUID_PSE) ? CPU_PSE : 0;
    features |= (edx & CPUID_PGE) ? CPU_PGE : 0;
    features |= (edx & CPUID_TSC) ? CPU_TSC : 0;
    features |= (edx & CPUID_APIC) ? CPU_LOCAL_APIC : 0;
}

bool cpu_has(enum cpu_feature feature)
{
    return (features & feature) != 0;
}
