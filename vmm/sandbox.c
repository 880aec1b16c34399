/* SPDX-License-Identifier: MIT */
#include "vmm/sandbox.h"

#include <asm/termbits.h>
#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>

/* The heap: malloc and free of small and large blocks. Never executable. */
#define HEAP_RULES                                                                               \
	SANDBOX_ALLOW(brk), SANDBOX_ALLOW(munmap),                                               \
		SANDBOX_ALLOW(mmap, SANDBOX_ARG_CLEAR(2, PROT_EXEC)),                            \
		SANDBOX_ALLOW(mprotect, SANDBOX_ARG_CLEAR(2, PROT_EXEC)), SANDBOX_ALLOW(mremap), \
		SANDBOX_ALLOW(madvise, SANDBOX_ARG_IS(2, MADV_DONTNEED))

/* Mutexes and condition variables, timed waits among them. */
#define FUTEX_RULES                                                                 \
	SANDBOX_ALLOW(futex, SANDBOX_ARG_IS(1, FUTEX_WAIT_PRIVATE)),                \
		SANDBOX_ALLOW(futex, SANDBOX_ARG_IS(1, FUTEX_WAKE_PRIVATE)),        \
		SANDBOX_ALLOW(futex, SANDBOX_ARG_IS(1, FUTEX_WAIT_BITSET_PRIVATE)), \
		SANDBOX_ALLOW(futex,                                                \
			      SANDBOX_ARG_IS(1, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME))

static const struct sandbox_rule vcpu_rules[] = {
	/* locks of devices and of the GIC, the sleep of a WFI */
	FUTEX_RULES,
	/* kicks to device threads (eventfd) and messages of common/log.c */
	SANDBOX_ALLOW(write),
	/* host faults that become guest exceptions: the handler's stack and its return */
	SANDBOX_ALLOW(rt_sigreturn),
	SANDBOX_ALLOW(rt_sigprocmask),
	SANDBOX_ALLOW(sigaltstack),
	/* translator: tables committed on demand, chunks given back */
	HEAP_RULES,
	SANDBOX_ALLOW(madvise, SANDBOX_ARG_IS(2, MADV_HUGEPAGE)),
	/* where the vDSO cannot serve it (a host without a stable TSC) */
	SANDBOX_ALLOW(clock_gettime),
	/* timers of the event loop, set by device registers */
	SANDBOX_ALLOW(timerfd_settime),
	/* waiting for other vCPUs to pass a poll */
	SANDBOX_ALLOW(sched_yield),
	/* a stopped process going on; the end of the thread */
	SANDBOX_ALLOW(restart_syscall),
	SANDBOX_ALLOW(exit),
};

const struct sandbox_role sandbox_vcpu_role = {
	.name = "vcpu",
	.rules = vcpu_rules,
	.nrules = ARRAY_SIZE(vcpu_rules),
};

static const struct sandbox_rule main_rules[] = {
	/* common/event_loop.c */
	SANDBOX_ALLOW(epoll_wait),
	SANDBOX_ALLOW(epoll_ctl),
	SANDBOX_ALLOW(timerfd_settime),
	SANDBOX_ALLOW(read),
	SANDBOX_ALLOW(write),
	/* devices/chardev.c: unix sockets, the terminal's modes at exit */
	SANDBOX_ALLOW(accept4),
	SANDBOX_ALLOW(sendto),
	SANDBOX_ALLOW(poll),
	SANDBOX_ALLOW(close),
	SANDBOX_ALLOW(unlink),
	SANDBOX_ALLOW(fcntl, SANDBOX_ARG_IS(1, F_SETFL)),
	SANDBOX_ALLOW(ioctl, SANDBOX_ARG_IS(1, TCSETS)),
	SANDBOX_ALLOW(ioctl, SANDBOX_ARG_IS(1, TCGETS)), /* tcsetattr reads back what it set */
	/* locks, and pthread_join of vCPU and device threads, which waits on a shared futex */
	FUTEX_RULES,
	SANDBOX_ALLOW(futex, SANDBOX_ARG_IS(1, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME)),
	/* control, statistics, tear-down */
	HEAP_RULES,
	SANDBOX_ALLOW(newfstatat), /* stdio's first write to a stream */
	SANDBOX_ALLOW(getrusage),  /* --stats */
	/* vmm/machine.c: a guest's reset loads kernel and initrd again and gives new seeds */
	SANDBOX_ALLOW(pread64),
	SANDBOX_ALLOW(getrandom),
	SANDBOX_ALLOW(lseek),
	SANDBOX_ALLOW(clock_gettime),
	/* signals of the user: SIGINT, SIGTERM, SIGHUP */
	SANDBOX_ALLOW(rt_sigreturn),
	SANDBOX_ALLOW(rt_sigprocmask),
	SANDBOX_ALLOW(restart_syscall),
	SANDBOX_ALLOW(exit_group),
};

const struct sandbox_role sandbox_main_role = {
	.name = "main",
	.rules = main_rules,
	.nrules = ARRAY_SIZE(main_rules),
};

int sandbox_mode_parse(const char *word, enum sandbox_mode *mode)
{
	static const struct {
		const char *word;
		enum sandbox_mode mode;
	} words[] = {{"on", SANDBOX_ON}, {"log", SANDBOX_LOG}, {"off", SANDBOX_OFF}};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(word, words[i].word)) {
			*mode = words[i].mode;
			return 0;
		}
	return -EINVAL;
}

int sandbox_confine(const struct sandbox_role *role, const char *thread, enum sandbox_mode mode,
		    const char **err)
{
	struct sandbox *sb;
	int ret = sandbox_prepare(role, thread, mode, &sb, err);

	if (!ret)
		ret = sandbox_enter(sb);
	else
		return ret;
	if (ret)
		*err = "the kernel refused the thread's seccomp filter";
	return ret; /* `sb` names the thread in messages: it lives as long as the thread */
}
