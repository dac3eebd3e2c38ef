/*
 * A plugin for QEMU's TCG that lists the stores to a few words of RAM.
 *
 *     -plugin stores.so,table=FILE,ram=FILE
 *
 * `table` begins with struct header; harness/debug/stores.py lays it out and reads it, and knows
 * these structures as well. `ram` is the file behind guest RAM. The prototypes are those of the
 * plugin API's version 1 (QEMU, docs/devel/tcg-plugins.rst): Debian ships no qemu-plugin.h.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;
struct qemu_info;
typedef void (*on_translation)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*on_execution)(unsigned cpu, void *data);
typedef void (*on_access)(unsigned cpu, qemu_plugin_meminfo_t, uint64_t address, void *data);
enum { NO_REGISTERS = 0, WRITES = 2, ADD_U64 = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, on_translation);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, on_execution, int, void *);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *, int, void *, uint64_t);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, on_access, int, int, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
unsigned qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t);
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(qemu_plugin_meminfo_t, uint64_t);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *);

extern int qemu_plugin_version;
int qemu_plugin_version = 1;

enum { PAGE = 4096, WORD = 4 };

struct header {
    uint32_t words, codes, capacity, padding;
    uint64_t executed; /* instructions; one that was begun anew counts twice */
};

struct word {
    uint64_t offset; /* in RAM's file; ascending */
    uint64_t total;  /* stores */
};

struct store {
    uint64_t executed;
    uint32_t address, code; /* virtual */
    uint32_t old, new;      /* of the whole word */
    uint32_t size;
    uint32_t uncertain; /* it goes over a page's end: who knows where the next page is */
};

static struct header *header;
static struct word *words;
static const uint32_t *codes;     /* instructions before which the words' values are noted */
static struct store *stores;      /* of each word the last ones, in a ring */
static const uint32_t **contents; /* of each word */
static uint32_t *before;

static void list_store(uint32_t word, uint64_t address, const void *code, uint32_t size,
                       bool uncertain)
{
    struct store *store =
        &stores[(size_t)word * header->capacity + words[word].total++ % header->capacity];
    *store = (struct store){header->executed,
                            (uint32_t)address,
                            (uint32_t)(uintptr_t)code,
                            before[word],
                            *(volatile const uint32_t *)contents[word],
                            size,
                            uncertain};
}

/* The first word that ends behind an offset of RAM's file. */
static uint32_t first_word(uint64_t offset)
{
    uint32_t low = 0, high = header->words;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (words[middle].offset + WORD <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void on_store(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t address, void *code)
{
    (void)cpu;
    struct qemu_plugin_hwaddr *place = qemu_plugin_get_hwaddr(info, address);
    if (!qemu_plugin_mem_is_store(info) || !place || qemu_plugin_hwaddr_is_io(place))
        return;
    uint32_t size = 1u << qemu_plugin_mem_size_shift(info);
    uint32_t room = PAGE - address % PAGE;
    uint32_t inside = size < room ? size : room;
    uint64_t start = qemu_plugin_hwaddr_phys_addr(place); /* for RAM it is the file's offset */
    for (uint32_t i = first_word(start); i < header->words && words[i].offset < start + inside; i++)
        list_store(i, address, code, size, false);
    if (inside < size)
        for (uint32_t i = 0; i < header->words; i++)
            if (words[i].offset % PAGE < size - inside)
                list_store(i, address, code, size, true);
}

static void note_contents(unsigned cpu, void *data)
{
    (void)cpu;
    (void)data;
    for (uint32_t i = 0; i < header->words; i++)
        before[i] = *(volatile const uint32_t *)contents[i];
}

static bool is_noted(uint32_t code)
{
    for (uint32_t i = 0; i < header->codes; i++)
        if (codes[i] == code)
            return true;
    return false;
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);
        uint32_t code = (uint32_t)qemu_plugin_insn_vaddr(instruction);
        qemu_plugin_register_vcpu_insn_exec_inline(instruction, ADD_U64, &header->executed, 1);
        if (is_noted(code))
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, note_contents, NO_REGISTERS, NULL);
        qemu_plugin_register_vcpu_mem_cb(instruction, on_store, NO_REGISTERS, WRITES,
                                         (void *)(uintptr_t)code);
    }
}

static void *map_file(const char *path, int protection, off_t offset, size_t length)
{
    struct stat status;
    int file = open(path, protection & PROT_WRITE ? O_RDWR : O_RDONLY);
    if (file < 0 || fstat(file, &status))
        return NULL;
    void *mapped =
        mmap(NULL, length ? length : (size_t)status.st_size, protection, MAP_SHARED, file, offset);
    close(file);
    return mapped == MAP_FAILED ? NULL : mapped;
}

static const char *argument(int count, char **arguments, const char *name)
{
    for (int i = 0; i < count; i++)
        if (!strncmp(arguments[i], name, strlen(name)))
            return arguments[i] + strlen(name);
    return "";
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int count,
                        char **arguments);
int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int count,
                        char **arguments)
{
    (void)info;
    header = map_file(argument(count, arguments, "table="), PROT_READ | PROT_WRITE, 0, 0);
    if (!header) {
        fprintf(stderr, "stores: cannot map the table\n");
        return 1;
    }
    words = (struct word *)(header + 1);
    stores = (struct store *)(words + header->words);
    codes = (const uint32_t *)(stores + (size_t)header->words * header->capacity);
    contents = calloc(header->words, sizeof *contents);
    before = calloc(header->words, sizeof *before);
    for (uint32_t i = 0; contents && before && i < header->words; i++) {
        uint64_t offset = words[i].offset;
        char *page = map_file(argument(count, arguments, "ram="), PROT_READ,
                              (off_t)(offset - offset % PAGE), PAGE);
        if (!page) {
            fprintf(stderr, "stores: cannot map RAM\n");
            return 1;
        }
        contents[i] = (const uint32_t *)(page + offset % PAGE);
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    return !contents || !before;
}
