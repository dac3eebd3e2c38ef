#ifndef CPU_REGISTERS_H
#define CPU_REGISTERS_H

#include "lib/types.h"

/* Intel SDM volume 3, section 2.5 "Control Registers". */
#define CR0_WP  (1u << 16)
#define CR0_PG  (1u << 31)
#define CR4_PSE (1u << 4)
#define CR4_PGE (1u << 7)

uint32_t cr0_read(void);
void cr0_write(uint32_t value);
uint32_t cr2_read(void);
uint32_t cr3_read(void);
void cr3_write(uint32_t value); /* another directory also needs double_fault_follow */
uint32_t cr4_read(void);
void cr4_write(uint32_t value);
/* Forget the translation of one page. The CPU must have it: cpu_has(CPU_INVLPG). */
void invlpg(uintptr_t address);

#endif
