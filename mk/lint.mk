# Format and lint over the project's own C files.
C_DIRS  := common config devices dbt vmm rules tests tools
# rules/learn/corpus is input, whose lines the learned rules name
C_FILES  = $(filter-out rules/learn/corpus/%,$(shell find $(wildcard $(C_DIRS)) -name '*.[ch]'))
LINT_C   = $(SRCS)
JOBS    := $(shell nproc)

.PHONY: format format-check lint lint-tidy lint-cppcheck lint-scripts
format: ## clang-format every C file in place
	$(Q)clang-format -i $(C_FILES)

format-check: ## fail if clang-format would change a file
	@echo "  FORMAT  $(words $(C_FILES)) files"
	$(Q)clang-format --dry-run -Werror $(C_FILES)

lint: lint-tidy lint-cppcheck lint-scripts ## clang-tidy, cppcheck, shellcheck and python syntax

# Every object's compile command; clangd finds it in the top directory too.
compile_commands.json: $(SRCS) $(MAKEFILE_LIST)
	$(Q)/usr/bin/python3 tools/compdb.py $@ '$(subst ','"'"',$(CC) $(CPPFLAGS) $(filter-out -MMD -MP,$(CFLAGS)))' $(SRCS)

lint-tidy: compile_commands.json | $(GEN)
	@echo "  TIDY    $(words $(LINT_C)) files"
	@mkdir -p $(BUILD)
	$(Q)printf '%s\n' $(LINT_C) | xargs -P $(JOBS) -n 4 clang-tidy -p . --quiet --warnings-as-errors='*' \
		>$(BUILD)/tidy.log 2>&1 || { grep -v 'warnings generated' $(BUILD)/tidy.log; exit 1; }

lint-cppcheck: | $(GEN)
	@echo "  CPPCHECK"
	@mkdir -p $(BUILD)/cppcheck
	$(Q)cppcheck -q -j $(JOBS) --cppcheck-build-dir=$(BUILD)/cppcheck --std=c11 --enable=warning,portability \
		--inline-suppr --suppressions-list=tools/cppcheck.txt --error-exitcode=1 -I. -I$(BUILD)/gen -D_GNU_SOURCE \
		-D__x86_64__ -D__linux__ $(LINT_C)

SH_FILES = $(shell find tools tests -name '*.sh') .ci/run
PY_FILES = $(shell find tools tests -name '*.py')
lint-scripts:
	@echo "  SCRIPTS $(words $(SH_FILES)) shell, $(words $(PY_FILES)) python"
	$(Q)shellcheck -S warning $(SH_FILES)
	$(Q)pyflakes3 $(PY_FILES)
