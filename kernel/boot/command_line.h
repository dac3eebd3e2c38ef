#ifndef BOOT_COMMAND_LINE_H
#define BOOT_COMMAND_LINE_H

#include "lib/types.h"

/* Copy the command line out of `length` bytes of physical memory, terminator included. */
void command_line_set(phys_t address, uint32_t length);

#endif
