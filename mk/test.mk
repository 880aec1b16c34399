# Tests. Every program under test speaks TAP on stdout; tests/run.py counts the lines and sums up.
#   tests/unit/test_*.c   one program each (cmocka), linked with libarmature.a and tests/unit/*.c that are
#                         neither test_* nor *_guest (guest programs)
#   TEST_TAP              names of further suites, TEST_CMD_<name> the command, which prints TAP (tests/tap.sh makes it
#                         of any command), TEST_DEPS what they need built. Other mk/*.mk add theirs; their names
#                         sort before test.mk, so that the lists are complete here
#   TEST_TAP_LONG         likewise, only in `make test-long`
UNIT_SRCS   := $(wildcard tests/unit/test_*.c)
UNIT_COMMON := $(filter-out $(UNIT_SRCS) %_guest.c,$(wildcard tests/unit/*.c))
UNIT_SKIP   ?=
UNIT_TESTS  := $(filter-out $(UNIT_SKIP:%=$(BUILD)/tests/unit/%),$(UNIT_SRCS:%.c=$(BUILD)/%))
UNIT_HELP   := $(UNIT_COMMON:%.c=$(BUILD)/%.o)
VMM         ?= armature
BOOT         = /usr/bin/python3 -B tests/boot/run.py --vmm $(VMM) --armature $(BUILD)/armature --guest $(GUEST)

$(UNIT_TESTS): $(BUILD)/%: $(BUILD)/%.o $(UNIT_HELP) $(BUILD)/libarmature.a
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -lcmocka $(LDLIBS)

TEST_TAP += tools
TEST_CMD_tools = /usr/bin/python3 -B tests/tools/run.py

.PHONY: test test-unit test-boot test-long test-run
.SECONDARY: $(UNIT_TESTS:%=%.o) $(UNIT_HELP)

# setup first and alone: the rest asks pkg-config for what setup may just have installed.
test: setup ## set up, build, run every test; the last line is "N passed, N failed"
	$(Q)$(MAKE) --no-print-directory test-run

test-run: all guest $(UNIT_TESTS) $(TEST_DEPS)
	$(Q)/usr/bin/python3 -B tests/run.py --log $(BUILD)/test-logs --parallel $(UNIT_TESTS) \
		--serial $(foreach t,$(TEST_TAP),'$(TEST_CMD_$(t))') '$(BOOT)'

test-unit: $(UNIT_TESTS) ## run the unit tests only
	$(Q)/usr/bin/python3 -B tests/run.py --log $(BUILD)/test-logs --parallel $(UNIT_TESTS)

test-boot: all guest ## run the boot tests only (VMM=qemu: the same with qemu-system-aarch64)
	$(Q)/usr/bin/python3 -B tests/run.py --log $(BUILD)/test-logs --serial '$(BOOT)'

test-long: setup ## every test in its long form: all kernels and memory sizes, many boots, Debian (hours)
	$(Q)$(MAKE) --no-print-directory test-long-run

.PHONY: test-long-run
test-long-run: all guest guest-debian $(UNIT_TESTS) $(TEST_DEPS)
	$(Q)/usr/bin/python3 -B tests/run.py --log $(BUILD)/test-logs --timeout 86400 --parallel $(UNIT_TESTS) \
		--serial $(foreach t,$(TEST_TAP) $(TEST_TAP_LONG),'$(TEST_CMD_$(t))') '$(BOOT) --long'

# Sanitizers: a build directory each, the unit tests there. Left out are tests that a sanitizer's runtime breaks: its
# system calls are in no allow-list, and ThreadSanitizer leaves no room for the translator's tables.
SAN_FLAGS_asan  := -fsanitize=address -fno-omit-frame-pointer
SAN_FLAGS_ubsan := -fsanitize=undefined -fno-sanitize-recover=all
SAN_FLAGS_tsan  := -fsanitize=thread
SAN_SKIP_asan   := test_sandbox
SAN_SKIP_ubsan  := test_sandbox
SAN_SKIP_tsan   := test_sandbox $(patsubst tests/unit/%.c,%,$(shell grep -lE 'dbt_vm_create|sys(reg)?_fixture.h' $(UNIT_SRCS) 2>/dev/null))
export TSAN_OPTIONS := suppressions=$(CURDIR)/tests/tsan.supp

.PHONY: asan ubsan tsan
asan: ## build with AddressSanitizer in build-asan/, run the unit tests there
ubsan: ## build with UndefinedBehaviorSanitizer in build-ubsan/, run the unit tests there
tsan: ## build with ThreadSanitizer in build-tsan/, run the unit tests there
asan ubsan tsan:
	$(Q)$(MAKE) --no-print-directory BUILD=build-$@ SAN='$(SAN_FLAGS_$@)' UNIT_SKIP='$(SAN_SKIP_$@)' test-unit

-include $(UNIT_TESTS:%=%.d) $(UNIT_HELP:.o=.d)
