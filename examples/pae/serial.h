/* The first serial port, by polling. */
#ifndef SERIAL_H
#define SERIAL_H

void serial_init(void);
void serial_put(char character);

/* Waits for a character. */
char serial_get(void);

#endif
