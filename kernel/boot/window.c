/* Physical memory a page at a time, through a slot that every page directory has. */
#include "boot/window.h"

#include "cpu/features.h"
#include "cpu/registers.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mm/layout.h"
#include "mm/paging/entry.h"

uint32_t window_table[1024] __attribute__((aligned(PAGE_SIZE)));

/*
 * The window is empty between calls, so opening it needs no flush: no TLB holds "not present". A
 * page fault that is answered while it is open must not use it too.
 */
static void *window_open(phys_t frame, uint32_t flags)
{
    ASSERT(window_table[0] == 0);
    window_table[0] = frame | flags | PTE_PRESENT | PTE_WRITABLE;
    __asm__ volatile("" ::: "memory");
    return (void *)WINDOW_BASE;
}

static void window_close(void)
{
    __asm__ volatile("" ::: "memory");
    window_table[0] = 0;
    if (cpu_has(CPU_INVLPG))
        invlpg(WINDOW_BASE);
    else
        cr3_write(cr3_read());
}

static size_t within_frame(phys_t address, size_t length)
{
    size_t rest = PAGE_SIZE - address % PAGE_SIZE;

    return length < rest ? length : rest;
}

void physical_read(phys_t source, void *destination, size_t length)
{
    char *to = destination;

    while (length > 0) {
        size_t part = within_frame(source, length);
        const char *from = window_open(source & -PAGE_SIZE, 0);

        memcpy(to, from + source % PAGE_SIZE, part);
        window_close();
        source += part;
        to += part;
        length -= part;
    }
}

void physical_write(phys_t destination, const void *source, size_t length)
{
    const char *from = source;

    while (length > 0) {
        size_t part = within_frame(destination, length);
        char *to = window_open(destination & -PAGE_SIZE, 0);

        memcpy(to + destination % PAGE_SIZE, from, part);
        window_close();
        destination += part;
        from += part;
        length -= part;
    }
}

void physical_zero_frame(phys_t frame)
{
    memset(window_open(frame & -PAGE_SIZE, 0), 0, PAGE_SIZE);
    window_close();
}

/*
 * Two patterns, since one may stand there by chance. The neighbouring word takes the inverse in
 * between: a bus that floats keeps the last value driven onto it, and would echo a lone write.
 */
static bool holds(volatile uint32_t *words, uint32_t pattern)
{
    words[0] = pattern;
    words[1] = ~pattern;
    return words[0] == pattern;
}

/* Uncached: the bus must answer, not the cache. */
bool physical_probe(phys_t frame)
{
    volatile uint32_t *words = window_open(frame & -PAGE_SIZE, PTE_CACHE_DISABLE);
    uint32_t first = words[0], second = words[1];
    bool found = holds(words, 0x55AA55AAu) && holds(words, 0xAA55AA55u);

    words[0] = first;
    words[1] = second;
    window_close();
    return found;
}
