# Differential instruction tests (tests/insn): qemu-user against armature.
INSN_BIN  := $(BUILD)/tests/insn
INSN_LIB  := $(BUILD)/libarmature.a
CROSS     ?= aarch64-linux-gnu-
INSN_PROGS := $(INSN_BIN)/insn-gen $(INSN_BIN)/insn-compare $(INSN_BIN)/insn-pack $(INSN_BIN)/insn-direct $(INSN_BIN)/insn-tally \
	      $(INSN_BIN)/runner
INSN_HDRS := tests/insn/case.h tests/insn/caseio.h
INSN_KEPT := $(wildcard tests/insn/regress/*.case)
INSN_SEED ?= $(shell date +%s)

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

.PHONY: insn-progs test-insn test-insn-self
insn-progs: $(INSN_PROGS)

# The tester against itself: both engines are qemu-user.
test-insn-self: insn-progs
	BUILD=$(BUILD) tests/insn/run -b qemu -s 1 -n 20000

# In `make test`: kept failures, then fresh cases of a seed that is printed, on the engine without a guest kernel,
# then a slice under a guest kernel. In `make test-long`: 20 million cases.
INSN_RUN := env BUILD=$(BUILD) tests/insn/run
TEST_DEPS += $(INSN_PROGS)
TEST_TAP += insn insn-guest insn-switches $(if $(INSN_KEPT),insn-kept)
TEST_CMD_insn = tests/tap.sh insn $(INSN_RUN) -s $(INSN_SEED) -n $(INSN_COUNT)
TEST_CMD_insn-kept = tests/tap.sh insn-kept $(INSN_RUN) $(INSN_KEPT)
TEST_CMD_insn-guest = tests/tap.sh insn-guest env KERNEL=$(GUEST)/Image-cloud OUT=$(BUILD)/insn-guest \
		      $(INSN_RUN) -b armature -s $(INSN_SEED) -n 20000
TEST_CMD_insn-switches = env BUILD=$(BUILD) tests/insn/switches 2000 $(INSN_SEED)
INSN_COUNT ?= 100000
TEST_TAP_LONG += insn-long insn-guest-long
TEST_CMD_insn-long = tests/tap.sh insn-long $(INSN_RUN) -s $(INSN_SEED) -n 500000 -r 40
TEST_CMD_insn-guest-long = tests/tap.sh insn-guest-long env KERNEL=$(GUEST)/Image-cloud OUT=$(BUILD)/insn-guest \
			   $(INSN_RUN) -b armature -s $(INSN_SEED) -n 500000 -r 2

# Every encoding and how many instances of it were compared so far (in this build directory).
.PHONY: conformance
conformance: insn-progs ## print the instruction set's conformance table (Markdown)
	@$(INSN_BIN)/insn-tally --table $(BUILD)/insn/tally

test-insn: insn-progs
	$(if $(INSN_KEPT),$(INSN_RUN) $(INSN_KEPT))
	$(INSN_RUN) -s $(INSN_SEED) -n $(INSN_COUNT)
