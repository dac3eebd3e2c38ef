/* What the boot loader left is written over before anybody is told that it is of no more use. */
#include "boot/multiboot.h"
#include "boot/window.h"
#include "mm/frames/page.h"
#include "mm/layout.h"
#include "plants.h"

void plant_boot_information(void)
{
    uint32_t zero = 0;

    /* Conventional memory begins to be used from its end. */
    for (phys_t address = 0x90000; address < 0x9EFF0; address++) {
        uint32_t word;
        physical_read(address, &word, sizeof(word));
        if (word == 0x6E616C70)                           /* "plan", of the command line */
            physical_write(address, &zero, sizeof(zero)); /* CULPRIT */
    }
}
