/* A buffer is cleared that is not there. */
#include "lib/string.h"
#include "mm/frames/page.h"
#include "plants.h"

void plant_stray_memset(void)
{
    memset(free_block(3), 0, 2 * sizeof(struct page)); /* CULPRIT */
}
