#ifndef PLANTS_H
#define PLANTS_H

#include "lib/types.h"

/*
 * Corruptions for the tests of blame, one a file: NAME.c has `void plant_NAME(void)`, which is run
 * once the kernel is ready, when the command line has plant=NAME. The line that does the damage
 * ends with the comment CULPRIT.
 */
#define PLANTS(PLANT)                                                                              \
    PLANT(aliased_mapping)                                                                         \
    PLANT(before_paging)                                                                           \
    PLANT(bit_reset)                                                                               \
    PLANT(bitmap_off_by_one)                                                                       \
    PLANT(boot_information)                                                                        \
    PLANT(byte_store)                                                                              \
    PLANT(compare_exchange)                                                                        \
    PLANT(counter_not_updated)                                                                     \
    PLANT(double_free)                                                                             \
    PLANT(exchange)                                                                                \
    PLANT(forgotten_reservation)                                                                   \
    PLANT(freed_object)                                                                            \
    PLANT(header_overrun)                                                                          \
    PLANT(header_underrun)                                                                         \
    PLANT(list_link)                                                                               \
    PLANT(many_writes)                                                                             \
    PLANT(page_crossing)                                                                           \
    PLANT(pte_rights)                                                                              \
    PLANT(push)                                                                                    \
    PLANT(red_zone)                                                                                \
    PLANT(rep_movs)                                                                                \
    PLANT(rep_stos)                                                                                \
    PLANT(stale_pte)                                                                               \
    PLANT(stray_memset)                                                                            \
    PLANT(text)                                                                                    \
    PLANT(trap_handler)                                                                            \
    PLANT(unaligned_store)                                                                         \
    PLANT(window_alias)                                                                            \
    PLANT(wrong_order)                                                                             \
    PLANT(wrong_zone)

#define DECLARE(name) void plant_##name(void);
PLANTS(DECLARE)
#undef DECLARE

/* A free block of at least so many frames: its first frame's element of the frame table. */
struct page *free_block(unsigned order);

#endif
