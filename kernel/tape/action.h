#ifndef TAPE_ACTION_H
#define TAPE_ACTION_H

#include "tape/tape.h"

/* What an action does to its operation's slot. */
enum tape_effect {
    TAPE_GIVES,         /* the slot must be empty; it gets what the action returns */
    TAPE_TAKES,         /* the slot is empty afterwards, and if it was before, nothing is done */
    TAPE_USES,          /* the slot stays as it is, and if it is empty, nothing is done */
    TAPE_FREE_OF_SLOTS, /* whatever is in the slot does not matter */
};

/* Where the bytes of a block are: its slot's value and its size say. */
enum tape_memory {
    TAPE_NOWHERE,  /* nothing to fill or check */
    TAPE_PHYSICAL, /* `size` frames from a physical address */
    TAPE_VIRTUAL,  /* `size` bytes from a virtual address */
};

/*
 * A kind of operation. Definitions anywhere in the kernel are gathered by the linker (section
 * .tape_actions).
 *
 *     TAPE_ACTION(TAPE_HEAP_ALLOC, heap_alloc, TAPE_GIVES, TAPE_VIRTUAL)
 *     {
 *         return (uint32_t)(uintptr_t)heap_alloc(operation->size);
 *     }
 *
 * The body is what is timed; `value` is the slot's. It returns the result's value.
 */
struct tape_action {
    enum tape_kind kind;
    enum tape_effect effect;
    enum tape_memory memory;
    uint32_t (*run)(const struct tape_operation *operation, uint32_t value);
};

#define TAPE_ACTION(KIND, identifier, EFFECT, MEMORY)                                              \
    static uint32_t tape_##identifier(const struct tape_operation *operation, uint32_t value);     \
    static const struct tape_action tape_action_##identifier                                       \
        __attribute__((used, section(".tape_actions." #identifier), aligned(4))) = {               \
            KIND, EFFECT, MEMORY, tape_##identifier};                                              \
    static uint32_t tape_##identifier(const struct tape_operation *operation                       \
                                      __attribute__((unused)),                                     \
                                      uint32_t value __attribute__((unused)))

/* All actions, gathered by the linker script. */
extern const struct tape_action tape_actions_start[], tape_actions_end[];

#endif
