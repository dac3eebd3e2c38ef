#include "serial.h"

#include "io.h"

/* The registers of a 16550: PC16550D data sheet, table II. */
#define PORT             0x3F8
#define INTERRUPT_ENABLE (PORT + 1)
#define FIFO_CONTROL     (PORT + 2)
#define LINE_CONTROL     (PORT + 3)
#define LINE_STATUS      (PORT + 5)
#define DIVISOR_ACCESS   0x80
#define EIGHT_BITS       0x03
#define FIFO_ENABLE      0x01
#define RECEIVED         0x01
#define CAN_SEND         0x20

void serial_init(void)
{
    write_port(INTERRUPT_ENABLE, 0);
    write_port(LINE_CONTROL, DIVISOR_ACCESS);
    write_port(PORT, 1); /* 115,200 baud */
    write_port(PORT + 1, 0);
    write_port(LINE_CONTROL, EIGHT_BITS);
    write_port(FIFO_CONTROL, FIFO_ENABLE);
}

void serial_put(char character)
{
    while (!(read_port(LINE_STATUS) & CAN_SEND))
        ;
    write_port(PORT, character);
}

char serial_get(void)
{
    while (!(read_port(LINE_STATUS) & RECEIVED))
        ;
    return read_port(PORT);
}
