/*
 * A kernel that sets up its memory, makes some tasks and says on the screen how it went.
 *
 * The command line may hold create=NUMBER and end=NUMBER: tasks to make, and then to end.
 */
#include <stddef.h>
#include <stdint.h>

#include "frames.h"
#include "memory_map.h"
#include "paging.h"
#include "panic.h"
#include "screen.h"
#include "tasks.h"

__attribute__((noreturn)) static void halt(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}

void panic(const char *message)
{
    screen_colour(WHITE_ON_RED);
    screen_print("PANIC: ");
    screen_print(message);
    screen_print("\n");
    halt();
}

/* The text behind `word` at the start of `text`, or NULL. */
static const char *behind(const char *text, const char *word)
{
    for (; *word; word++, text++)
        if (*text != *word)
            return NULL;
    return text;
}

/* The number behind `name` in the command line, or `otherwise`. */
static uint32_t option(const struct multiboot_info *info, const char *name, uint32_t otherwise)
{
    const char *text = info->flags & MULTIBOOT_COMMAND_LINE ? (const char *)info->command_line : "";
    const char *digits;
    uint32_t number = 0;

    for (digits = behind(text, name); !digits && *text; digits = behind(text, name))
        text++;
    if (!digits)
        return otherwise;
    for (; *digits >= '0' && *digits <= '9'; digits++)
        number = number * 10 + (*digits - '0');
    return number;
}

static void tell(const char *what, uint32_t number)
{
    screen_print(what);
    screen_print_number(number);
    screen_print("\n");
}

void kernel_main(uint32_t magic, const struct multiboot_info *info)
{
    uint32_t i, create, end;

    screen_clear();
    screen_print("frame-stack: starting\n");
    if (magic != MULTIBOOT_MAGIC || !(info->flags & MULTIBOOT_MEMORY_MAP))
        panic("no memory map");
    create = option(info, "create=", 8);
    end = option(info, "end=", 0);
    frames_init(info);
    if (!managed_frame_count)
        panic("no usable memory");
    paging_init();
    tell("managed frames: ", managed_frame_count);
    for (i = 0; i < create; i++)
        task_create(i);
    for (i = 0; i < end; i++)
        task_end();
    tell("free frames: ", free_frame_count);
    screen_print("ready\n");
    halt();
}
