/* Forgetting translations, by whichever means the CPU and the command line allow. */
#include "mm/paging/tlb.h"

#include "boot/command_line.h"
#include "cpu/features.h"
#include "cpu/registers.h"
#include "lib/print.h"
#include "lib/string.h"

static bool flush_all;

void tlb_init(void)
{
    char option[8];
    const char *wish = command_line_option("tlb", option, sizeof(option));
    bool full = wish && strcmp(wish, "full") == 0;
    if (wish && !full)
        kprintf("mm: tlb=%s is unknown, only tlb=full is\n", wish);
    flush_all = full || !cpu_has(CPU_INVLPG);
}

/* Loading CR3 spares global pages; changing CR4.PGE does not (Intel SDM volume 3, 4.10.4.1). */
void tlb_forget_everything(void)
{
    uint32_t cr4 = cpu_has(CPU_PGE) ? cr4_read() : 0;
    if (cr4 & CR4_PGE) {
        cr4_write(cr4 & ~CR4_PGE);
        cr4_write(cr4);
    } else {
        cr3_write(cr3_read());
    }
}

void tlb_forget(uintptr_t virtual)
{
    if (flush_all)
        tlb_forget_everything();
    else
        invlpg(virtual);
}
