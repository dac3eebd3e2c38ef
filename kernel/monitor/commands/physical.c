/* Reach memory by physical address, through the window: no page table is in the way. */
#include "boot/window.h"
#include "monitor/arguments.h"
#include "monitor/command.h"

MONITOR_COMMAND(peek, "PHYSICAL", "read 32 bits of physical memory")
{
    uint32_t address, value;

    if (!expect_arguments(argc, argv, 2, 2) || !parse_number(argv[1], &address))
        return;
    physical_read(address, &value, sizeof(value));
    answer_ok("value=0x%08x", value);
}

MONITOR_COMMAND(poke, "PHYSICAL VALUE", "write 32 bits of physical memory")
{
    uint32_t address, value;

    if (!expect_arguments(argc, argv, 3, 3) || !parse_number(argv[1], &address) ||
        !parse_number(argv[2], &value))
        return;
    physical_write(address, &value, sizeof(value));
    answer_ok("value=0x%08x", value);
}
