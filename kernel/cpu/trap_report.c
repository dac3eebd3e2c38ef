/* What the console shows when a trap ends the machine. */
#include "cpu/trap_report.h"

#include "cpu/registers.h"
#include "cpu/stack_trace.h"
#include "cpu/vectors.h"
#include "lib/panic.h"
#include "lib/panic_steps.h"
#include "lib/print.h"
#include "mm/layout.h"
#include "mm/paging/user_fault.h"

static const char *const names[VECTOR_EXCEPTIONS] = {
    [0] = "divide error",
    [1] = "debug exception",
    [2] = "non-maskable interrupt",
    [3] = "breakpoint",
    [4] = "overflow",
    [5] = "bound range exceeded",
    [6] = "invalid opcode",
    [7] = "device not available",
    [8] = "double fault",
    [9] = "coprocessor segment overrun",
    [10] = "invalid task state",
    [11] = "segment not present",
    [12] = "stack-segment fault",
    [13] = "general protection fault",
    [14] = "page fault",
    [16] = "floating-point error",
    [17] = "alignment check",
    [18] = "machine check",
    [19] = "SIMD floating-point error",
    [20] = "virtualization exception",
    [21] = "control protection exception",
    [28] = "hypervisor injection exception",
    [29] = "VMM communication exception",
    [30] = "security exception",
};

static void print_page_fault(uint32_t error)
{
    const char *access = error & FAULT_FETCH ? "fetch" : error & FAULT_WRITE ? "write" : "read";
    const char *reason = error & FAULT_RESERVED  ? "reserved bit set"
                         : error & FAULT_PRESENT ? "protection"
                                                 : "not present";
    const struct user_refusal *refusal = user_fault_refusal();

    kprintf(" at 0x%08x (%s, %s%s)", cr2_read(), access, refusal ? refusal->sentence : reason,
            error & FAULT_USER ? ", user" : "");
}

/* Intel SDM volume 3, section 6.13 "Error Code". */
static void print_selector(uint32_t error)
{
    const char *table = error & 2 ? "IDT" : error & 4 ? "LDT" : "GDT";

    if (error != 0)
        kprintf(" (%s entry %u%s)", table, (error >> 3) & 0x1FFF, error & 1 ? ", external" : "");
}

/* A push into the guard page cannot be reported on the same stack: it becomes a double fault. */
static void print_overflow(void)
{
    uintptr_t address = cr2_read();

    if (address >= (uintptr_t)boot_stack_guard_low && address < (uintptr_t)boot_stack)
        kprintf(": stack overflow at 0x%08x", address);
}

static void print_details(const struct trap_frame *frame)
{
    if (frame->vector == VECTOR_PAGE_FAULT)
        print_page_fault(frame->error);
    else if (frame->vector == VECTOR_DOUBLE_FAULT)
        print_overflow();
    else if (frame->vector >= VECTOR_INVALID_TASK && frame->vector <= VECTOR_GENERAL_PROTECTION)
        print_selector(frame->error);
}

static void print_headline(const struct trap_frame *frame)
{
    const char *name = frame->vector < VECTOR_EXCEPTIONS ? names[frame->vector] : NULL;

    kprintf("panic: ");
    if (name != NULL)
        kprintf("%s", name);
    else
        kprintf("unexpected interrupt %u", frame->vector);
    print_details(frame);
    kprintf(", eip 0x%08x\n", frame->eip);
}

static void print_registers(const struct trap_frame *frame, uint32_t esp)
{
    kprintf("eax=0x%08x ebx=0x%08x ecx=0x%08x edx=0x%08x eflags=0x%08x\n", frame->eax, frame->ebx,
            frame->ecx, frame->edx, frame->eflags);
    kprintf("esi=0x%08x edi=0x%08x ebp=0x%08x esp=0x%08x cs=0x%04x error=0x%08x\n", frame->esi,
            frame->edi, frame->ebp, esp, frame->cs, frame->error);
    kprintf("cr0=0x%08x cr2=0x%08x cr3=0x%08x cr4=0x%08x\n", cr0_read(), cr2_read(), cr3_read(),
            cr4_read());
}

void trap_panic(const struct trap_frame *frame, uint32_t esp)
{
    panic_begin();
    print_headline(frame);
    print_registers(frame, esp);
    stack_trace_print(frame->eip, frame->ebp);
    panic_end();
}
