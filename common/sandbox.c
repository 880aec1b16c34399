/* SPDX-License-Identifier: MIT */
#include "common/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"

/*
 * The one call every filter answers with KILL_PROCESS: how the SIGSYS handler dies after its
 * message. Nothing in the process has a use for it.
 */
#define DIE_NR SYS_vhangup

struct sandbox {
	char thread[24];
	const char *role;
	enum sandbox_mode mode;
	struct sock_fprog prog;
	int landlock_fd; /* a ruleset, or -1 */
};

static const char *const syscall_names[] = {
#include "syscall_names.h"
};

const char *sandbox_syscall_name(int nr)
{
	if (nr < 0 || nr >= (int)ARRAY_SIZE(syscall_names) || !syscall_names[nr])
		return "?";
	return syscall_names[nr];
}

/* --- Violations in mode "on" ------------------------------------------------------------------ */

static __thread const struct sandbox *current;
static __thread bool dying;

static size_t put_str(char *buf, size_t at, size_t cap, const char *s)
{
	while (*s && at < cap)
		buf[at++] = *s++;
	return at;
}

static size_t put_dec(char *buf, size_t at, size_t cap, unsigned v)
{
	char digits[12];
	unsigned n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while (v /= 10);
	while (n && at < cap)
		buf[at++] = digits[--n];
	return at;
}

/* Runs in place of the forbidden call; only async-signal-safe code, and the process ends here. */
static void sigsys_handler(int sig, siginfo_t *info, void *ucontext)
{
	const char *who = current ? current->thread : "?";
	char buf[256];
	size_t n = 0;

	if (!dying) {
		dying = true; /* should write() itself be forbidden: no second message */
		n = put_str(buf, n, sizeof(buf), "armature: sandbox: thread ");
		n = put_str(buf, n, sizeof(buf), who);
		n = put_str(buf, n, sizeof(buf), " (role ");
		n = put_str(buf, n, sizeof(buf), current ? current->role : "?");
		n = put_str(buf, n, sizeof(buf), ") made the forbidden system call ");
		n = put_str(buf, n, sizeof(buf), sandbox_syscall_name(info->si_syscall));
		n = put_str(buf, n, sizeof(buf), " (");
		n = put_dec(buf, n, sizeof(buf), (unsigned)info->si_syscall);
		n = put_str(buf, n, sizeof(buf),
			    "): killed; \"sandbox\": \"log\" reports and goes on\n");
		syscall(SYS_write, STDERR_FILENO, buf, n);
	}
	syscall(DIE_NR);
	__builtin_trap();
}

static int install_handler(void)
{
	struct sigaction sa = {.sa_sigaction = sigsys_handler,
			       .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

	sigemptyset(&sa.sa_mask);
	return sigaction(SIGSYS, &sa, NULL) ? -errno : 0;
}

/* --- Violations in mode "log" ----------------------------------------------------------------- */

/*
 * A filter in this mode asks a listener (SECCOMP_RET_USER_NOTIF), which prints and lets the kernel
 * carry the call out. A signal handler could not: a call such as clone cannot be made from one.
 */
#define MAX_LISTENERS 128

struct listener_msg {
	int fd;
	char thread[24];
};

static int reporter_pipe[2] = {-1, -1};
static pthread_once_t reporter_once = PTHREAD_ONCE_INIT;
static int reporter_status;

static void report_one(const struct listener_msg *l)
{
	struct seccomp_notif req;
	struct seccomp_notif_resp resp;

	memset(&req, 0, sizeof(req));
	if (ioctl(l->fd, SECCOMP_IOCTL_NOTIF_RECV, &req))
		return; /* the thread was interrupted meanwhile */
	warn_ratelimited("sandbox: thread %s made the system call %s (%d), which its list lacks: "
			 "arguments %#llx %#llx %#llx",
			 l->thread, sandbox_syscall_name(req.data.nr), req.data.nr,
			 req.data.args[0], req.data.args[1], req.data.args[2]);
	memset(&resp, 0, sizeof(resp));
	resp.id = req.id;
	resp.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	ioctl(l->fd, SECCOMP_IOCTL_NOTIF_SEND, &resp);
}

static void *reporter_main(void *arg)
{
	static struct listener_msg who[MAX_LISTENERS];
	static struct pollfd fds[MAX_LISTENERS + 1];
	unsigned n = 0;

	fds[MAX_LISTENERS] = (struct pollfd){.fd = -1};
	for (;;) {
		fds[n] = (struct pollfd){.fd = reporter_pipe[0], .events = POLLIN};
		if (poll(fds, n + 1, -1) < 0)
			continue;
		if (n < MAX_LISTENERS && fds[n].revents & POLLIN &&
		    read(reporter_pipe[0], &who[n], sizeof(who[n])) == sizeof(who[n])) {
			fds[n] = (struct pollfd){.fd = who[n].fd, .events = POLLIN};
			n++;
			continue;
		}
		for (unsigned i = 0; i < n; i++) {
			if (fds[i].revents & POLLIN)
				report_one(&who[i]);
			else if (fds[i].revents) { /* every thread under that filter has ended */
				close(who[i].fd);
				n--;
				who[i] = who[n];
				fds[i] = fds[n];
				break;
			}
		}
	}
	return NULL;
}

static void reporter_start(void)
{
	pthread_t thread;
	sigset_t all, old;

	if (pipe2(reporter_pipe, O_CLOEXEC)) {
		reporter_status = -errno;
		return;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	reporter_status = -pthread_create(&thread, NULL, reporter_main, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!reporter_status) {
		pthread_setname_np(thread, "sandbox-log");
		pthread_detach(thread);
	}
}

/* --- Files ------------------------------------------------------------------------------------ */

/* Allows reading of `path`, or of what is beneath it. */
static int allow_path(int ruleset, const char *path)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE};
	int ret;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT ? 0 : -errno;
	ret = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	ret = ret ? -errno : 0;
	close(rule.parent_fd);
	return ret;
}

/*
 * A file that is replaced, not rewritten, is a new inode, which only a rule for its directory
 * covers. Where /etc/resolv.conf is a link into a resolver's own directory, that is what happens.
 */
static int allow_file(int ruleset, const char *path)
{
	char real[PATH_MAX], *slash;

	if (!realpath(path, real))
		return 0; /* not there: nothing to read */
	slash = strrchr(real, '/');
	if (slash == real || !strncmp(real, "/etc/", 5))
		return allow_path(ruleset, real);
	*slash = 0;
	return allow_path(ruleset, real);
}

/* An empty ruleset but for `files`. Kernels without Landlock leave the door to what the user may
 * read. */
static int prepare_files(const struct sandbox_role *role, struct sandbox *sb)
{
	struct landlock_ruleset_attr attr = {
		.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1, /* all of version 1 */
	};
	static bool warned;
	int ret = 0;

	if (!role->read_files)
		return 0;
	sb->landlock_fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (sb->landlock_fd < 0) {
		if (errno != ENOSYS && errno != EOPNOTSUPP)
			return -errno;
		if (!warned)
			warn_report("sandbox: this kernel has no Landlock; thread %s could read "
				    "any file this user can",
				    sb->thread);
		warned = true;
		return 0;
	}
	for (const char *const *f = role->read_files; *f && !ret; f++)
		ret = allow_file(sb->landlock_fd, *f);
	return ret;
}

/* --- Compiling and entering ------------------------------------------------------------------- */

static const struct sandbox_rule device_rules[] = {
	/* worker.c: the loop, its wake-up and messages of common/log.c */
	SANDBOX_ALLOW(epoll_wait),
	SANDBOX_ALLOW(read),
	SANDBOX_ALLOW(write),
	/* pthread_mutex_lock, pthread_cond_wait and their wake-ups */
	SANDBOX_ALLOW(futex, SANDBOX_ARG_IS(1, 128 /* WAIT | PRIVATE */)),
	SANDBOX_ALLOW(futex, SANDBOX_ARG_IS(1, 129 /* WAKE | PRIVATE */)),
	SANDBOX_ALLOW(futex, SANDBOX_ARG_IS(1, 393 /* WAIT_BITSET | PRIVATE | CLOCK_REALTIME */)),
	/* where the vDSO cannot serve it (a host without a stable TSC) */
	SANDBOX_ALLOW(clock_gettime),
	/* the end of a thread in glibc: its signals off, its stack returned */
	SANDBOX_ALLOW(rt_sigprocmask),
	SANDBOX_ALLOW(madvise, SANDBOX_ARG_IS(2, MADV_DONTNEED)),
	SANDBOX_ALLOW(exit),
};

const struct sandbox_role sandbox_device_role = {
	.name = "device",
	.rules = device_rules,
	.nrules = ARRAY_SIZE(device_rules),
};

static int add_rules(scmp_filter_ctx ctx, const struct sandbox_role *role)
{
	int ret = 0;

	for (size_t i = 0; i < role->nrules && !ret; i++) {
		const struct sandbox_rule *r = &role->rules[i];

		ret = seccomp_rule_add_array(
			ctx, r->deny ? SCMP_ACT_ERRNO((u32)r->deny) : SCMP_ACT_ALLOW, r->nr,
			r->nargs, r->arg);
		if (ret == -EEXIST)
			ret = 0; /* two groups of a list may need the same call */
	}
	return ret;
}

/* Reads the compiled filter back: entering it must not allocate or touch libseccomp. */
static int export_filter(scmp_filter_ctx ctx, struct sock_fprog *prog)
{
	int fd = memfd_create("filter", MFD_CLOEXEC);
	off_t size;
	int ret;

	if (fd < 0)
		return -errno;
	ret = seccomp_export_bpf(ctx, fd);
	size = lseek(fd, 0, SEEK_END);
	if (!ret && (size <= 0 || size / (off_t)sizeof(struct sock_filter) > BPF_MAXINSNS))
		ret = -E2BIG;
	if (!ret) {
		prog->len = (unsigned short)(size / (off_t)sizeof(struct sock_filter));
		prog->filter = malloc((size_t)size);
		if (!prog->filter)
			ret = -ENOMEM;
		else if (pread(fd, prog->filter, (size_t)size, 0) != size)
			ret = -EIO;
	}
	close(fd);
	return ret;
}

static int compile(const struct sandbox_role *role, struct sandbox *sb)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	int ret;

	if (!ctx)
		return -ENOMEM;
	/* 32-bit and x32 calls have no legitimate caller. */
	ret = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!ret)
		ret = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, DIE_NR, 0);
	if (!ret)
		ret = add_rules(ctx, role);
	if (!ret && role->device)
		ret = add_rules(ctx, &sandbox_device_role);
	if (!ret)
		ret = export_filter(ctx, &sb->prog);
	seccomp_release(ctx);
	if (ret || sb->mode != SANDBOX_LOG)
		return ret;
	for (unsigned i = 0; i < sb->prog.len; i++) {
		struct sock_filter *f = &sb->prog.filter[i];

		if (BPF_CLASS(f->code) == BPF_RET &&
		    (f->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRAP)
			f->k = SECCOMP_RET_USER_NOTIF;
	}
	return 0;
}

int sandbox_prepare(const struct sandbox_role *role, const char *thread, enum sandbox_mode mode,
		    struct sandbox **out, const char **err)
{
	struct sandbox *sb;
	int ret;

	*out = NULL;
	if (mode == SANDBOX_OFF)
		return 0;
	if (mode == SANDBOX_LOG) {
		pthread_once(&reporter_once, reporter_start);
		ret = reporter_status;
	} else {
		ret = install_handler();
	}
	if (ret) {
		*err = "cannot set up the reporting of sandbox violations";
		return ret;
	}
	sb = calloc(1, sizeof(*sb));
	if (!sb) {
		*err = "out of memory";
		return -ENOMEM;
	}
	strncpy(sb->thread, thread, sizeof(sb->thread) - 1);
	sb->role = role->name;
	sb->mode = mode;
	sb->landlock_fd = -1;
	*err = "libseccomp cannot compile the thread's allow-list";
	ret = compile(role, sb);
	/* Landlock cannot let pass and report; mode "log" does without. */
	if (!ret && mode == SANDBOX_ON) {
		*err = "cannot make the thread's Landlock rules";
		ret = prepare_files(role, sb);
	}
	if (ret) {
		sandbox_free(sb);
		return ret;
	}
	*out = sb;
	return 0;
}

int sandbox_enter(struct sandbox *sb)
{
	struct listener_msg msg;
	unsigned flags = 0;
	long ret;

	if (!sb)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	if (sb->mode == SANDBOX_LOG) {
		flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
		memset(&msg, 0, sizeof(msg));
		memcpy(msg.thread, sb->thread, sizeof(msg.thread));
	}
	current = sb;
	if (sb->landlock_fd >= 0 && syscall(SYS_landlock_restrict_self, sb->landlock_fd, 0))
		return -errno;
	ret = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &sb->prog);
	if (ret < 0)
		return -errno;
	if (sb->mode == SANDBOX_LOG) {
		/* write() is in every list: this call cannot wait for the reporter itself. */
		msg.fd = (int)ret;
		if (write(reporter_pipe[1], &msg, sizeof(msg)) != sizeof(msg))
			return -EIO;
	}
	return 0;
}

void sandbox_free(struct sandbox *sb)
{
	if (!sb)
		return;
	if (sb->landlock_fd >= 0)
		close(sb->landlock_fd);
	free(sb->prog.filter);
	free(sb);
}
