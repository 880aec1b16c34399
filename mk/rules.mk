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
	$(Q)$< -j $(PROVE_JOBS) --limit 270 $(PROVE_FLAGS) $(RULES_MODEL:%=--model %) --records rules/proofs \
		$(RULES_BASE) $(RULES_LEARN)

# ---- learning ----
EVAL_SRC  := $(wildcard rules/learn/eval*.c)
LEARN_SRC := $(filter-out $(EVAL_SRC),$(wildcard rules/learn/*.c)) rules/prove/concrete.c rules/prove/concrete_rule.c \
             rules/prove/instance.c $(wildcard rules/lang/*.c)

# What was learned from a piece of the corpus is kept while these are as they were. Placement is not among them: it decides
# what a rule is worth, not what is right (rm -r $(BUILD)/learn/pieces: weigh anew).
LEARN_KEYS := $(filter-out rules/learn/eval% rules/learn/main.c,$(sort $(wildcard rules/learn/*.[ch]))) $(RULES_BASE)

$(BUILD)/rules-learn: $(LEARN_SRC) $(wildcard rules/learn/*.h rules/prove/*.h) $(RULES_LANG) \
                      $(BUILD)/libarmature.a
	@mkdir -p $(@D)
	@echo "  HOSTCC  $@"
	$(Q)$(HOSTCC) $(RULES_CFLAGS) -O2 -I$(BUILD)/gen -o $@ -DLEARN_KEY="\"$$(cat $(LEARN_KEYS) | sha256sum)\"" \
		$(LEARN_SRC) $(BUILD)/libarmature.a $(LDLIBS) \
		-lZydis -ldw -lelf -pthread

# What rules would do with an execution profile (armature run --profile).
$(BUILD)/rules-eval: $(EVAL_SRC) rules/learn/eval.h $(BUILD)/libarmature.a
	@echo "  HOSTCC  $@"
	$(Q)$(HOSTCC) $(RULES_CFLAGS) -O2 -I$(BUILD)/gen -o $@ $(EVAL_SRC) $(BUILD)/libarmature.a $(LDLIBS) -lZydis -pthread

LEARN_DIR := $(BUILD)/learn
LEARN_ENV := JOBS=$(PROVE_JOBS) BASE="$(RULES_BASE)" MODEL="$(RULES_MODEL:%=--model %)" LIBS="$(LDLIBS)"

.PHONY: learn corpus leave-one-out
corpus: ## fetch and compile what rules are learned from
	$(Q)rules/learn/corpus.sh $(BUILD)/corpus

# Pieces of the corpus that were learned from before are kept: a second call goes on where the first was broken off.
$(LEARN_DIR)/candidates.rules: $(BUILD)/rules-learn corpus
	$(Q)mkdir -p $(LEARN_DIR)/pieces
	$(Q)$< -j $(PROVE_JOBS) $(LEARN_FLAGS) --work $(LEARN_DIR)/pieces --pairs $(LEARN_DIR)/pairs.rules -o $@.tmp \
		$(BUILD)/corpus/list >$(LEARN_DIR)/stats
	$(Q)mv $@.tmp $@

# Training profiles want a guest with a disk of programs (make guest guest-bench); without, corpus counts decide.
$(BUILD)/profile/train.prof: | $(BUILD)/armature
	$(Q)/usr/bin/python3 -B rules/learn/profile.py --armature $(BUILD)/armature --guest $(GUEST) --out $(@D) train
LEARN_PROFILE := $(if $(wildcard $(GUEST)/bench.img),$(BUILD)/profile/train.prof)

# Pairs proven as they were before generalisation, the most frequent first: they are many.
LEARN_PAIRS ?= 3000

# Fetch, compile, learn, choose, prove; then prove the pairs as they were before generalisation, and say in docs/rules.md
# how many there were at each step. The solver's limit is low, for there are many: what it does not decide is left out.
learn: $(LEARN_DIR)/candidates.rules $(BUILD)/rules-prove $(BUILD)/rules-eval $(BUILD)/libarmature.a $(LEARN_PROFILE) ## learn rules from the corpus, prove them, write rules/learned and docs/rules.md
	$(Q)$(LEARN_ENV) rules/learn/choose.sh $(BUILD) "$(LEARN_PROFILE)" $< $(LEARN_DIR)/all
	$(Q)mkdir -p rules/learned
	$(Q)cp $(LEARN_DIR)/all/corpus.rules rules/learned/corpus.rules
	$(Q)cp $(LEARN_DIR)/all/proofs/corpus.proofs rules/proofs/corpus.proofs
	$(Q)/usr/bin/python3 -B rules/learn/pick.py $(LEARN_DIR)/pairs.rules --max $(LEARN_PAIRS) --out $(LEARN_DIR)/pairs-often.rules
	-$(Q)$(BUILD)/rules-prove -j $(PROVE_JOBS) --progress --limit 6 $(RULES_MODEL:%=--model %) \
		--records $(LEARN_DIR)/all/proofs $(LEARN_DIR)/pairs-often.rules >$(LEARN_DIR)/pairs.log
	$(Q)/usr/bin/python3 -B rules/learn/report.py learn --stats $(LEARN_DIR)/stats --pairs-log $(LEARN_DIR)/pairs.log \
		--chosen $(LEARN_DIR)/all/choose.log --proofs-log $(LEARN_DIR)/all/prove.log --corpus $(BUILD)/corpus/list \
		--rules rules/learned/corpus.rules --doc docs/rules.md

# Wants profiles of the programs: rules/learn/profile.py NAME...
leave-one-out: $(BUILD)/rules-eval $(BUILD)/rules-learn $(BUILD)/rules-prove ## programs against rules learned without them; writes docs/rules.md
	$(Q)$(LEARN_ENV) rules/learn/leave-one-out.sh $(BUILD) $(BUILD)/profile $(BUILD)/corpus/list
	$(Q)/usr/bin/python3 -B rules/learn/report.py held-out $(LEARN_DIR)/held-out --doc docs/rules.md

.PHONY: gaps
gaps: $(BUILD)/rules-eval ## what rules would gain from gaps in their sequences, by the profiles; writes docs/rules.md
	$(Q)rm -rf $(LEARN_DIR)/gaps && mkdir -p $(LEARN_DIR)/gaps
	$(Q)for p in $(BUILD)/profile/*.prof; do $< --gaps $$p >$(LEARN_DIR)/gaps/$$(basename $$p .prof) || exit 1; done
	$(Q)/usr/bin/python3 -B rules/learn/report.py gaps $(LEARN_DIR)/gaps --doc docs/rules.md

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

TEST_DEPS += $(BUILD)/rules-golden $(BUILD)/rules-mutate $(BUILD)/rules-modeltest $(BUILD)/rules-learn
TEST_TAP += rules-cmd rules-golden rules-mutate rules-model rules-learn
TEST_CMD_rules-learn = tests/tap.sh rules-learn env BUILD=$(BUILD) tests/rules/learn.sh
TEST_CMD_rules-model = tests/tap.sh rules-model env BUILD=$(BUILD) SEED=$(INSN_SEED) rules/prove/modeltest.sh 10 8
TEST_CMD_rules-mutate = tests/tap.sh rules-mutate $(BUILD)/rules-mutate -n 60 -s $(INSN_SEED) $(RULES_BASE) $(RULES_LEARN)
TEST_CMD_rules-cmd = /usr/bin/python3 -B tests/rules/run.py $(BUILD)/armature
TEST_CMD_rules-golden = env BUILD=$(BUILD) tests/rules/golden.sh
