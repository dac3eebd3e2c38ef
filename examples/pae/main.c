/* Set up the frame allocator and the page tables, and hand over to the monitor. */
#include <stdint.h>

#include "frames.h"
#include "heap.h"
#include "monitor.h"
#include "multiboot.h"
#include "paging.h"
#include "panic.h"
#include "print.h"
#include "serial.h"

void panic(const char *message)
{
    print("panic: ");
    print(message);
    print("\n");
    for (;;)
        __asm__ volatile("cli; hlt");
}

void kernel_main(uint32_t magic, const struct multiboot_info *info)
{
    serial_init();
    print("pae: starting\n");
    if (magic != MULTIBOOT_MAGIC || !(info->flags & MULTIBOOT_MEMORY_MAP))
        panic("no memory map");
    frames_init(info);
    if (!free_frame_count)
        panic("refused: no usable memory from 1 MiB on");
    paging_init();
    print("ready: ");
    print_number(free_frame_count);
    print(" free frames\n");
    monitor_run();
}
