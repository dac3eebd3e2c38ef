/* The kernel in the order in which it starts. */
#include "boot/boot_tables.h"
#include "boot/multiboot.h"
#include "cpu/clock.h"
#include "cpu/features.h"
#include "cpu/pic.h"
#include "cpu/traps.h"
#include "dev/serial.h"
#include "lib/print.h"
#include "mm/mm.h"
#include "monitor/monitor.h"

_Noreturn void kernel_main(uint32_t magic, phys_t information);

/* Called by boot/entry.S with paging on, on the boot stack, with the boot page directory. */
void kernel_main(uint32_t magic, phys_t information)
{
    serial_init();
    kprintf("kernel: starting\n");
    cpu_features_init();
    traps_init();
    pic_init();
    uint64_t start = clock_ticks();
    boot_tables_guard();
    multiboot_read(magic, information);
    mm_init();
    serial_enable_wakeup();
    kprintf("ready: %llu ticks\n", clock_ticks() - start);
    monitor_run();
}
