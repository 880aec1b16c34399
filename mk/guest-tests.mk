# Bare-metal guest programs (tests/guest): each .c with a main is one ELF that prints TAP on the PL011.
GT_PROGS := smp excl litmus scale debug
GT_BIN   := $(BUILD)/tests/guest
GT_ELFS  := $(GT_PROGS:%=$(GT_BIN)/%.elf)

$(GT_BIN)/%.elf: tests/guest/%.c tests/guest/start.S tests/guest/lib.c tests/guest/guest.h tests/guest/link.ld
	@mkdir -p $(@D)
	@echo "  CROSS   $@"
	$(Q)$(CROSS)gcc -std=gnu11 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -I. -ffreestanding -fno-builtin \
		-fno-stack-protector -fno-pic -fno-tree-loop-distribute-patterns -mgeneral-regs-only \
		-mno-outline-atomics -nostdlib -static -no-pie -Wl,--build-id=none \
		-Wl,--no-warn-rwx-segments -Wl,-T,tests/guest/link.ld \
		-o $@ $(filter %.c %.S,$^)

GT_RUN = tests/guest/run $(BUILD)/armature $(GT_BIN)
TEST_DEPS += $(GT_ELFS)
TEST_TAP += guest-debug guest-smp guest-smp-small guest-excl guest-litmus
TEST_CMD_guest-debug = $(GT_RUN) debug 1
TEST_CMD_guest-smp = $(GT_RUN) smp 2
# More CPUs than the host has, and a code cache that does not hold the last test
TEST_CMD_guest-smp-small = $(GT_RUN) smp 4 --set dbt.code_cache=4M
TEST_CMD_guest-excl = $(GT_RUN) excl 4
TEST_CMD_guest-litmus = $(GT_RUN) litmus 4 --append runs=3000
TEST_TAP_LONG += guest-litmus-long
TEST_CMD_guest-litmus-long = env TIMEOUT=36000 $(GT_RUN) litmus 4 --append runs=1000000

.PHONY: test-guest
test-guest: all $(GT_ELFS) ## run the bare-metal guest tests only
	$(Q)/usr/bin/python3 -B tests/run.py --log $(BUILD)/test-logs --serial \
		$(foreach t,guest-debug guest-smp guest-smp-small guest-excl guest-litmus,'$(TEST_CMD_$(t))')
