#include "monitor/command.h"

/* 16 or more when the character is no digit in any base. */
static unsigned digit_value(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    if (character >= 'a' && character <= 'f')
        return character - 'a' + 10;
    if (character >= 'A' && character <= 'F')
        return character - 'A' + 10;
    return 16;
}

/* False when it is no number in this base, or one of more than 32 bits. */
static bool parse_digits(const char *text, unsigned base, uint32_t *number)
{
    uint32_t value = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        unsigned digit = digit_value(*text);

        if (digit >= base || value > (UINT32_MAX - digit) / base)
            return false;
        value = value * base + digit;
    }
    *number = value;
    return true;
}

bool parse_number(const char *text, uint32_t *number)
{
    bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');

    if (hexadecimal ? parse_digits(text + 2, 16, number) : parse_digits(text, 10, number))
        return true;
    answer_error("usage", "'%s' is no number of 32 bits, decimal or 0x…", text);
    return false;
}
