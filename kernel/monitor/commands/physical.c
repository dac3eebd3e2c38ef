#include "boot/window.h"
#include "monitor/command.h"

/* Reach memory by physical address, through the window: no page table is in the way. */

MONITOR_COMMAND(peek, "PHYSICAL", "read 32 bits of physical memory")
{
    uint32_t address, value;

    if (argc != 2) {
        answer_error("usage", "peek PHYSICAL");
    } else if (parse_number(argv[1], &address)) {
        physical_read(address, &value, sizeof(value));
        answer_ok("value=0x%08x", value);
    }
}

MONITOR_COMMAND(poke, "PHYSICAL VALUE", "write 32 bits of physical memory")
{
    uint32_t address, value;

    if (argc != 3) {
        answer_error("usage", "poke PHYSICAL VALUE");
    } else if (parse_number(argv[1], &address) && parse_number(argv[2], &value)) {
        physical_write(address, &value, sizeof(value));
        answer_ok("value=0x%08x", value);
    }
}
