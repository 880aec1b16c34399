# Differential instruction tests (tests/insn): qemu-user against armature.
INSN_BIN  := $(BUILD)/tests/insn
INSN_LIB  := $(BUILD)/libarmature.a
CROSS     ?= aarch64-linux-gnu-
INSN_PROGS := $(INSN_BIN)/insn-gen $(INSN_BIN)/insn-compare $(INSN_BIN)/insn-pack $(INSN_BIN)/insn-direct \
	      $(INSN_BIN)/runner
INSN_HDRS := tests/insn/case.h tests/insn/caseio.h

$(INSN_BIN)/insn-direct: dbt/dbt.h dbt/cpu.h
$(INSN_BIN)/insn-%: tests/insn/%.c tests/insn/caseio.c tests/insn/state.c $(INSN_HDRS) $(INSN_LIB)
	@mkdir -p $(@D)
	@echo "  CC      $@"
	$(Q)$(CC) $(CPPFLAGS) $(filter-out -MMD -MP,$(CFLAGS)) -o $@ $< tests/insn/caseio.c \
		tests/insn/state.c $(INSN_LIB) $(LDFLAGS) $(LDLIBS)

# Freestanding, at an address that no nasty operand is near.
$(INSN_BIN)/runner: tests/insn/runner.c tests/insn/state.c tests/insn/runner_asm.S $(INSN_HDRS)
	@mkdir -p $(@D)
	@echo "  CROSS   $@"
	$(Q)$(CROSS)gcc -std=gnu11 -O2 -Wall -Wextra -Werror -I. -ffreestanding -fno-builtin \
		-fno-stack-protector -fno-tree-loop-distribute-patterns -mgeneral-regs-only \
		-mno-outline-atomics -nostdlib -static -no-pie -Wl,-Ttext-segment=0x312340000 \
		-Wl,--build-id=none -o $@ $(filter %.c %.S,$^)

TEST_DEPS     += $(INSN_PROGS)
TEST_TAP      += tests/insn/tap
TEST_TAP_LONG += tests/insn/tap-long

.PHONY: insn-progs test-insn test-insn-long
insn-progs: $(INSN_PROGS)

test-insn: insn-progs ## differential instruction tests against qemu-user, CI size (	$(Q)BUILD=$(BUILD) tests/insn/tap

test-insn-long: insn-progs ## ... 20 million cases
	$(Q)BUILD=$(BUILD) tests/insn/tap-long
