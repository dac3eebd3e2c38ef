/* Accesses to memory that may fault and still return: the C half; touch.S makes the access. */
#include "cpu/touch.h"

#include "cpu/registers.h"
#include "cpu/vectors.h"

/* In touch.S. The stack pointer of the access under way, 0 when there is none. */
void touch_read_raw(uintptr_t address, uint32_t *value);
void touch_write_raw(uintptr_t address, uint32_t *value);
void touch_execute_raw(uintptr_t address, uint32_t *value);
void touch_recover(void);
volatile uint32_t touch_stack;

static struct touch outcome;

bool touch_take(struct trap_frame *frame)
{
    if (touch_stack == 0 || frame->vector == VECTOR_NMI || frame->vector >= VECTOR_EXCEPTIONS)
        return false;
    outcome.faulted = true;
    outcome.vector = frame->vector;
    outcome.error = frame->error;
    outcome.address = cr2_read();
    frame->eip = (uintptr_t)touch_recover;
    return true;
}

static struct touch touch(void (*access)(uintptr_t, uint32_t *), uintptr_t address, uint32_t value)
{
    outcome = (struct touch){.value = value};
    access(address, &outcome.value);
    return outcome;
}

struct touch touch_read(uintptr_t address)
{
    return touch(touch_read_raw, address, 0);
}

struct touch touch_write(uintptr_t address, uint32_t value)
{
    return touch(touch_write_raw, address, value);
}

struct touch touch_execute(uintptr_t address)
{
    return touch(touch_execute_raw, address, 0);
}
