/* Formatted output: one formatter, into the console or a buffer. */
#include "lib/print.h"

#include "dev/serial.h"
#include "lib/string.h"

/* Where characters go: the console when `buffer` is NULL and `size` 0. */
struct sink {
    char *buffer;
    size_t size;
    size_t length; /* characters wanted so far */
    bool console;
};

/* One conversion, between '%' and its letter. */
struct conversion {
    bool left;
    bool zero;
    unsigned width;
    unsigned longs; /* number of 'l': long is as wide as int, long long is not */
};

#define DIGITS_MAX 20 /* of 2^64 - 1 */

static void put(struct sink *sink, char character)
{
    if (sink->console) {
        if (character == '\n')
            serial_write('\r');
        serial_write(character);
    } else if (sink->length + 1 < sink->size) {
        sink->buffer[sink->length] = character;
    }
    sink->length++;
}

static void put_many(struct sink *sink, char character, unsigned count)
{
    while (count-- > 0)
        put(sink, character);
}

static void put_text(struct sink *sink, const struct conversion *conversion, const char *text,
                     size_t length)
{
    unsigned padding = conversion->width > length ? conversion->width - length : 0;

    if (!conversion->left)
        put_many(sink, ' ', padding);
    for (size_t i = 0; i < length; i++)
        put(sink, text[i]);
    if (conversion->left)
        put_many(sink, ' ', padding);
}

/* 64 by 32 bits in two DIV instructions: the compiler would call a library that is not there. */
static unsigned divide(uint64_t *number, uint32_t divisor)
{
    uint32_t high = *number >> 32, low = (uint32_t)*number;
    uint32_t quotient_high = high / divisor, remainder = high % divisor;

    __asm__("divl %2" : "+a"(low), "+d"(remainder) : "rm"(divisor) : "cc");
    *number = (uint64_t)quotient_high << 32 | low;
    return remainder;
}

static void put_number(struct sink *sink, struct conversion *conversion, uint64_t number,
                       unsigned base, bool negative)
{
    char digits[DIGITS_MAX + 1];
    unsigned position = sizeof(digits);

    do {
        digits[--position] = "0123456789abcdef"[divide(&number, base)];
    } while (number != 0);
    if (conversion->zero && !conversion->left) {
        unsigned used = sizeof(digits) - position + negative;

        if (negative)
            put(sink, '-');
        if (conversion->width > used)
            put_many(sink, '0', conversion->width - used);
        conversion->width = 0;
    } else if (negative) {
        digits[--position] = '-';
    }
    put_text(sink, conversion, digits + position, sizeof(digits) - position);
}

static void put_string(struct sink *sink, const struct conversion *conversion, const char *text)
{
    if (text == NULL)
        text = "(null)";
    put_text(sink, conversion, text, strlen(text));
}

static const char *parse(const char *format, struct conversion *conversion)
{
    *conversion = (struct conversion){0};
    for (; *format == '-' || *format == '0'; format++) {
        conversion->left |= *format == '-';
        conversion->zero |= *format == '0';
    }
    for (; *format >= '0' && *format <= '9'; format++)
        conversion->width = conversion->width * 10 + (*format - '0');
    for (; *format == 'l' || *format == 'z'; format++)
        conversion->longs += *format == 'l';
    return format;
}

static void put_signed(struct sink *sink, struct conversion *conversion, int64_t number)
{
    uint64_t magnitude = number < 0 ? -(uint64_t)number : (uint64_t)number;

    put_number(sink, conversion, magnitude, 10, number < 0);
}

static void format_to(struct sink *sink, const char *format, va_list arguments)
{
    struct conversion conversion;

    for (; *format != '\0'; format++) {
        if (*format != '%') {
            put(sink, *format);
            continue;
        }
        format = parse(format + 1, &conversion);
        bool wide = conversion.longs >= 2;

        switch (*format) {
        case 'c':
            put_text(sink, &conversion, &(char){(char)va_arg(arguments, int)}, 1);
            break;
        case 's':
            put_string(sink, &conversion, va_arg(arguments, const char *));
            break;
        case 'd':
            put_signed(sink, &conversion,
                       wide ? va_arg(arguments, int64_t) : va_arg(arguments, int));
            break;
        case 'u':
        case 'x':
            put_number(sink, &conversion,
                       wide ? va_arg(arguments, uint64_t) : va_arg(arguments, unsigned),
                       *format == 'u' ? 10 : 16, false);
            break;
        case 'p':
            conversion = (struct conversion){.zero = true, .width = 8};
            put(sink, '0');
            put(sink, 'x');
            put_number(sink, &conversion, (uintptr_t)va_arg(arguments, void *), 16, false);
            break;
        case '\0':
            return;
        default:
            put(sink, *format);
        }
    }
}

void kvprintf(const char *format, va_list arguments)
{
    struct sink console = {.console = true};

    format_to(&console, format, arguments);
}

void kprintf(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    kvprintf(format, arguments);
    va_end(arguments);
}

size_t ksnprintf(char *buffer, size_t size, const char *format, ...)
{
    struct sink sink = {.buffer = buffer, .size = size};
    va_list arguments;

    va_start(arguments, format);
    format_to(&sink, format, arguments);
    va_end(arguments);
    if (size > 0)
        buffer[sink.length < size ? sink.length : size - 1] = '\0';
    return sink.length;
}
