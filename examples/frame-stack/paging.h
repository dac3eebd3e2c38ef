/* All 4 GiB where they are: one page directory, whose entries are pages of 4 MiB. */
#ifndef PAGING_H
#define PAGING_H

void paging_init(void);

#endif
