/*
 * The console: a 16550 UART, polled for output, with an interrupt that ends the sleep before input.
 */
#include "dev/serial.h"

#include "cpu/io.h"
#include "cpu/pic.h"

/* National Semiconductor PC16550D data sheet, section 8 "Registers". */
#define COM1           0x3F8
#define DATA           (COM1 + 0)
#define DIVISOR_LOW    (COM1 + 0)
#define INTERRUPTS     (COM1 + 1)
#define DIVISOR_HIGH   (COM1 + 1)
#define IDENTIFICATION (COM1 + 2)
#define FIFO_CONTROL   (COM1 + 2)
#define LINE_CONTROL   (COM1 + 3)
#define MODEM_CONTROL  (COM1 + 4)
#define LINE_STATUS    (COM1 + 5)

#define LINE_8N1           0x03
#define LINE_DIVISOR       0x80
#define FIFO_ON_CLEARED    0x07 /* one byte waiting is enough to interrupt */
#define FIFO_WORKS         0xC0
#define MODEM_READY        0x0B /* DTR, RTS, and OUT2, which gates the interrupt on a PC */
#define STATUS_RECEIVED    0x01
#define STATUS_EMPTY       0x20 /* transmitter; with FIFOs, the whole FIFO */
#define STATUS_ABSENT      0xFF
#define INTERRUPT_RECEIVED 0x01

#define FIFO_DEPTH 16

/*
 * Polls before a byte is given up. A transmitter that works is empty within 2 ms, but an emulated
 * one waits for whoever reads its far end: some ten seconds, so that a busy host loses nothing.
 */
#define PATIENCE (1u << 26)

static bool present;
static bool polled;         /* nothing ends a HLT when a byte arrives */
static bool stuck;          /* the last wait was in vain: do not wait as long again */
static unsigned fifo_depth; /* bytes that fit once the transmitter says that it is empty */
static unsigned room;

void serial_init(void)
{
    out8(INTERRUPTS, 0);
    out8(LINE_CONTROL, LINE_DIVISOR | LINE_8N1);
    out8(DIVISOR_LOW, 1); /* 115200 baud */
    out8(DIVISOR_HIGH, 0);
    out8(LINE_CONTROL, LINE_8N1);
    out8(FIFO_CONTROL, FIFO_ON_CLEARED);
    out8(MODEM_CONTROL, MODEM_READY);
    present = in8(LINE_STATUS) != STATUS_ABSENT;
    fifo_depth = (in8(IDENTIFICATION) & FIFO_WORKS) == FIFO_WORKS ? FIFO_DEPTH : 1;
}

static bool wait_until_empty(void)
{
    unsigned patience = stuck ? 1 : PATIENCE;

    while (patience-- > 0)
        if (in8(LINE_STATUS) & STATUS_EMPTY) {
            stuck = false;
            return true;
        }
    stuck = true;
    return false;
}

/* An empty transmitter takes a FIFO's worth of bytes before its status has to be read again. */
void serial_write(char byte)
{
    if (!present)
        return;
    if (room == 0) {
        if (!wait_until_empty())
            return;
        room = fifo_depth;
    }
    room--;
    out8(DATA, (uint8_t)byte);
}

void serial_enable_wakeup(void)
{
    if (!present)
        return;
    polled = !pic_unmask(IRQ_SERIAL);
    out8(INTERRUPTS, INTERRUPT_RECEIVED);
}

static bool received(void)
{
    return present && (in8(LINE_STATUS) & STATUS_RECEIVED);
}

/* STI takes effect behind the instruction that follows it: no byte slips in before the HLT. */
char serial_read(void)
{
    while (!received()) {
        if (!polled)
            __asm__ volatile("sti; hlt; cli" ::: "memory");
    }
    return (char)in8(DATA);
}
