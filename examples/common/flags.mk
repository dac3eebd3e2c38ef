# How both kernels are compiled; `common` is this folder.
ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS := -m32 -march=i586 -std=gnu11 -O1 -g -gdwarf-4 -I $(common) -ffreestanding -fno-pic -fno-pie \
	-fno-stack-protector -fno-omit-frame-pointer -fno-asynchronous-unwind-tables \
	-mgeneral-regs-only -Wall -Wextra -Werror $(EXTRA_CFLAGS)
LDFLAGS := -m elf_i386 -nostdlib --build-id=none -z noexecstack
