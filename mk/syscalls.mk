# Names of the host's system calls, for the message a sandbox violation prints from a signal handler.
SYSCALL_NAMES := $(BUILD)/gen/syscall_names.h
GEN += $(SYSCALL_NAMES)

$(SYSCALL_NAMES): mk/syscalls.mk
	@mkdir -p $(@D)
	@echo "  GEN     $@"
	$(Q)echo '#include <asm/unistd_64.h>' | $(CC) -E -dM -x c - | \
		sed -n 's/^#define __NR_\([a-z0-9_]*\) \([0-9]*\)$$/[\2] = "\1",/p' | sort -V > $@.tmp
	$(Q)mv $@.tmp $@
