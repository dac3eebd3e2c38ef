/* Carrying a tape's operations out, one after the other, and timing them. */
#include "cpu/clock.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "mm/frames/frames.h"
#include "tape/action.h"
#include "tape/pattern.h"

#define CALIBRATIONS 16

/* By kind; NULL where nobody has registered one. */
static const struct tape_action *actions[TAPE_KINDS];

static void gather_actions(void)
{
    for (const struct tape_action *action = tape_actions_start; action != tape_actions_end;
         action++) {
        ASSERT(action->kind < TAPE_KINDS);
        ASSERT(!actions[action->kind] || actions[action->kind] == action);
        actions[action->kind] = action;
    }
}

/* The ticks include those of reading the counter. */
static uint32_t run_timed(const struct tape_action *action, const struct tape_operation *operation,
                          uint32_t value, uint32_t *ticks)
{
    uint64_t start = clock_ticks();
    uint32_t result = action->run(operation, value);

    *ticks = clock_ticks() - start;
    return result;
}

static uint32_t do_nothing(const struct tape_operation *operation, uint32_t value)
{
    (void)operation;
    return value;
}

/* The least of several, since a machine that counts time may be interrupted. */
static uint32_t measure_overhead(void)
{
    static const struct tape_action nothing = {.run = do_nothing};
    struct tape_operation operation = {0};
    uint32_t least = UINT32_MAX;

    for (unsigned i = 0; i < CALIBRATIONS; i++) {
        uint32_t ticks;

        run_timed(&nothing, &operation, 0, &ticks);
        if (ticks < least)
            least = ticks;
    }
    return least;
}

/* Ticks stay clear of the flag above them. */
static uint32_t without_overhead(uint32_t ticks, uint32_t overhead)
{
    uint32_t rest = ticks > overhead ? ticks - overhead : 0;

    return rest < TAPE_WRONG ? rest : TAPE_WRONG - 1;
}

/* All of these flags. */
static bool is_wanted(const struct tape_operation *operation, uint8_t flags)
{
    return (operation->flags & flags) == flags;
}

static bool is_zeroed(const struct tape_action *action, const struct tape_operation *operation,
                      uint32_t value)
{
    struct tape_slot asked_for = {value, operation->size};

    return pattern_first_not_zero(action->memory, &asked_for) == 0;
}

/*
 * See to what was given, outside the time that is taken. Frames are held from now on, as those of
 * any caller of the frame interface, and all that a request was rounded up to is the caller's.
 */
static void keep(const struct tape_action *action, const struct tape_operation *operation,
                 struct tape_slot *slot, struct tape_result *result)
{
    if (result->value == 0)
        return;
    *slot = (struct tape_slot){result->value, operation->size};
    if (action->memory == TAPE_PHYSICAL) {
        frames_mark(result->value, operation->size, PAGE_HELD);
        slot->size = frames_granted(operation->size);
    }
    if (is_wanted(operation, TAPE_ZERO | TAPE_CHECK) && !is_zeroed(action, operation, slot->value))
        result->ticks |= TAPE_WRONG;
    if (is_wanted(operation, TAPE_FILL))
        pattern_fill(action->memory, slot, operation->slot);
}

static void perform(const struct tape *tape, uint32_t position)
{
    const struct tape_operation *operation = &tape->operations[position];
    const struct tape_action *action = actions[operation->kind];
    struct tape_slot *slot = &tape->slots[operation->slot];
    struct tape_result *result = &tape->results[position];
    uint32_t wrong = 0, ticks;

    *result = (struct tape_result){0};
    if (slot->value == 0 && (action->effect == TAPE_TAKES || action->effect == TAPE_USES))
        return;
    if (action->effect == TAPE_TAKES && is_wanted(operation, TAPE_CHECK))
        wrong = pattern_first_wrong(action->memory, slot, operation->slot);
    result->value = run_timed(action, operation, slot->value, &ticks);
    result->ticks = without_overhead(ticks, tape->header->overhead);
    if (wrong != 0)
        *result = (struct tape_result){wrong, result->ticks | TAPE_WRONG};
    if (action->effect == TAPE_GIVES)
        keep(action, operation, slot, result);
    else if (action->effect == TAPE_TAKES)
        *slot = (struct tape_slot){0};
}

/* "" when each of the operations can be understood. */
static void validate(const struct tape *tape, uint32_t count, char *error, size_t size)
{
    uint32_t slots = tape->header->slot_capacity;

    error[0] = '\0';
    if (count > tape->header->operation_capacity)
        ksnprintf(error, size, "%u operations, and the tape has room for %u", count,
                  tape->header->operation_capacity);
    for (uint32_t i = 0; i < count && error[0] == '\0'; i++) {
        const struct tape_operation *operation = &tape->operations[i];

        if (!actions[operation->kind])
            ksnprintf(error, size, "operation %u: there is no kind %u", i, operation->kind);
        else if (operation->slot >= slots)
            ksnprintf(error, size, "operation %u: slot %u, and there are %u", i, operation->slot,
                      slots);
    }
}

static bool slot_is_taken(const struct tape *tape, uint32_t position)
{
    const struct tape_operation *operation = &tape->operations[position];

    return actions[operation->kind]->effect == TAPE_GIVES &&
           tape->slots[operation->slot].value != 0;
}

void tape_run(const struct tape *tape, uint32_t count, char *error, size_t size)
{
    struct tape_header *header = tape->header;

    gather_actions();
    validate(tape, count, error, size);
    if (error[0] != '\0')
        return;
    header->count = count;
    header->overhead = measure_overhead();
    for (header->position = 0; header->position < count; header->position++) {
        if (slot_is_taken(tape, header->position)) {
            ksnprintf(error, size, "operation %u: slot %u is taken", header->position,
                      tape->operations[header->position].slot);
            return;
        }
        perform(tape, header->position);
    }
}
