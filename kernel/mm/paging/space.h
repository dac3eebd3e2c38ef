#ifndef MM_PAGING_SPACE_H
#define MM_PAGING_SPACE_H

#include "lib/list.h"
#include "lib/types.h"
#include "mm/paging/records.h"

/*
 * An address space: a page directory whose kernel part is the same in all of them, and user regions
 * of its own (user.h). The first one is the kernel's, in which it boots; it is never destroyed.
 */
struct space {
    struct list_head list;
    uint32_t id;              /* 0 is the kernel's; never given twice */
    phys_t directory;         /* the frame of its page directory */
    bool global_pages;        /* user space once had pages that a change of CR3 does not forget */
    struct list_head regions; /* struct user_region, in address order */
};

extern struct list_head spaces; /* all of them, oldest first */
extern struct space *current_space;
extern struct record_pool space_records;

/* The permanent page directory becomes the first space. */
void spaces_init(void);
/* NULL when there is no frame for the directory or the record. */
struct space *space_create(void);
/*
 * Give back the regions' frames, the page tables and the directory. Frames that were mapped by hand
 * stay with their holders. The current space and the kernel's panic.
 */
void space_destroy(struct space *space);
/* NULL when there is none. */
struct space *space_find(uint32_t id);

#endif
