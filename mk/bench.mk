# Measurements: armature against qemu-system-aarch64, run in turn (A B A B ...). Nothing fails for being slow.
BENCH_ARGS ?=
XCC        ?= aarch64-linux-gnu-gcc
BENCH_SRCS := $(wildcard tests/bench/src/*.c)
BENCH_BINS := $(BENCH_SRCS:tests/bench/src/%.c=$(BUILD)/bench/%)

$(BENCH_BINS): $(BUILD)/bench/%: tests/bench/src/%.c tests/bench/src/bench.h
	@mkdir -p $(@D)
	@echo "  XCC     $<"
	$(Q)$(XCC) -O2 -Wall -Wextra -static -ffp-contract=off -s -o $@ $< -lm

$(GUEST)/bench.img: $(BENCH_BINS) $(addprefix tests/bench/,disk.sh agent inputs.py packages.txt) \
		$(wildcard tests/bench/programs/*) tools/guest/apt.sh
	@echo "  BENCH   $@ (Debian programs for arm64)"
	$(Q)tests/bench/disk.sh $(GUEST) $(BUILD)/bench

.PHONY: bench bench-run guest-bench
guest-bench: $(GUEST)/bench.img ## make the disk with the bench's programs (guest/bench.img)

bench: setup ## boot time, CPU-bound programs, memory: armature against QEMU; writes docs/performance.md
	$(Q)$(MAKE) --no-print-directory all guest guest-bench
	$(Q)$(MAKE) --no-print-directory bench-run

bench-run:
	$(Q)/usr/bin/python3 -B tests/bench/bench.py --armature $(BUILD)/armature --guest $(GUEST) --output docs/performance.md $(BENCH_ARGS)

# The tables of docs/evaluation.md: coverage, host instructions, coordination, ablation. About 10 minutes on a quiet host.
EVALUATE_ARGS ?=
.PHONY: evaluate evaluate-run
evaluate: setup ## what rules cover and each optimisation is worth; writes docs/evaluation.md
	$(Q)$(MAKE) --no-print-directory all guest guest-bench
	$(Q)$(MAKE) --no-print-directory evaluate-run

evaluate-run:
	$(Q)/usr/bin/python3 -B tests/bench/evaluate.py --armature $(BUILD)/armature --guest $(GUEST) \
		--output docs/evaluation.md $(EVALUATE_ARGS)
