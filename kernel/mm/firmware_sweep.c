/* The firmware's entries, in any order and overlapping, as ascending stretches of one type. */
#include "mm/firmware_sweep.h"

#include "boot/multiboot.h"
#include "lib/panic.h"
#include "mm/layout.h"
#include "mm/memory_type.h"

/*
 * The entries are not kept: there may be thousands. The sweep goes over them in batches instead.
 * A batch is the next borders (starts and ends of entries) in ascending order; between two
 * neighbouring borders no type changes. Two passes over all entries make one batch: the first
 * finds its borders, the second paints what lies between them.
 */
#define BATCH_BORDERS 512

struct batch {
    uint64_t floor; /* everything below is done */
    uint32_t count;
    uint64_t borders[BATCH_BORDERS];
    uint32_t types[BATCH_BORDERS]; /* of the bytes from the border before up to this one */
};

struct stretch {
    uint64_t start, end;
    uint32_t type;
};

static struct batch batch;
static struct stretch run; /* what was swept last and may still grow */
static struct sweep_losses losses;

static uint64_t entry_end(const struct firmware_entry *entry)
{
    uint64_t end = entry->base + entry->length;
    bool wraps = end < entry->base;
    return wraps || end > ADDRESS_LIMIT ? ADDRESS_LIMIT : end;
}

static bool entry_matters(const struct firmware_entry *entry)
{
    return entry->length != 0 && entry->base < ADDRESS_LIMIT;
}

/* Types are compared in all their 32 bits: 0x101 is not usable. */
static uint32_t entry_type(const struct firmware_entry *entry)
{
    bool known = entry->type >= MEMORY_USABLE && entry->type <= MEMORY_BAD;
    return known ? entry->type : MEMORY_RESERVED;
}

/* The index of the first border of the batch that is not below `position`. */
static uint32_t border_index(uint64_t position)
{
    uint32_t low = 0, high = batch.count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (batch.borders[middle] < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Keep the lowest borders above the floor; the others wait for a later batch. */
static void add_border(uint64_t position)
{
    uint32_t index = border_index(position);
    bool known = index < batch.count && batch.borders[index] == position;
    if (position <= batch.floor || known || index == BATCH_BORDERS)
        return;
    if (batch.count < BATCH_BORDERS)
        batch.count++;
    for (uint32_t i = batch.count - 1; i > index; i--)
        batch.borders[i] = batch.borders[i - 1];
    batch.borders[index] = position;
}

static void add_borders(const struct firmware_entry *entry, void *context __attribute__((unused)))
{
    if (!entry_matters(entry))
        return;
    add_border(entry->base);
    add_border(entry_end(entry));
}

static void paint(const struct firmware_entry *entry, void *context __attribute__((unused)))
{
    if (!entry_matters(entry))
        return;
    uint32_t type = entry_type(entry);
    uint64_t end = entry_end(entry);
    for (uint32_t i = border_index(entry->base + 1); i < batch.count; i++) {
        if (batch.borders[i] > end)
            break;
        if (batch.types[i] < type)
            batch.types[i] = type;
    }
}

static void count_losses(const struct firmware_entry *entry, void *context __attribute__((unused)))
{
    if (entry->length == 0)
        losses.empty++;
    else if (entry->base >= ADDRESS_LIMIT)
        losses.beyond++;
    else if (entry->length > ADDRESS_LIMIT - entry->base)
        losses.clipped++;
}

/* Without a map: KiB from 0, and KiB from 1 MiB (Multiboot 0.6.96, section 3.3). */
static void visit_basic_memory(void (*visit)(const struct firmware_entry *, void *))
{
    struct firmware_entry lower = {0, (uint64_t)multiboot_memory_lower() << 10, MEMORY_USABLE};
    struct firmware_entry upper = {1 << 20, (uint64_t)multiboot_memory_upper() << 10,
                                   MEMORY_USABLE};
    visit(&lower, NULL);
    visit(&upper, NULL);
}

static void for_each_entry(void (*visit)(const struct firmware_entry *, void *))
{
    if (multiboot_has(MULTIBOOT_MEMORY_MAP))
        multiboot_for_each_entry(visit, NULL);
    else if (multiboot_has(MULTIBOOT_MEMORY))
        visit_basic_memory(visit);
    else
        refuse("the boot loader says nothing about memory (flags 0 and 6 are clear)");
}

static void next_batch(void)
{
    batch.count = 0;
    for_each_entry(add_borders);
    for (uint32_t i = 0; i < batch.count; i++)
        batch.types[i] = MEMORY_NONE;
    for_each_entry(paint);
}

static void finish_run(void (*visit)(uint64_t, uint64_t, uint32_t))
{
    if (run.type != MEMORY_NONE)
        visit(run.start, run.end, run.type);
}

static void sweep_batch(void (*visit)(uint64_t, uint64_t, uint32_t))
{
    for (uint32_t i = 0; i < batch.count; i++) {
        if (batch.types[i] != run.type) {
            finish_run(visit);
            run = (struct stretch){batch.floor, batch.floor, batch.types[i]};
        }
        run.end = batch.floor = batch.borders[i];
    }
}

struct sweep_losses firmware_sweep(void (*visit)(uint64_t start, uint64_t end, uint32_t type))
{
    losses = (struct sweep_losses){0};
    for_each_entry(count_losses);
    run = (struct stretch){0, 0, MEMORY_NONE};
    batch.floor = 0;
    for (next_batch(); batch.count > 0; next_batch())
        sweep_batch(visit);
    finish_run(visit);
    return losses;
}
