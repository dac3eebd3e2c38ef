/* Where the tape is, and whether its header can be believed. */
#include "boot/multiboot.h"
#include "mm/layout.h"
#include "mm/paging/paging.h"
#include "tape/tape.h"

/* Modules are nobody's, but where no RAM is usable a loader may have put one beyond the map. */
static bool is_mapped(const struct boot_range *module)
{
    phys_t last = module->start + module->length - 1;

    if (last >= DIRECT_MAP_SIZE)
        return false;
    for (phys_t page = module->start & -PAGE_SIZE; page <= last; page += PAGE_SIZE) {
        phys_t physical;
        uint32_t flags;

        if (!paging_translate((uintptr_t)PHYS_TO_VIRT(page), &physical, &flags) ||
            physical != page || !(flags & PTE_WRITABLE))
            return false;
    }
    return true;
}

/* Whether `count` elements of `size` bytes from `offset` lie behind the header, in the module. */
static bool array_fits(uint32_t offset, uint32_t count, uint32_t size, uint32_t length)
{
    return offset % sizeof(uint32_t) == 0 && offset >= sizeof(struct tape_header) &&
           offset <= length && count <= (length - offset) / size;
}

static bool header_fits(const struct tape_header *header, uint32_t length)
{
    uint32_t operations = header->operation_capacity;

    return array_fits(header->operations, operations, sizeof(struct tape_operation), length) &&
           array_fits(header->results, operations, sizeof(struct tape_result), length) &&
           array_fits(header->slots, header->slot_capacity, sizeof(struct tape_slot), length);
}

const char *tape_find(struct tape *tape)
{
    struct boot_range module;

    if (!multiboot_find_module("tape", &module))
        return "no boot module is called tape";
    if (module.length < sizeof(struct tape_header) || module.start % sizeof(uint32_t))
        return "the tape is too short for its header, or not aligned";
    if (!is_mapped(&module))
        return "the tape lies outside the direct map";
    struct tape_header *header = PHYS_TO_VIRT(module.start);
    if (header->magic != TAPE_MAGIC)
        return "the tape's header has another magic";
    if (!header_fits(header, module.length))
        return "the tape's arrays are not inside it";
    char *start = (char *)header;
    tape->header = header;
    tape->operations = (const struct tape_operation *)(start + header->operations);
    tape->results = (struct tape_result *)(start + header->results);
    tape->slots = (struct tape_slot *)(start + header->slots);
    return NULL;
}
