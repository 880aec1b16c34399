# Translation rules: rules/*/*.rules -> tables that dbt/rules.c includes. Z3 is needed for `make prove`
# only; the build checks proof records by hash.
HOSTCC      ?= cc
RULES_BASE  := $(sort $(wildcard rules/base/*.rules))
RULES_LEARN := $(sort $(wildcard rules/learned/*.rules))
RULES_PROOF := $(sort $(wildcard rules/proofs/*.proofs))
RULES_MODEL := $(sort $(wildcard rules/prove/sem*.[ch])) rules/prove/prove.c rules/prove/instance.c
RULES_LANG  := $(wildcard rules/lang/*.[ch])
RULES_CFLAGS := -std=gnu11 -g -O1 -Wall -Wextra -Werror -Wno-unused-parameter -Wshadow -I. -D_GNU_SOURCE

GEN += $(BUILD)/gen/rules_gen.inc

$(BUILD)/gen/rules-compile: $(RULES_LANG) $(wildcard rules/compile/*.[ch]) dbt/hir.h dbt/a64/insns.def \
                            dbt/a64/insns_simd.def
	@mkdir -p $(@D)
	@echo "  HOSTCC  $@"
	$(Q)$(HOSTCC) $(RULES_CFLAGS) -o $@ rules/lang/*.c rules/compile/*.c

$(BUILD)/gen/rules_gen.inc: $(BUILD)/gen/rules-compile $(RULES_BASE) $(RULES_LEARN) $(RULES_PROOF) \
                            $(RULES_MODEL)
	@echo "  RULES   $@"
	$(Q)$< -o $@ $(RULES_PROOF:%=--proofs %) $(RULES_MODEL:%=--model %) $(RULES_FLAGS) \
		base $(RULES_BASE) learned $(RULES_LEARN)

# ---- proofs: `make prove` proves what has no record, `make prove PROVE_FLAGS=--all` everything ----
PROVE_SRC := rules/prove/main.c rules/prove/records.c \
             $(filter %.c,$(RULES_MODEL)) $(wildcard rules/lang/*.c)
PROVE_JOBS ?= 2

$(BUILD)/rules-prove: $(PROVE_SRC) $(wildcard rules/prove/*.h) $(RULES_LANG) dbt/hir.h
	@mkdir -p $(@D)
	@echo "  HOSTCC  $@"
	$(Q)$(HOSTCC) $(RULES_CFLAGS) -o $@ $(PROVE_SRC) -lz3

# Seeded errors must be rejected.
MUTATE_SRC := rules/prove/mutate.c rules/prove/mutations.c rules/prove/concrete.c rules/prove/concrete_rule.c \
              $(filter %.c,$(RULES_MODEL)) $(wildcard rules/lang/*.c)

$(BUILD)/rules-mutate: $(MUTATE_SRC) $(wildcard rules/prove/*.h) $(RULES_LANG) dbt/hir.h
	@mkdir -p $(@D)
	@echo "  HOSTCC  $@"
	$(Q)$(HOSTCC) $(RULES_CFLAGS) -o $@ $(MUTATE_SRC) -lz3

.PHONY: mutate
mutate: $(BUILD)/rules-mutate ## seed 600 errors into the rules (MUTATE_FLAGS=-v: with counterexamples); all must be rejected
	$(Q)$< $(MUTATE_FLAGS) $(RULES_BASE) $(RULES_LEARN)

.PHONY: prove
prove: $(BUILD)/rules-prove ## prove every rule without a record (PROVE_FLAGS=--all: all)
	$(Q)mkdir -p rules/proofs
	$(Q)$< -j $(PROVE_JOBS) --timeout 90 $(PROVE_FLAGS) $(RULES_MODEL:%=--model %) --records rules/proofs \
		$(RULES_BASE) $(RULES_LEARN)

# ---- learning ----
LEARN_SRC := $(filter-out rules/learn/eval.c,$(wildcard rules/learn/*.c)) rules/prove/concrete.c rules/prove/concrete_rule.c \
             rules/prove/instance.c $(wildcard rules/lang/*.c)

$(BUILD)/rules-learn: $(LEARN_SRC) $(wildcard rules/learn/*.h rules/prove/*.h) $(RULES_LANG) \
                      $(BUILD)/libarmature.a
	@mkdir -p $(@D)
	@echo "  HOSTCC  $@"
	$(Q)$(HOSTCC) $(RULES_CFLAGS) -O2 -I$(BUILD)/gen -o $@ $(LEARN_SRC) $(BUILD)/libarmature.a $(LDLIBS) \
		-lZydis -ldw -lelf -pthread

# What rules would do with an execution profile (armature run --profile).
$(BUILD)/rules-eval: rules/learn/eval.c $(BUILD)/libarmature.a
	@echo "  HOSTCC  $@"
	$(Q)$(HOSTCC) $(RULES_CFLAGS) -O2 -I$(BUILD)/gen -o $@ $< $(BUILD)/libarmature.a $(LDLIBS) -lZydis -pthread

# ... likewise, of candidates that are not proven yet
LEARN_DIR := $(BUILD)/learn
$(LEARN_DIR)/rules-eval: $(BUILD)/corpus.rules rules/learn/eval.c dbt/rules.c $(BUILD)/gen/rules-compile \
                         $(BUILD)/libarmature.a
	@mkdir -p $(@D)/gen
	@echo "  HOSTCC  $@"
	$(Q)$(BUILD)/gen/rules-compile --unproven -o $(@D)/gen/rules_gen.inc base $(RULES_BASE) learned $(BUILD)/corpus.rules
	$(Q)$(HOSTCC) $(RULES_CFLAGS) -O1 -I$(@D)/gen -I$(BUILD)/gen -o $@ rules/learn/eval.c dbt/rules.c \
		$(BUILD)/libarmature.a $(LDLIBS) -lZydis -pthread

.PHONY: learn corpus
corpus: ## fetch and compile what rules are learned from
	$(Q)rules/learn/corpus.sh $(BUILD)/corpus

$(BUILD)/corpus.rules: $(BUILD)/rules-learn | corpus
	$(Q)$(BUILD)/rules-learn -j $(PROVE_JOBS) $(LEARN_FLAGS) -o $@.tmp $(BUILD)/corpus/list >$(BUILD)/learn-stats
	$(Q)mv $@.tmp $@
	$(Q)cat $(BUILD)/learn-stats

# Training profiles want a guest with a disk of programs (make guest guest-bench); without, corpus counts decide.
$(BUILD)/profile/train.prof: | $(BUILD)/armature
	$(Q)/usr/bin/python3 -B rules/learn/profile.py --armature $(BUILD)/armature --guest $(GUEST) --out $(@D) train
LEARN_PROFILE := $(if $(wildcard $(GUEST)/bench.img),$(BUILD)/profile/train.prof)

# Fetch, compile, learn, choose, prove. What is not proven is left out; the solver's limit is short, for there are
# many. Each step is kept: a second call goes on where the first was broken off (rm $(BUILD)/corpus.rules: learn anew).
learn: $(LEARN_DIR)/rules-eval $(BUILD)/rules-prove $(LEARN_PROFILE) ## learn rules from the corpus, prove them, write rules/learned
	$(Q)$(if $(LEARN_PROFILE),$(LEARN_DIR)/rules-eval --uses $(LEARN_PROFILE) >$(LEARN_DIR)/uses)
	$(Q)/usr/bin/python3 -B rules/learn/select.py $(BUILD)/corpus.rules $(if $(LEARN_PROFILE),--uses $(LEARN_DIR)/uses) \
		$(SELECT_FLAGS) --out $(LEARN_DIR)/corpus.rules
	$(Q)mkdir -p rules/learned
	-$(Q)$(BUILD)/rules-prove -j $(PROVE_JOBS) --timeout 5 $(RULES_MODEL:%=--model %) \
		--records rules/proofs --keep rules/learned/corpus.rules $(LEARN_DIR)/corpus.rules >$(BUILD)/learn-proofs.log
	$(Q)tail -1 $(BUILD)/learn-proofs.log

# ---- the models against other implementations ----
MODELTEST_SRC := $(wildcard rules/prove/modeltest*.c) rules/prove/concrete.c rules/prove/concrete_rule.c rules/prove/instance.c \
                 $(filter rules/prove/sem%.c,$(RULES_MODEL)) $(wildcard rules/lang/*.c) tests/insn/caseio.c \
                 tests/insn/state.c

$(BUILD)/rules-modeltest: $(MODELTEST_SRC) $(wildcard rules/prove/*.h) $(RULES_LANG) $(BUILD)/libarmature.a
	@mkdir -p $(@D)
	@echo "  HOSTCC  $@"
	$(Q)$(HOSTCC) $(RULES_CFLAGS) -I$(BUILD)/gen -o $@ $(MODELTEST_SRC) $(BUILD)/libarmature.a $(LDLIBS) -lz3 -pthread

.PHONY: modeltest
modeltest: $(BUILD)/rules-modeltest insn-progs ## the rules' semantic models, op by op: A64 against qemu-user, HIR against this host's CPU
	$(Q)BUILD=$(BUILD) rules/prove/modeltest.sh $(MODEL_CASES)

# ---- fuzzing ----
RULES_FUZZ_OBJS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard rules/lang/*.c) rules/prove/instance.c)
$(BUILD)/fuzz_rules: $(RULES_FUZZ_OBJS) $(BUILD)/rules/compile/emit.o $(BUILD)/rules/compile/tables.o \
                     $(BUILD)/rules/prove/concrete.o $(BUILD)/rules/prove/concrete_rule.o
$(BUILD)/fuzz_rules_prove: $(RULES_FUZZ_OBJS) $(patsubst %.c,$(BUILD)/%.o,$(filter %.c,$(RULES_MODEL)))
$(BUILD)/fuzz_rules_prove: LDLIBS += -lz3

# ---- golden listings: what code the rules become ----
GOLDEN_SRC := tests/rules/golden.c tests/rules/encode.c rules/prove/concrete.c rules/prove/concrete_rule.c rules/prove/instance.c \
              $(wildcard rules/lang/*.c)
$(BUILD)/rules-golden: $(GOLDEN_SRC) $(wildcard rules/prove/*.h) $(RULES_LANG) $(BUILD)/libarmature.a
	@mkdir -p $(@D)
	@echo "  HOSTCC  $@"
	$(Q)$(HOSTCC) $(RULES_CFLAGS) -I$(BUILD)/gen -o $@ $(GOLDEN_SRC) $(BUILD)/libarmature.a $(LDLIBS) -lZydis -pthread

.PHONY: golden golden-update
golden: $(BUILD)/rules-golden ## compare the host code of every rule with tests/rules/golden
	$(Q)BUILD=$(BUILD) tests/rules/golden.sh
golden-update: $(BUILD)/rules-golden ## accept the host code of every rule as it is now
	$(Q)BUILD=$(BUILD) tests/rules/golden.sh --update

TEST_DEPS += $(BUILD)/rules-golden $(BUILD)/rules-mutate $(BUILD)/rules-modeltest
TEST_TAP += rules-cmd rules-golden rules-mutate rules-model
TEST_CMD_rules-model = tests/tap.sh rules-model env BUILD=$(BUILD) SEED=$(INSN_SEED) rules/prove/modeltest.sh 10 8
TEST_CMD_rules-mutate = tests/tap.sh rules-mutate $(BUILD)/rules-mutate -n 60 -s $(INSN_SEED) $(RULES_BASE) $(RULES_LEARN)
TEST_CMD_rules-cmd = /usr/bin/python3 -B tests/rules/run.py $(BUILD)/armature
TEST_CMD_rules-golden = env BUILD=$(BUILD) tests/rules/golden.sh
