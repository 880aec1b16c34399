# Bare-metal guest programs (tests/guest): each .c with a main is one ELF that prints TAP on the PL011.
GT_PROGS := smp litmus
GT_BIN   := $(BUILD)/tests/guest
GT_ELFS  := $(GT_PROGS:%=$(GT_BIN)/%.elf)

$(GT_BIN)/%.elf: tests/guest/%.c tests/guest/start.S tests/guest/lib.c tests/guest/guest.h tests/guest/link.ld
	@mkdir -p $(@D)
	@echo "  CROSS   $@"
	$(Q)$(CROSS)gcc -std=gnu11 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -I. -ffreestanding -fno-builtin \
		-fno-stack-protector -fno-pic -fno-tree-loop-distribute-patterns -mgeneral-regs-only \
		-mno-outline-atomics -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--no-warn-rwx-segments -Wl,-T,tests/guest/link.ld \
		-o $@ $(filter %.c %.S,$^)

GT_RUN = tests/guest/run $(BUILD)/armature $(GT_BIN)
TEST_DEPS += $(GT_ELFS)
TEST_TAP += guest-smp
TEST_CMD_guest-smp = $(GT_RUN) smp

.PHONY: test-guest
test-guest: all $(GT_ELFS) ## run the bare-metal guest tests only
	$(Q)$(foreach t,$(GT_PROGS),$(GT_RUN) $(t);)
