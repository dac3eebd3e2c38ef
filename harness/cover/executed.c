/*
 * A plugin for QEMU's TCG that counts how often a kernel's instructions are executed.
 *
 *     -plugin executed.so,table=FILE
 *
 * `table` begins with struct header; harness/cover/table.py lays it out and reads it. Each range of
 * addresses has one counter a byte, of which that of an instruction's first byte counts; with fewer
 * counters than bytes they are taken in turn. The prototypes are those of the plugin API's
 * version 1 (QEMU, docs/devel/tcg-plugins.rst): Debian ships no qemu-plugin.h.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;
typedef void (*on_translation)(qemu_plugin_id_t, struct qemu_plugin_tb *);
enum { ADD_U64 = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, on_translation);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *, int, void *, uint64_t);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);

extern int qemu_plugin_version;
int qemu_plugin_version = 1;

struct range {
    uint64_t start, size; /* virtual addresses, in bytes */
    uint64_t first;       /* number of the counter of the first byte */
};

struct header {
    uint64_t blocks;   /* 0: each instruction counts; 1: the first one of each block of QEMU's */
    uint64_t counters; /* how many there are */
    uint64_t ranges;
    struct range range[];
};

static struct header *header;
static uint64_t *counters;

static uint64_t *counter_of(uint64_t address)
{
    for (uint64_t i = 0; i < header->ranges; i++) {
        struct range *range = &header->range[i];
        if (address - range->start < range->size)
            return &counters[(range->first + address - range->start) % header->counters];
    }
    return NULL;
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    size_t count = header->blocks ? 1 : qemu_plugin_tb_n_insns(block);
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);
        uint64_t *counter = counter_of((uint32_t)qemu_plugin_insn_vaddr(instruction));
        if (counter)
            qemu_plugin_register_vcpu_insn_exec_inline(instruction, ADD_U64, counter, 1);
    }
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int count,
                        char **arguments);
int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int count,
                        char **arguments)
{
    (void)info;
    struct stat status;
    const char *name = count == 1 ? strchr(arguments[0], '=') : NULL;
    int file = name ? open(name + 1, O_RDWR) : -1;
    if (file < 0 || fstat(file, &status)) {
        fprintf(stderr, "executed: cannot open the table\n");
        return 1;
    }
    header = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (header == MAP_FAILED) {
        fprintf(stderr, "executed: cannot map the table\n");
        return 1;
    }
    counters = (uint64_t *)&header->range[header->ranges];
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    return 0;
}
