/* A trap handler changes what it has no business with. */
#include "cpu/touch.h"
#include "cpu/vectors.h"
#include "mm/frames/buddy.h"
#include "plants.h"

void __real_trap_handle(struct trap_frame *frame);
void __wrap_trap_handle(struct trap_frame *frame);

static bool armed;

void __wrap_trap_handle(struct trap_frame *frame)
{
    if (armed && frame->vector == VECTOR_PAGE_FAULT)
        *(volatile uint32_t *)&zones[0].managed_frames += 5; /* CULPRIT */
    __real_trap_handle(frame);
}

void plant_trap_handler(void)
{
    armed = true;
    touch_read(0);
    armed = false;
}
