#include "screen.h"

#define COLUMNS 80
#define LINES   25

/* The CRT controller's index and data ports, and the registers that hold the cursor's cell. */
#define CRT_INDEX   0x3D4
#define CRT_DATA    0x3D5
#define CURSOR_HIGH 0x0E
#define CURSOR_LOW  0x0F

static volatile uint16_t *const cells = (uint16_t *)0xB8000;
static uint32_t cursor;
static uint8_t current_colour = GREY_ON_BLACK;

static void write_port(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void show_cursor(void)
{
    write_port(CRT_INDEX, CURSOR_HIGH);
    write_port(CRT_DATA, cursor >> 8);
    write_port(CRT_INDEX, CURSOR_LOW);
    write_port(CRT_DATA, cursor);
}

static void put(uint32_t cell, char character)
{
    cells[cell] = current_colour << 8 | (uint8_t)character;
}

void screen_clear(void)
{
    for (cursor = 0; cursor < COLUMNS * LINES; cursor++)
        put(cursor, ' ');
    cursor = 0;
    show_cursor();
}

void screen_colour(uint8_t colour)
{
    current_colour = colour;
}

static void scroll(void)
{
    uint32_t i;

    for (i = 0; i < COLUMNS * (LINES - 1); i++)
        cells[i] = cells[i + COLUMNS];
    for (; i < COLUMNS * LINES; i++)
        put(i, ' ');
    cursor -= COLUMNS;
}

void screen_print(const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            cursor += COLUMNS - cursor % COLUMNS;
        else
            put(cursor++, *text);
        if (cursor == COLUMNS * LINES)
            scroll();
    }
    show_cursor();
}

void screen_print_number(uint32_t number)
{
    char digits[11];
    char *first = digits + sizeof(digits) - 1;

    *first = '\0';
    do
        *--first = '0' + number % 10;
    while (number /= 10);
    screen_print(first);
}
