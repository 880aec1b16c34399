# Bare-metal guest programs (tests/guest): each .c with a main is one ELF that prints TAP on the PL011.
GT_PROGS := smp gic excl litmus scale debug el1 el1irq el1mmu platform pmu code mmio
GT_BIN   := $(BUILD)/tests/guest
GT_CC     = $(CROSS)gcc -std=gnu11 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -I. -ffreestanding -fno-builtin \
		-fno-stack-protector -fno-pic -fno-tree-loop-distribute-patterns -mgeneral-regs-only \
		-mno-outline-atomics -nostdlib -static -no-pie -Wl,--build-id=none \
		-Wl,--no-warn-rwx-segments
GT_LINK   = -Wl,-T,tests/guest/link.ld
GT_ELFS  := $(GT_PROGS:%=$(GT_BIN)/%.elf)
GT_FLATS := $(GT_BIN)/el1.flat $(GT_BIN)/platform.flat

$(GT_BIN)/%.elf: tests/guest/%.c tests/guest/start.S tests/guest/lib.c tests/guest/guest.h tests/guest/words.h tests/guest/link.ld
	@mkdir -p $(@D)
	@echo "  CROSS   $@"
	$(Q)$(GT_CC) $(GT_LINK) -o $@ $(filter %.c %.S,$^)

GT_RUN = tests/guest/run $(BUILD)/armature $(GT_BIN)
TEST_DEPS += $(GT_ELFS)
# Flat: no header, loaded at RAM base + 0x80000 with the MMU off, as kvm-unit-tests' images are; the
# linker script must come after the symbol.
$(GT_BIN)/%.flat: tests/guest/%.c tests/guest/start.S tests/guest/lib.c tests/guest/guest.h tests/guest/words.h tests/guest/link.ld
	@mkdir -p $(@D)
	@echo "  CROSS   $@"
	$(Q)$(GT_CC) -Wl,--defsym=flat_base=0x40080000 $(GT_LINK) -o $@.elf $(filter %.c %.S,$^)
	$(Q)$(CROSS)objcopy -O binary $@.elf $@

GT_SUITES := guest-smp guest-smp-small guest-smp-gicv2 guest-gic guest-gicv2 guest-excl guest-litmus guest-debug \
	     guest-el1 guest-el1-flat guest-el1irq guest-el1mmu guest-pmu guest-pmu-gicv2 guest-code guest-mmio \
	     guest-platform guest-platform-flat
TEST_DEPS += $(GT_FLATS)
TEST_TAP += $(GT_SUITES)
TEST_CMD_guest-debug = $(GT_RUN) debug 1
TEST_CMD_guest-el1 = $(GT_RUN) el1 1
TEST_CMD_guest-el1irq = $(GT_RUN) el1irq 1
TEST_CMD_guest-el1mmu = $(GT_RUN) el1mmu 1
TEST_CMD_guest-pmu = $(GT_RUN) pmu 1
TEST_CMD_guest-code = $(GT_RUN) code 1
TEST_CMD_guest-mmio = $(GT_RUN) mmio 1
TEST_CMD_guest-pmu-gicv2 = $(GT_RUN) pmu 2 --set machine.gic=2
TEST_CMD_guest-el1-flat = $(GT_RUN) el1.flat 2 --append flat=1
TEST_CMD_guest-platform = $(GT_RUN) platform 1
TEST_CMD_guest-platform-flat = $(GT_RUN) platform.flat 1
TEST_CMD_guest-smp = $(GT_RUN) smp 2
# More CPUs than the host has, and a code cache that does not hold the last test
TEST_CMD_guest-smp-small = $(GT_RUN) smp 4 --set dbt.code_cache=4M
TEST_CMD_guest-smp-gicv2 = $(GT_RUN) smp 3 --set machine.gic=2
TEST_CMD_guest-gic = $(GT_RUN) gic 4
TEST_CMD_guest-gicv2 = $(GT_RUN) gic 3 --set machine.gic=2
TEST_CMD_guest-excl = $(GT_RUN) excl 4
TEST_CMD_guest-litmus = $(GT_RUN) litmus 4 --append runs=3000
# A million runs of each take minutes on two free cores (docs/dbt-smp.md), hours where the host is busy.
TEST_TAP_LONG += guest-excl-long guest-excl4-long
TEST_CMD_guest-excl-long = $(GT_RUN) excl 2 --append turns=10000000
TEST_CMD_guest-excl4-long = $(GT_RUN) excl 4 --append turns=10000000
TEST_TAP_LONG += guest-litmus-long guest-litmus4-long
TEST_CMD_guest-litmus-long = env TIMEOUT=36000 $(GT_RUN) litmus 2 --append runs=1000000
TEST_CMD_guest-litmus4-long = env TIMEOUT=36000 $(GT_RUN) litmus 4 --append "runs=1000000 threads=3"

.PHONY: test-guest
test-guest: all $(GT_ELFS) $(GT_FLATS) ## run the bare-metal guest tests only
	$(Q)/usr/bin/python3 -B tests/run.py --log $(BUILD)/test-logs --serial \
		$(foreach t,$(GT_SUITES),'$(TEST_CMD_$(t))')
