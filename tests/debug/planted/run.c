/*
 * Runs the plant that the command line names. The linker puts this in the way of the kernel's own
 * functions (--wrap in kernel/rules.mk), so that the kernel's source knows nothing of plants.
 */
#include "boot/command_line.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mm/frames/page.h"
#include "plants.h"

void __real_serial_enable_wakeup(void);
void __wrap_serial_enable_wakeup(void);

static const struct {
    const char *name;
    void (*run)(void);
} plants[] = {
#define ENTRY(name) {#name, plant_##name},
    PLANTS(ENTRY)
#undef ENTRY
};

static bool equal(const char *one, const char *other)
{
    while (*one && *one == *other)
        one++, other++;
    return *one == *other;
}

/* The last step before the kernel is ready. */
void __wrap_serial_enable_wakeup(void)
{
    char name[32];

    __real_serial_enable_wakeup();
    if (!command_line_option("plant", name, sizeof(name)))
        return;
    for (size_t i = 0; i < sizeof(plants) / sizeof(*plants); i++)
        if (equal(plants[i].name, name)) {
            plants[i].run();
            return;
        }
    panic("no plant '%s'", name);
}

struct page *free_block(unsigned order)
{
    for (pfn_t frame = 0x1000; frame < mem_map_frames; frame++)
        if (mem_map[frame].flags & PAGE_FREE && mem_map[frame].order >= order)
            return &mem_map[frame];
    panic("no free block of order %u", order);
}
