#ifndef DEV_SERIAL_H
#define DEV_SERIAL_H

#include "lib/types.h"

/* COM1, 115200 baud, 8N1: the console. */
void serial_init(void);
void serial_write(char byte);
/* The CPU sleeps until a byte comes in, or polls where nothing could wake it. */
char serial_read(void);
/* Once there are descriptors: let an arriving byte end a HLT, if there is a PIC to deliver it. */
void serial_enable_wakeup(void);

#endif
