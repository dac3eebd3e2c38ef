#ifndef CPU_VECTORS_H
#define CPU_VECTORS_H

/* Intel SDM volume 3, table 6-1 "Protected-Mode Exceptions and Interrupts". */
enum vector {
    VECTOR_NMI = 2,
    VECTOR_DOUBLE_FAULT = 8,
    VECTOR_INVALID_TASK = 10,
    VECTOR_GENERAL_PROTECTION = 13,
    VECTOR_PAGE_FAULT = 14,
    VECTOR_EXCEPTIONS = 32, /* the first that is no exception */
    VECTOR_IRQ = 32,        /* where the interrupt controllers' 16 lines are put */
};

/* Intel SDM volume 3, section 4.7 "Page-Fault Exceptions". */
enum page_fault_error {
    FAULT_PRESENT = 1 << 0,
    FAULT_WRITE = 1 << 1,
    FAULT_USER = 1 << 2,
    FAULT_RESERVED = 1 << 3,
    FAULT_FETCH = 1 << 4,
};

#endif
