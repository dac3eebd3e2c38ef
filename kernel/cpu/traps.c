/* The IDT, and what becomes of each trap. */
#include "cpu/traps.h"

#include "cpu/descriptors.h"
#include "cpu/pic.h"
#include "cpu/registers.h"
#include "cpu/touch.h"
#include "cpu/trap_frame.h"
#include "cpu/trap_report.h"
#include "cpu/vectors.h"
#include "mm/paging/user_fault.h"

/* Intel SDM volume 3, section 6.11 "IDT Descriptors". */
#define GATE_INTERRUPT 0x8E00u /* present, 32-bit interrupt gate */
#define GATE_TASK      0x8500u /* present, task gate */

#define VECTORS   256
#define STUB_SIZE 16 /* trap_stubs.S */

struct gate {
    uint16_t offset_low;
    uint16_t selector;
    uint16_t attributes;
    uint16_t offset_high;
};

extern const char trap_stubs[VECTORS][STUB_SIZE];

static struct gate idt[VECTORS];

static struct gate interrupt_gate(const char *stub)
{
    uint32_t offset = (uintptr_t)stub;

    return (struct gate){(uint16_t)offset, KERNEL_CODE, GATE_INTERRUPT, (uint16_t)(offset >> 16)};
}

/* What trap_stubs.S counts on. */
_Static_assert(__builtin_offsetof(struct trap_frame, eip) == 40, "place of EIP in a trap frame");

/*
 * A task has no caller, so who walks its stack goes on with what was interrupted. The error code
 * stands where a return address would, which lies behind its call's start.
 */
static void continue_trace(volatile uintptr_t *frame, const struct task_state *interrupted)
{
    frame[0] = interrupted->ebp;
    frame[1] = interrupted->eip + 1;
}

/*
 * The machine has no stack it could trust any more: this runs as a task of its own, and what it
 * interrupted is in kernel_task.
 */
static void double_fault(void)
{
    const struct task_state *task = &kernel_task;
    struct trap_frame frame = {
        .edi = task->edi,
        .esi = task->esi,
        .ebp = task->ebp,
        .ebx = task->ebx,
        .edx = task->edx,
        .ecx = task->ecx,
        .eax = task->eax,
        .vector = VECTOR_DOUBLE_FAULT,
        .eip = task->eip,
        .cs = task->cs,
        .eflags = task->eflags,
    };

    continue_trace(__builtin_frame_address(0), task);
    trap_panic(&frame, task->esp);
}

void traps_init(void)
{
    struct table_register idtr = {sizeof(idt) - 1, (uintptr_t)idt};

    descriptors_init(double_fault);
    for (unsigned vector = 0; vector < VECTORS; vector++)
        idt[vector] = interrupt_gate(trap_stubs[vector]);
    idt[VECTOR_DOUBLE_FAULT] = (struct gate){0, DOUBLE_FAULT_TASK, GATE_TASK, 0};
    __asm__ volatile("lidt %0" : : "m"(idtr) : "memory");
}

/* Without a change of privilege the CPU pushes no ESP: the interrupted stack goes on behind. */
static uint32_t stack_pointer(const struct trap_frame *frame)
{
    return (uintptr_t)(frame + 1);
}

/* A page of user space that comes into being when it is touched is no trap to anybody. */
static bool page_appears(const struct trap_frame *frame)
{
    return frame->vector == VECTOR_PAGE_FAULT && user_fault(cr2_read(), frame->error);
}

void trap_handle(struct trap_frame *frame);

/* Called by trap_stubs.S. */
void trap_handle(struct trap_frame *frame)
{
    if (frame->vector == VECTOR_IRQ + IRQ_SERIAL) {
        pic_end_of_interrupt(); /* it has woken the CPU, which is all that it is for */
        return;
    }
    if (frame->vector == VECTOR_IRQ + IRQ_SPURIOUS_FIRST ||
        frame->vector == VECTOR_IRQ + IRQ_SPURIOUS_SECOND)
        return;
    if (!page_appears(frame) && !touch_take(frame))
        trap_panic(frame, stack_pointer(frame));
}
