#include "print.h"

#include "serial.h"

void print(const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            serial_put('\r');
        serial_put(*text);
    }
}

void print_number(uint32_t number)
{
    char digits[11];
    char *first = digits + sizeof(digits) - 1;

    *first = '\0';
    do
        *--first = '0' + number % 10;
    while (number /= 10);
    print(first);
}

void print_address(uint32_t address)
{
    int shift;

    print("0x");
    for (shift = 28; shift >= 0; shift -= 4)
        serial_put("0123456789abcdef"[address >> shift & 15]);
}
