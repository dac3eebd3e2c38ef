#ifndef MM_MEMORY_TYPE_H
#define MM_MEMORY_TYPE_H

/*
 * Types of the firmware's map, with the numbers that the BIOS (ACPI 6.5, section 15, "Address Range
 * Types") and Multiboot give them. Where entries overlap the more restrictive type wins: the one
 * with the higher number.
 */
enum memory_type {
    MEMORY_NONE = 0, /* no entry speaks of it: not RAM; never stands in a region */
    MEMORY_USABLE = 1,
    MEMORY_RESERVED = 2, /* every type that is not listed here */
    MEMORY_ACPI = 3,
    MEMORY_NVS = 4,
    MEMORY_BAD = 5,
};

#endif
