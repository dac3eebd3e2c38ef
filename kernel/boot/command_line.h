#ifndef BOOT_COMMAND_LINE_H
#define BOOT_COMMAND_LINE_H

#include "lib/types.h"

#define COMMAND_LINE_MAX 1024 /* with the terminator */

/*
 * Copy the command line out of `length` bytes of physical memory, terminator included. What does
 * not fit is cut off, and said.
 */
void command_line_set(phys_t address, uint32_t length);
/* The whole line, "" without one. */
const char *command_line(void);
/*
 * The value of NAME=VALUE on the command line, copied into a buffer of `size` bytes; NULL when it
 * is not there, or too long (which is said).
 */
const char *command_line_option(const char *name, char *buffer, size_t size);

#endif
