/* QEMU's device through which a guest says that it has panicked. */
#include "dev/pvpanic.h"

#include "cpu/io.h"

/* QEMU, docs/specs/pvpanic: the port reads as the events it supports. */
#define PVPANIC_PORT     0x505
#define PVPANIC_PANICKED 0x01
#define NO_DEVICE        0xFF

void pvpanic_notify(void)
{
    uint8_t events = in8(PVPANIC_PORT);

    if (events != NO_DEVICE && (events & PVPANIC_PANICKED))
        out8(PVPANIC_PORT, PVPANIC_PANICKED);
}
