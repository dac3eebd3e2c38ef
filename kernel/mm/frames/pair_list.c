/* The pair-bitmap buddy's free lists, whose nodes are the first bytes of the free blocks. */
#include "mm/frames/pair_list.h"

#include "boot/window.h"
#include "lib/panic.h"
#include "mm/frames/pair_map.h"
#include "mm/layout.h"

static inline bool has_pointer(phys_t block)
{
    return block < DIRECT_MAP_SIZE;
}

static inline struct buddy_node node_read(phys_t block)
{
    struct buddy_node node;
    if (has_pointer(block))
        return *(struct buddy_node *)PHYS_TO_VIRT(block);
    physical_read(block, &node, sizeof(node));
    return node;
}

static inline void node_write(phys_t block, struct buddy_node node)
{
    if (has_pointer(block))
        *(struct buddy_node *)PHYS_TO_VIRT(block) = node;
    else
        physical_write(block, &node, sizeof(node));
}

/* A member of a node that is read or written alone. */
static inline uint32_t word_read(phys_t address)
{
    uint32_t word;
    if (has_pointer(address))
        return *(uint32_t *)PHYS_TO_VIRT(address);
    physical_read(address, &word, sizeof(word));
    return word;
}

static inline void word_write(phys_t address, uint32_t word)
{
    if (has_pointer(address))
        *(uint32_t *)PHYS_TO_VIRT(address) = word;
    else
        physical_write(address, &word, sizeof(word));
}

#define NEXT_OF(block)     ((block) + offsetof(struct buddy_node, next))
#define PREVIOUS_OF(block) ((block) + offsetof(struct buddy_node, previous))
#define MAGIC_OF(block)    ((block) + offsetof(struct buddy_node, magic))

void pair_push(buddy_t *buddy, phys_t block, unsigned order)
{
    phys_t first = buddy->free_lists[order];
    node_write(block, (struct buddy_node){first, 0, BUDDY_MAGIC, order});
    if (first)
        word_write(PREVIOUS_OF(first), block);
    buddy->free_lists[order] = block;
    buddy->free_blocks[order]++;
    buddy->free_frames += 1u << order;
    pair_flip(buddy, block, order);
}

/* May a link be followed? Elsewhere there may be a device, which must not even be read. */
static inline bool leads_to_frame(phys_t link)
{
    return link % PAGE_SIZE == 0 && pair_manages(PHYS_TO_PFN(link));
}

/* Inlined, whatever the compiler thinks of it: calls cost each allocation 44 instructions more. */
#define INLINE static inline __attribute__((always_inline))

INLINE bool previous_agrees(const buddy_t *buddy, phys_t block, const struct buddy_node *node)
{
    if (!node->previous)
        return buddy->free_lists[node->order] == block;
    return leads_to_frame(node->previous) && word_read(NEXT_OF(node->previous)) == block;
}

INLINE bool next_agrees(phys_t block, const struct buddy_node *node)
{
    return !node->next ||
           (leads_to_frame(node->next) && word_read(PREVIOUS_OF(node->next)) == block);
}

/* What is wrong with the node of a block that must be free, or NULL. */
static inline const char *damage(const buddy_t *buddy, phys_t block, unsigned order,
                                 const struct buddy_node *node)
{
    if (node->magic != BUDDY_MAGIC)
        return "its magic number";
    if (node->order != order)
        return "its order";
    if (!previous_agrees(buddy, block, node))
        return "its link to the previous one";
    return next_agrees(block, node) ? NULL : "its link to the next one";
}

/* The magic number goes: what the next owner leaves alone does not look like a free block. */
void pair_remove(buddy_t *buddy, phys_t block, unsigned order)
{
    struct buddy_node node = node_read(block);
    const char *what = damage(buddy, block, order, &node);
    if (what)
        panic("pair: the free block of order %u at frame 0x%x was written to: %s is wrong", order,
              PHYS_TO_PFN(block), what);
    if (node.previous)
        word_write(NEXT_OF(node.previous), node.next);
    else
        buddy->free_lists[order] = node.next;
    if (node.next)
        word_write(PREVIOUS_OF(node.next), node.previous);
    word_write(MAGIC_OF(block), BUDDY_TAKEN);
    buddy->free_blocks[order]--;
    buddy->free_frames -= 1u << order;
    pair_flip(buddy, block, order);
}

/* The magic number first: in an allocated block it is hardly ever there. */
bool pair_node(const buddy_t *buddy, phys_t block, struct buddy_node *node)
{
    if (word_read(MAGIC_OF(block)) != BUDDY_MAGIC)
        return false;
    *node = node_read(block);
    return node->order <= buddy->max_order && !damage(buddy, block, node->order, node);
}
