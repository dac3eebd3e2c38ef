/* Reach memory by virtual address; a fault is an answer here, never a panic. */
#include "cpu/touch.h"
#include "cpu/vectors.h"
#include "lib/string.h"
#include "mm/layout.h"
#include "mm/paging/user_fault.h"
#include "monitor/arguments.h"
#include "monitor/command.h"

static void answer_fault(const struct touch *touch)
{
    answer_error("fault", "vector=%u error=0x%x address=0x%08x", touch->vector, touch->error,
                 touch->address);
}

static void answer_value(const struct touch *touch)
{
    if (touch->faulted)
        answer_fault(touch);
    else
        answer_ok("value=0x%08x", touch->value);
}

MONITOR_COMMAND(read, "ADDRESS", "read 32 bits at a virtual address")
{
    uint32_t address;

    if (!expect_arguments(argc, argv, 2, 2) || !parse_number(argv[1], &address))
        return;
    struct touch touch = touch_read(address);
    answer_value(&touch);
}

MONITOR_COMMAND(write, "ADDRESS VALUE", "write 32 bits at a virtual address")
{
    uint32_t address, value;

    if (!expect_arguments(argc, argv, 3, 3) || !parse_number(argv[1], &address) ||
        !parse_number(argv[2], &value))
        return;
    struct touch touch = touch_write(address, value);
    answer_value(&touch);
}

/* In user space with the reason why no page appeared. */
static void answer_touch_fault(const struct touch *touch)
{
    bool page_fault = touch->vector == VECTOR_PAGE_FAULT;
    const struct user_refusal *refusal = page_fault ? user_fault_refusal() : NULL;
    answer_ok("fault=%u error=0x%x address=0x%08x%s%s", touch->vector, touch->error, touch->address,
              refusal ? " refusal=" : "", refusal ? refusal->word : "");
}

/* False when KIND is none of the three. */
static bool touch_kind(const char *kind, uint32_t address, uint32_t value, struct touch *touch)
{
    if (strcmp(kind, "read") == 0)
        *touch = touch_read(address);
    else if (strcmp(kind, "write") == 0)
        *touch = touch_write(address, value);
    else if (strcmp(kind, "execute") == 0)
        *touch = touch_execute(address);
    else
        return false;
    return true;
}

MONITOR_COMMAND(touch, "ADDRESS read|write|execute [VALUE]",
                "access memory, and say what the CPU did")
{
    struct touch touch;
    uint32_t address, value = 0;

    if (!expect_arguments(argc, argv, 3, 4) || !parse_number(argv[1], &address) ||
        (argc == 4 && !parse_number(argv[3], &value)))
        return;
    if (!touch_kind(argv[2], address, value, &touch))
        answer_error("usage", "'%s' is not read, write or execute", argv[2]);
    else if (touch.faulted)
        answer_touch_fault(&touch);
    else
        answer_ok("value=0x%08x", touch.value);
}

/* Where the page of `address` ends, or the range if that is before; in bytes from `address`. */
static uint32_t in_page(uintptr_t address, uint32_t length)
{
    uint32_t rest = PAGE_SIZE - address % PAGE_SIZE;

    return length < rest ? length : rest;
}

/* Try one word of the page, aligned so that it cannot reach into the next. */
static struct touch try_page(uintptr_t address, bool write)
{
    struct touch touch = touch_read(address & ~3u);

    if (!touch.faulted && write)
        touch = touch_write(address & ~3u, touch.value);
    return touch;
}

/* Answers the fault and returns false when a page of the range cannot be accessed. */
static bool try_range(uintptr_t address, uint32_t length, bool write)
{
    while (length > 0) {
        uint32_t part = in_page(address, length);
        struct touch touch = try_page(address, write);

        if (touch.faulted) {
            answer_fault(&touch);
            return false;
        }
        address += part;
        length -= part;
    }
    return true;
}

/* Two numbers that are a range within the address space; answers and returns false if not. */
static bool parse_range(char **argv, uint32_t *address, uint32_t *length)
{
    if (!parse_number(argv[0], address) || !parse_number(argv[1], length))
        return false;
    if (*length == 0 || *address + (*length - 1) >= *address)
        return true;
    answer_error("range", "0x%08x and %u bytes go beyond 4 GiB", *address, *length);
    return false;
}

MONITOR_COMMAND(fill, "ADDRESS LENGTH BYTE", "fill virtual memory with one byte")
{
    uint32_t address, length, byte;

    if (!expect_arguments(argc, argv, 4, 4) || !parse_range(argv + 1, &address, &length) ||
        !parse_number(argv[3], &byte))
        return;
    if (byte > 0xFF)
        answer_error("range", "%u is no byte", byte);
    else if (try_range(address, length, true)) {
        memset((void *)address, (int)byte, length);
        answer_ok("bytes=%u", length);
    }
}

/* IEEE 802.3, section 3.2.9; bits reflected, four at a time. What zlib.crc32 computes. */
static uint32_t crc32(const uint8_t *bytes, uint32_t length)
{
    static const uint32_t table[16] = {0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC,
                                       0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
                                       0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
                                       0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C};
    uint32_t crc = ~0u;

    while (length-- > 0) {
        crc ^= *bytes++;
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

MONITOR_COMMAND(sum, "ADDRESS LENGTH", "the CRC-32 of virtual memory")
{
    uint32_t address, length;

    if (!expect_arguments(argc, argv, 3, 3) || !parse_range(argv + 1, &address, &length))
        return;
    if (try_range(address, length, false))
        answer_ok("crc32=0x%08x", crc32((const uint8_t *)address, length));
}
