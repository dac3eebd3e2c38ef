#include "paging.h"

#include <stddef.h>

#include "frames.h"
#include "layout.h"
#include "panic.h"

#define PRESENT        0x001ULL
#define WRITABLE       0x002ULL
#define NO_EXECUTE     (1ULL << 63)
#define ADDRESS        0x000FFFFFFFFFF000ULL
#define CPUID_EXTENDED 0x80000001
#define CPUID_NX       (1u << 20)
#define MSR_EFER       0xC0000080
#define EFER_NXE       (1u << 11)

extern char kernel_start[], kernel_end[]; /* physical */
extern char text_start[], rodata_start[], data_start[];

static uint64_t pointers[4] __attribute__((aligned(32)));
static uint64_t no_execute; /* NO_EXECUTE where the CPU knows it */

static void cpuid(uint32_t leaf, uint32_t *eax, uint32_t *edx)
{
    uint32_t ebx, ecx;

    __asm__("cpuid" : "=a"(*eax), "=b"(ebx), "=c"(ecx), "=d"(*edx) : "a"(leaf));
}

static void enable_no_execute(void)
{
    uint32_t most, features, low, high;

    cpuid(CPUID_EXTENDED & 0x80000000, &most, &features);
    if (most < CPUID_EXTENDED)
        return;
    cpuid(CPUID_EXTENDED, &most, &features);
    if (!(features & CPUID_NX))
        return;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_EFER));
    __asm__ volatile("wrmsr" : : "a"(low | EFER_NXE), "d"(high), "c"(MSR_EFER));
    no_execute = NO_EXECUTE;
}

/* The table behind an entry, made when there is none; NULL without a frame for it. */
static uint64_t *table_behind(uint64_t *entry, uint64_t rights)
{
    uint32_t frame, i;
    uint64_t *table;

    if (*entry & PRESENT)
        return direct(*entry & ADDRESS);
    frame = frame_alloc(OWNER_PAGE_TABLE);
    if (!frame)
        return NULL;
    table = direct(frame);
    for (i = 0; i < FRAME_SIZE / sizeof(*table); i++)
        table[i] = 0;
    *entry = frame | rights;
    return table;
}

static bool map(uint32_t virtual, uint32_t physical, uint64_t rights)
{
    /* An entry of the first level has no rights. */
    uint64_t *directory = table_behind(&pointers[virtual >> 30], PRESENT);
    uint64_t *table =
        directory ? table_behind(&directory[virtual >> 21 & 511], WRITABLE | PRESENT) : NULL;

    if (!table)
        return false;
    table[virtual >> 12 & 511] = physical | rights;
    return true;
}

bool map_data(uint32_t virtual, uint32_t physical)
{
    return map(virtual, physical, PRESENT | WRITABLE | no_execute);
}

uint32_t unmap(uint32_t virtual)
{
    uint64_t *directory = direct(pointers[virtual >> 30] & ADDRESS);
    uint64_t *table = direct(directory[virtual >> 21 & 511] & ADDRESS);
    uint32_t frame = table[virtual >> 12 & 511] & ADDRESS;

    table[virtual >> 12 & 511] = 0;
    __asm__ volatile("invlpg (%0)" : : "r"(virtual) : "memory");
    return frame;
}

/* The rights of the image's segments; all other memory is data. */
static uint64_t rights_of(uint32_t address)
{
    if (address < (uint32_t)kernel_start || address >= physical(data_start))
        return PRESENT | WRITABLE | no_execute;
    return address < physical(rodata_start) ? PRESENT : PRESENT | no_execute;
}

static bool is_image(uint32_t address)
{
    return address >= (uint32_t)kernel_start && address < (uint32_t)kernel_end;
}

void paging_init(void)
{
    uint32_t i, address;

    enable_no_execute();
    for (i = 0; i < FRAME_COUNT; i++) {
        address = (FIRST_FRAME + i) * FRAME_SIZE;
        if ((frame_usable(i) || is_image(address)) &&
            !map(address + KERNEL_BASE, address, rights_of(address)))
            panic("no frame for a page table");
    }
    __asm__ volatile("mov %0, %%cr3" : : "r"(physical(pointers)) : "memory");
}
