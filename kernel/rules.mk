# Run by the Makefile in the output directory; `source` is a link to the top of the source tree.
#
# Sources are found by wildcard. Compilers run at the top of the source tree and see relative
# names, so the result does not depend on where the tree or the output lies.

ifeq ($(origin CC),default)
CC := gcc
endif
LD ?= ld
WERROR ?= -Werror

# Where the kernel is linked and what its address space looks like: mm/layout.h. Each has a script.
# The command line chooses, never the environment: whoever built it knows what it has.
LAYOUT := higher-half
LAYOUTS := $(basename $(notdir $(wildcard source/linker/*.ld)))
ifeq ($(filter $(LAYOUT),$(LAYOUTS)),)
$(error no layout '$(LAYOUT)': there are $(LAYOUTS))
endif
SCRIPT := source/linker/$(LAYOUT).ld
SCRIPTS := $(SCRIPT) source/linker/sections.inc
# The dependency files' names are relative to the top.
VPATH := source

has_option = $(shell $(CC) -Werror -m32 -march=i486 $(1) -S -x c /dev/null -o /dev/null 2>/dev/null \
	&& echo $(1))

# i486: neither CMOV nor SSE nor CPUID may be taken for granted. Tuned for what came later: for
# the 486, GCC fills and copies each small struct with REP, which is slow on everything else.
MACHINE := -m32 -march=i486 -mtune=generic $(call has_option,-mgeneral-regs-only) \
	$(call has_option,-fcf-protection=none)
# In a recipe, $$PWD is where the compiler runs.
DEBUG := -g -gdwarf-4 -ffile-prefix-map="$$PWD"=.
LAYOUT_MACRO := $(if $(filter identity,$(LAYOUT)),-D LAYOUT_IDENTITY)
ALL_CPPFLAGS := -I kernel $(LAYOUT_MACRO) $(CPPFLAGS)
ALL_CFLAGS := $(MACHINE) $(DEBUG) -std=gnu11 -O2 -ffreestanding -fno-pic -fno-pie \
	-fno-stack-protector -fno-omit-frame-pointer -fno-optimize-sibling-calls \
	-fno-asynchronous-unwind-tables -fno-strict-aliasing -fno-delete-null-pointer-checks \
	-Wall -Wextra $(WERROR) $(EXTRA_CFLAGS)
ALL_ASFLAGS := $(MACHINE) $(DEBUG) -fno-pic
ALL_LDFLAGS := -m elf_i386 -nostdlib -L source/linker --build-id=sha1 -z max-page-size=4096 -z noexecstack \
	$(LDFLAGS)

# A folder below the top with code of a test's own, which is put in the way of some functions of the
# kernel's. The product has none of it: nothing in the kernel's source knows of such code.
PLANTED :=
ifneq ($(PLANTED),)
ALL_LDFLAGS += --wrap=serial_enable_wakeup --wrap=trap_handle -e plant_entry
endif

SOURCES := $(sort $(shell cd source && find kernel $(PLANTED) -name '*.c' -o -name '*.S'))

# COVERAGE=1: the code that deals with boot information and memory tells which ways it goes, by the
# compiler's calls of lib/coverage.c. No interrupt handler is among it: the same boot goes the same
# ways. Nor is what goes through every frame: to tell of each would double a boot.
COVERAGE :=
ifeq ($(COVERAGE),1)
TELLING := $(filter-out kernel/mm/frames/mem_map.c,$(filter kernel/boot/% kernel/mm/%,$(SOURCES)))
else
SOURCES := $(filter-out kernel/lib/coverage.c,$(SOURCES))
endif
coverage = $(if $(filter $(1),$(TELLING)),-fsanitize-coverage=trace-pc)

OBJECTS := $(SOURCES:%=%.o)

kernel.elf: $(OBJECTS) $(SCRIPTS) link-flags
	$(LD) $(ALL_LDFLAGS) -T $(SCRIPT) -o $@ $(OBJECTS)

compile = out=$$PWD && cd -P source && \
	$(CC) $(ALL_CPPFLAGS) $(1) -MMD -MP -MT $@ -MF "$$out/$@.d" -o "$$out/$@" -c

$(filter %.c.o,$(OBJECTS)): %.c.o: source/%.c compile-flags
	@mkdir -p $(@D)
	$(call compile,$(ALL_CFLAGS) $(call coverage,$*.c)) $*.c

$(filter %.S.o,$(OBJECTS)): %.S.o: source/%.S compile-flags
	@mkdir -p $(@D)
	$(call compile,$(ALL_ASFLAGS)) $*.S

# Files that change only when their contents do: what hangs on them is then built again.
compile_text = $(shell $(CC) --version | head -n 1) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_ASFLAGS) \
	$(TELLING)
link_text = $(shell $(LD) --version | head -n 1) $(ALL_LDFLAGS) $(SCRIPT) $(OBJECTS)

compile-flags: text = $(compile_text)
link-flags: text = $(link_text)
compile-flags link-flags: FORCE
	@{ readlink source && printf '%s\n' '$(subst ','\'',$(text))'; } > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

.PHONY: FORCE
.DELETE_ON_ERROR:
-include $(OBJECTS:=.d)
