/* The two interrupt controllers, and the local APIC that may stand between them and the CPU. */
#include "cpu/pic.h"

#include "boot/window.h"
#include "cpu/features.h"
#include "cpu/io.h"
#include "cpu/vectors.h"

/* Intel 8259A data sheet, "Initialization Command Words"; ports of the PC/AT. */
#define FIRST_COMMAND  0x20
#define FIRST_DATA     0x21
#define SECOND_COMMAND 0xA0
#define SECOND_DATA    0xA1

#define ICW1_INIT_ICW4   0x11
#define ICW4_8086        0x01
#define CASCADE_LINE     2
#define END_OF_INTERRUPT 0x20

/* Intel SDM volume 3, section 11.4.1 "The Local APIC Block Diagram" and table 11-1. */
#define APIC_SPURIOUS_VECTOR 0xFEE000F0u
#define APIC_ENABLED         (1u << 8)
#define APIC_LINT0           0xFEE00350u
#define APIC_DELIVER_EXTINT  (7u << 8)

static void start(uint16_t command, uint16_t data, uint8_t vector, uint8_t cascade)
{
    out8(command, ICW1_INIT_ICW4);
    out8(data, vector);
    out8(data, cascade);
    out8(data, ICW4_8086);
    out8(data, 0xFF);
}

/*
 * A local APIC stands between the controllers and the CPU, and after reset lets nothing through.
 * Firmware opens it ("virtual wire mode"), but there may have been none.
 */
static void local_apic_pass_through(void)
{
    uint32_t spurious = APIC_ENABLED | (VECTOR_IRQ + IRQ_SPURIOUS_SECOND);
    uint32_t lint0 = APIC_DELIVER_EXTINT;

    physical_write(APIC_SPURIOUS_VECTOR, &spurious, sizeof(spurious));
    physical_write(APIC_LINT0, &lint0, sizeof(lint0));
}

void pic_init(void)
{
    if (cpu_has(CPU_LOCAL_APIC))
        local_apic_pass_through();
    start(FIRST_COMMAND, FIRST_DATA, VECTOR_IRQ, 1 << CASCADE_LINE);
    start(SECOND_COMMAND, SECOND_DATA, VECTOR_IRQ + 8, CASCADE_LINE);
}

bool pic_unmask(unsigned irq)
{
    uint8_t mask = in8(FIRST_DATA) & ~(1u << irq);

    out8(FIRST_DATA, mask);
    return in8(FIRST_DATA) == mask;
}

void pic_end_of_interrupt(void)
{
    out8(FIRST_COMMAND, END_OF_INTERRUPT);
}
