/* The map that the memory manager made of the firmware's. */
#include "lib/print.h"
#include "lib/string.h"
#include "mm/firmware_map.h"
#include "monitor/arguments.h"
#include "monitor/command.h"

static const char *type_name(uint32_t type)
{
    static const char *const names[] = {
        [MEMORY_USABLE] = "usable", [MEMORY_RESERVED] = "reserved", [MEMORY_ACPI] = "acpi",
        [MEMORY_NVS] = "nvs",       [MEMORY_BAD] = "bad",
    };
    return names[type];
}

/* One region as text; the length it needs. */
static size_t format_region(const struct memory_region *region, char *text, size_t size)
{
    return ksnprintf(text, size, "0x%x-0x%x:%s,", region->start, region->end,
                     type_name(region->type));
}

/* A line holds a few dozen regions; `next` is there when more follow. */
MONITOR_COMMAND(firmware, "[FIRST]",
                "the firmware's map in frames, ends exclusive, from region FIRST")
{
    uint32_t next = 0;
    if (!expect_arguments(argc, argv, 1, 2) || (argc == 2 && !parse_number(argv[1], &next)))
        return;
    static char text[1024];
    size_t used = 0;
    text[0] = '\0';
    for (; next < firmware_map.count; next++) {
        char region[40];
        size_t length = format_region(&firmware_map.regions[next], region, sizeof(region));
        if (used + length >= sizeof(text))
            break;
        memcpy(text + used, region, length + 1);
        used += length;
    }
    if (used > 0)
        text[used - 1] = '\0';
    if (next < firmware_map.count)
        answer_ok("count=%u next=%u regions=%s", firmware_map.count, next, text);
    else
        answer_ok("count=%u regions=%s", firmware_map.count, text);
}
