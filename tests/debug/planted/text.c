/* Code is written over, through a mapping that may write where the code's own may not. */
#include "boot/window.h"
#include "mm/layout.h"
#include "plants.h"

void plant_text(void)
{
    uint8_t trap = 0xCC;

    physical_write(VIRT_TO_PHYS(kernel_text_end) - 1, &trap, 1); /* CULPRIT */
}
