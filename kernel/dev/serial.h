#ifndef DEV_SERIAL_H
#define DEV_SERIAL_H

#include "lib/types.h"

/* COM1, 115200 baud, 8N1: the console. */
void serial_init(void);
void serial_write(char byte);
/* Let the CPU sleep until a byte can come in; needs serial_enable_wakeup. */
char serial_read(void);
/* Once there are descriptors: let an arriving byte end a HLT. */
void serial_enable_wakeup(void);

#endif
