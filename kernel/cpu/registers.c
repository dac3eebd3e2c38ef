/* Control registers and invlpg as functions. */
#include "cpu/registers.h"

#include "cpu/features.h"

uint32_t cr0_read(void)
{
    uint32_t value;

    __asm__ volatile("mov %%cr0, %0" : "=r"(value));
    return value;
}

void cr0_write(uint32_t value)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory");
}

uint32_t cr2_read(void)
{
    uint32_t value;

    __asm__ volatile("mov %%cr2, %0" : "=r"(value));
    return value;
}

uint32_t cr3_read(void)
{
    uint32_t value;

    __asm__ volatile("mov %%cr3, %0" : "=r"(value));
    return value;
}

void cr3_write(uint32_t value)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}

/* CR4 came with CPUID; on a CPU without it the access is an invalid opcode. */
uint32_t cr4_read(void)
{
    uint32_t value = 0;

    if (cpu_has(CPU_CR4))
        __asm__ volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}

void cr4_write(uint32_t value)
{
    if (cpu_has(CPU_CR4))
        __asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

void invlpg(uintptr_t address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}
