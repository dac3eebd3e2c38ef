#include "paging.h"

#include <stdint.h>

#include "panic.h"

#define ENTRIES   1024
#define PRESENT   0x01
#define WRITABLE  0x02
#define LARGE     0x80 /* 4 MiB: Intel SDM volume 3, table 4-4 */
#define CR0_PG    0x80000000
#define CR0_WP    0x00010000
#define CR0_CD_NW 0x60000000 /* set by reset; only firmware would have cleared them */
#define CR4_PSE   0x00000010
#define CPUID_PSE 0x00000008

static uint32_t page_directory[ENTRIES] __attribute__((aligned(4096)));

static int cpu_has_large_pages(void)
{
    uint32_t eax = 1, ebx, ecx, edx;

    __asm__("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
    return edx & CPUID_PSE;
}

void paging_init(void)
{
    uint32_t i, control;

    if (!cpu_has_large_pages())
        panic("this CPU has no pages of 4 MiB");
    for (i = 0; i < ENTRIES; i++)
        page_directory[i] = i << 22 | LARGE | WRITABLE | PRESENT;
    __asm__ volatile("mov %%cr4, %0" : "=r"(control));
    __asm__ volatile("mov %0, %%cr4" : : "r"(control | CR4_PSE));
    __asm__ volatile("mov %0, %%cr3" : : "r"(page_directory));
    __asm__ volatile("mov %%cr0, %0" : "=r"(control));
    control = (control & ~CR0_CD_NW) | CR0_PG | CR0_WP;
    __asm__ volatile("mov %0, %%cr0" : : "r"(control) : "memory");
}
