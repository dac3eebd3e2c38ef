/* Demand paging: a page of a user region comes into being when it is touched. */
#include "mm/paging/user_fault.h"

#include "cpu/features.h"
#include "cpu/vectors.h"
#include "mm/frames/frames.h"
#include "mm/layout.h"
#include "mm/paging/user.h"
#include "mm/paging/vmm.h"

static const struct user_refusal no_region = {"region", "in no user region"};
static const struct user_refusal protection = {"protection", "protection"};
static const struct user_refusal no_frame = {"memory", "no frame for it"};

static const struct user_refusal *refusal;

const struct user_refusal *user_fault_refusal(void)
{
    return refusal;
}

static enum paging_result show_zero_page(uintptr_t page)
{
    return vmm_map(current_space, page, VIRT_TO_PHYS(zero_page), PTE_USER);
}

/* The page may show the zero page until now. */
static enum paging_result show(uintptr_t page, phys_t frame)
{
    uint32_t flags = PTE_WRITABLE | PTE_USER;
    enum paging_result result = vmm_map(current_space, page, frame, flags);
    return result == PAGING_OCCUPIED ? vmm_replace(current_space, page, frame, flags) : result;
}

static enum paging_result give_frame(struct user_region *region, uintptr_t page)
{
    phys_t frame = get_free_page(FRAME_HIGH | FRAME_ZERO);
    if (!frame)
        return PAGING_NO_MEMORY;
    frames_mark(frame, 1, PAGE_USER);
    enum paging_result result = show(page, frame);
    if (result == PAGING_OK)
        region->frames++;
    else
        free_page(frame);
    return result;
}

/*
 * A CPU without CR0.WP lets the kernel write to read-only pages, the shared page of zeros among
 * them: there, pages that are only read have frames of their own too.
 */
static bool needs_frame(uint32_t error)
{
    return error & FAULT_WRITE || !cpu_has(CPU_WP);
}

/* A page that is there already faults for a reason only when it is the zero page, on a write. */
static bool is_expected(uintptr_t page, uint32_t error)
{
    phys_t physical;
    uint32_t flags;
    if (!(error & FAULT_PRESENT))
        return true;
    return error & FAULT_WRITE && vmm_translate(current_space, page, &physical, &flags) &&
           physical == VIRT_TO_PHYS(zero_page);
}

/* NULL when the page is there now, else why not. */
static const struct user_refusal *answer_fault(uintptr_t address, uint32_t error)
{
    uintptr_t page = address & -PAGE_SIZE;
    struct user_region *region = user_region_of(current_space, address);
    if (!region)
        return error & FAULT_PRESENT ? &protection : &no_region;
    if (!is_expected(page, error))
        return &protection;
    bool there =
        (needs_frame(error) ? give_frame(region, page) : show_zero_page(page)) == PAGING_OK;
    return there ? NULL : &no_frame;
}

bool user_fault(uintptr_t address, uint32_t error)
{
    const struct vmm_region *part = vmm_region_of(address);
    bool user = current_space && part && part->rights & VMM_USER;
    refusal = user ? answer_fault(address, error) : NULL;
    return user && !refusal;
}
