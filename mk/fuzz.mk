# libFuzzer targets: tests/fuzz/fuzz_*.c, each a program with LLVMFuzzerTestOneInput, linked with the library
# built by clang with coverage and AddressSanitizer in build-fuzz/. Corpora grow in build-fuzz/corpus/NAME; inputs that
# once failed live in tests/fuzz/regress/NAME and are tried first. A failing input is left in the current directory.
FUZZ_TIME  ?= 20
FUZZ_SRCS  := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BUILD := build-fuzz
FUZZ_PROGS := $(FUZZ_SRCS:tests/fuzz/%.c=$(FUZZ_BUILD)/%)
FUZZ_SAN   := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-sanitize=alignment

.PHONY: fuzz fuzz-build fuzz-run
fuzz: ## build the fuzzers with clang and run each for FUZZ_TIME seconds (20)
	$(Q)$(MAKE) --no-print-directory CC=clang BUILD=$(FUZZ_BUILD) SAN='$(FUZZ_SAN)' fuzz-build
	$(Q)$(MAKE) --no-print-directory fuzz-run

fuzz-build: $(FUZZ_SRCS:tests/fuzz/%.c=$(BUILD)/%)

fuzz-run:
	$(Q)failed=0; for p in $(FUZZ_PROGS); do \
		n=$${p##*/}; mkdir -p $(FUZZ_BUILD)/corpus/$$n; \
		r=tests/fuzz/regress/$$n; [ -d $$r ] || r=; s=; t=10; \
		case $$n in fuzz_rules*) s=$(FUZZ_BUILD)/seeds; tests/rules/seeds $$s; t=100;; esac; \
		echo "  FUZZ    $$n ($(FUZZ_TIME) s)"; \
		$$p -max_total_time=$(FUZZ_TIME) -max_len=4096 -len_control=0 -timeout=$$t -print_final_stats=1 \
			$(FUZZ_BUILD)/corpus/$$n $$r $$s >$(FUZZ_BUILD)/$$n.log 2>&1 || \
			{ tail -40 $(FUZZ_BUILD)/$$n.log; echo "not ok - $$n"; failed=1; continue; }; \
		grep -a 'number_of_executed_units\|^#.*DONE' $(FUZZ_BUILD)/$$n.log; \
		echo "ok - $$n"; \
	done; exit $$failed

$(BUILD)/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/libarmature.a
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS)

.SECONDARY: $(FUZZ_SRCS:%.c=$(FUZZ_BUILD)/%.o)
-include $(FUZZ_SRCS:%.c=$(FUZZ_BUILD)/%.d)
