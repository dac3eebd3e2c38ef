/* Code is written over, through a mapping that may write where the code's own may not. */
#include "boot/window.h"
#include "mm/layout.h"
#include "plants.h"

void plant_text(void)
{
    /* Code that nothing runs. */
    uint8_t trap = 0xCC;

    physical_write(VIRT_TO_PHYS(plant_before_paging), &trap, 1); /* CULPRIT */
}
