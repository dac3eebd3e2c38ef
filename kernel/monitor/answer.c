/* The one line that answers a request, with the request's tag in front. */
#include "monitor/answer.h"

#include "lib/panic.h"
#include "lib/print.h"
#include "monitor/command.h"

static const char *tag;
static bool answered;

void answer_begin(const char *request_tag)
{
    tag = request_tag;
    answered = false;
}

void answer_end(void)
{
    ASSERT(answered);
}

static void print_tag(void)
{
    ASSERT(!answered);
    answered = true;
    if (tag[0] != '\0')
        kprintf("%s ", tag);
}

void answer_ok(const char *format, ...)
{
    va_list arguments;

    print_tag();
    kprintf(format[0] != '\0' ? "ok " : "ok");
    va_start(arguments, format);
    kvprintf(format, arguments);
    va_end(arguments);
    kprintf("\n");
}

void answer_error(const char *code, const char *format, ...)
{
    va_list arguments;

    print_tag();
    kprintf("error %s: ", code);
    va_start(arguments, format);
    kvprintf(format, arguments);
    va_end(arguments);
    kprintf("\n");
}
