/* The GDT, and the task that a double fault runs as. */
#include "cpu/descriptors.h"

#include "cpu/registers.h"

/*
 * Intel SDM volume 3, section 3.4.5 "Segment Descriptors". Accessed bits are set beforehand, and
 * the table is writable all the same: loading a task marks its descriptor busy.
 */
#define FLAT_CODE      0x00CF9B000000FFFFull
#define FLAT_DATA      0x00CF93000000FFFFull
#define TASK_AVAILABLE 0x89ull /* present, 32-bit TSS */

#define EFLAGS_RESERVED 0x2

struct task_state kernel_task;
static struct task_state double_fault_task;
static char double_fault_stack[4096] __attribute__((aligned(16)));

static uint64_t gdt[] = {0, FLAT_CODE, FLAT_DATA, 0, 0};

static uint64_t task_descriptor(const struct task_state *task)
{
    uint64_t base = (uintptr_t)task;
    uint64_t limit = sizeof(*task) - 1;

    return limit | (base & 0xFFFFFF) << 16 | TASK_AVAILABLE << 40 | (base >> 24) << 56;
}

static void double_fault_task_init(void (*handler)(void))
{
    double_fault_task.cr3 = cr3_read();
    double_fault_task.eip = (uintptr_t)handler;
    double_fault_task.eflags = EFLAGS_RESERVED;
    double_fault_task.esp = (uintptr_t)double_fault_stack + sizeof(double_fault_stack);
    double_fault_task.cs = KERNEL_CODE;
    double_fault_task.ss = double_fault_task.ds = double_fault_task.es = KERNEL_DATA;
    double_fault_task.fs = double_fault_task.gs = KERNEL_DATA;
    double_fault_task.io_map_base = sizeof(double_fault_task);
}

static void load(void)
{
    struct table_register gdtr = {sizeof(gdt) - 1, (uintptr_t)gdt};

    __asm__ volatile("lgdt %0\n\t"
                     "ljmp %1, $1f\n"
                     "1:\n\t"
                     "mov %2, %%ds\n\t"
                     "mov %2, %%es\n\t"
                     "mov %2, %%fs\n\t"
                     "mov %2, %%gs\n\t"
                     "mov %2, %%ss\n\t"
                     "ltr %w3"
                     :
                     : "m"(gdtr), "i"(KERNEL_CODE), "r"(KERNEL_DATA), "r"(KERNEL_TASK)
                     : "memory");
}

void descriptors_init(void (*handler)(void))
{
    kernel_task.io_map_base = sizeof(kernel_task);
    double_fault_task_init(handler);
    gdt[KERNEL_TASK / 8] = task_descriptor(&kernel_task);
    gdt[DOUBLE_FAULT_TASK / 8] = task_descriptor(&double_fault_task);
    load();
}

void double_fault_follow(uint32_t cr3)
{
    double_fault_task.cr3 = cr3;
}
