/* The stack pointer leads astray, and something is pushed. */
#include "mm/frames/buddy.h"
#include "plants.h"

#define PUSH "pushfl; cli; movl %%esp, %0; movl %1, %%esp; pushl $99; movl %0, %%esp; popfl"

void plant_push(void)
{
    uint32_t *behind = &zones[1].managed_frames + 1, kept;

    __asm__ volatile(PUSH : "=&r"(kept) : "r"(behind) : "memory", "cc"); /* CULPRIT */
}
