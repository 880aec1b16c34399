/* SPDX-License-Identifier: MIT */
/*
 * Every list of every kind of thread, both ways: each rule's call is let through, the same call
 * with an argument bent is not, and every call no rule names kills. Nothing is sampled: all roles,
 * all numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/net.h"
#include "devices/virtio/blk.h"
#include "devices/virtio/console.h"
#include "devices/virtio/rng.h"
#include "vmm/sandbox.h"

#define LAST_NR 470

/* The kernel lets uretprobe (335) and uprobe (336) past every filter; uprobes alone can use them.
 */
#define UNFILTERABLE(nr) ((nr) == 335 || (nr) == 336)

#pragma GCC diagnostic ignored "-Wunused-function" /* under sanitizers nothing runs */

static const struct sandbox_role *const roles[] = {
	&sandbox_main_role,
	&sandbox_vcpu_role,
	&virtio_blk_role,
};

/* --- What a list says, worked out independently of libseccomp --------------------------------- */

typedef bool (*rule_fn)(const struct sandbox_rule *r, void *arg);

static bool any_rule(const struct sandbox_role *role, rule_fn fn, void *arg)
{
	for (size_t i = 0; i < role->nrules; i++)
		if (fn(&role->rules[i], arg))
			return true;
	return role->device && any_rule(&sandbox_device_role, fn, arg);
}

struct call {
	long nr;
	u64 arg[6];
};

static bool matches(const struct sandbox_rule *r, void *arg)
{
	const struct call *c = arg;

	if (r->nr != c->nr)
		return false;
	for (unsigned i = 0; i < r->nargs; i++)
		if ((c->arg[r->arg[i].arg] & r->arg[i].datum_a) != r->arg[i].datum_b)
			return false;
	return true;
}

static bool names(const struct sandbox_rule *r, void *arg)
{
	return r->nr == *(long *)arg;
}

static bool allows(const struct sandbox_role *role, struct call c)
{
	return any_rule(role, matches, &c);
}

/* --- Trying it ------------------------------------------------------------------------------- */

static void enter_or_die(const struct sandbox_role *role, enum sandbox_mode mode)
{
	const char *err;

	if (sandbox_confine(role, "tester", mode, &err))
		abort();
}

/* The role's filter, compiled once: it is entered in thousands of children. */
static struct sandbox *compiled(const struct sandbox_role *role)
{
	static const struct sandbox_role *last;
	static struct sandbox *sb;
	const char *err;

	if (role != last) {
		sandbox_free(sb);
		last = role;
		assert_int_equal(sandbox_prepare(role, "tester", SANDBOX_ON, &sb, &err), 0);
	}
	return sb;
}

/* Makes the call in a child under `role`; its wait status. */
static int try_call(const struct sandbox_role *role, struct call c)
{
	struct sandbox *sb = compiled(role);
	int status, null = open("/dev/null", O_WRONLY);
	pid_t pid = fork();

	if (!pid) {
		dup2(null, STDERR_FILENO);
		alarm(5); /* a call that waits has been let through */
		if (sandbox_enter(sb))
			abort();
		syscall(c.nr, c.arg[0], c.arg[1], c.arg[2], c.arg[3], c.arg[4], c.arg[5]);
		syscall(any_rule(role, names, &(long){SYS_exit}) ? SYS_exit : SYS_exit_group, 0);
	}
	close(null);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static bool killed(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

/* Arguments the rule accepts; all others are such that no call can do harm or wait. */
static struct call call_of(const struct sandbox_rule *r)
{
	struct call c = {r->nr, {~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull}};

	for (unsigned i = 0; i < r->nargs; i++) {
		u64 *a = &c.arg[r->arg[i].arg];

		*a = (*a & ~r->arg[i].datum_a) | r->arg[i].datum_b;
	}
	return c;
}

static bool check_rule(const struct sandbox_rule *r, void *arg)
{
	const struct sandbox_role *role = arg;
	struct call c = call_of(r);

	if (killed(try_call(role, c)))
		fail_msg("%s: %s is in the list but kills", role->name,
			 sandbox_syscall_name(r->nr));
	for (unsigned i = 0; i < r->nargs; i++) {
		for (u64 mask = r->arg[i].datum_a; mask; mask &= mask - 1) {
			struct call bent = c;

			bent.arg[r->arg[i].arg] ^= mask & -mask;
			if (!allows(role, bent) && !killed(try_call(role, bent)))
				fail_msg("%s: %s passes with argument %u = %#llx", role->name,
					 sandbox_syscall_name(r->nr), r->arg[i].arg,
					 (unsigned long long)bent.arg[r->arg[i].arg]);
		}
	}
	return false;
}

static void test_allowed(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		any_rule(roles[i], check_rule, (void *)roles[i]);
}

static void test_forbidden(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
		for (long nr = 0; nr < LAST_NR; nr++) {
			struct call c = {nr, {~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull}};

			if (UNFILTERABLE(nr) || any_rule(roles[i], names, &nr))
				continue;
			if (!killed(try_call(roles[i], c)))
				fail_msg("%s: %s (%ld) is in no list but passes", roles[i]->name,
					 sandbox_syscall_name((int)nr), nr);
		}
	}
}

/* What no thread may ever have, whatever its list grows to. */
static void test_never(void **state)
{
	static const long never[] = {
		SYS_execve,	 SYS_execveat,		SYS_ptrace, SYS_clone3, SYS_fork,
		SYS_vfork,	 SYS_process_vm_writev, SYS_bpf,    SYS_mount,	SYS_chmod,
		SYS_rename,	 SYS_io_uring_setup,	SYS_kill,   SYS_setuid, SYS_rt_sigaction,
		SYS_memfd_create};

	for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
		struct call rwx = {
			SYS_mmap,
			{0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, ~0ull, 0}};

		for (size_t k = 0; k < ARRAY_SIZE(never); k++) {
			long nr = never[k];

			if (any_rule(roles[i], names, &nr))
				fail_msg("%s allows %s", roles[i]->name,
					 sandbox_syscall_name((int)nr));
		}
		assert_true(killed(try_call(roles[i], rwx)));
		rwx.nr = SYS_mprotect;
		assert_true(killed(try_call(roles[i], rwx)));
		rwx.nr = SYS_pkey_mprotect;
		assert_true(killed(try_call(roles[i], rwx)));
	}
}

/* The device threads allocate, open and connect nothing after their start. */
static void test_devices_are_tighter(void **state)
{
	static const long never[] = {SYS_mmap,	 SYS_mprotect,	  SYS_brk,   SYS_openat, SYS_open,
				     SYS_socket, SYS_connect,	  SYS_clone, SYS_munmap, SYS_unlink,
				     SYS_tgkill, SYS_sigaltstack, SYS_prctl};
	long nr;

	for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
		if (!roles[i]->device)
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(never); k++) {
			nr = never[k];
			if (any_rule(roles[i], names, &nr))
				fail_msg("%s allows %s", roles[i]->name,
					 sandbox_syscall_name((int)nr));
		}
	}
}

/* --- Messages --------------------------------------------------------------------------------- */

struct outcome {
	int status;
	char text[8192];
};

static void run_child(void (*body)(void), struct outcome *o)
{
	int fds[2];
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDERR_FILENO);
		alarm(10);
		body();
		_exit(0);
	}
	close(fds[1]);
	while (n < sizeof(o->text) - 1 &&
	       (got = read(fds[0], o->text + n, sizeof(o->text) - 1 - n)) > 0)
		n += (size_t)got;
	o->text[n] = 0;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &o->status, 0), pid);
}

static void violate(void)
{
	enter_or_die(&virtio_blk_role, SANDBOX_ON);
	syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}

static void test_message(void **state)
{
	struct outcome o;

	run_child(violate, &o);
	assert_true(killed(o.status));
	assert_non_null(strstr(o.text, "thread tester (role blk)"));
	assert_non_null(strstr(o.text, "openat (257)"));
	assert_ptr_equal(strchr(o.text, '\n'), o.text + strlen(o.text) - 1); /* one line */
}

static const struct sandbox_role mute_role = {.name = "mute"}; /* not even write() */

static void violate_mute(void)
{
	enter_or_die(&mute_role, SANDBOX_ON);
	syscall(SYS_getpid);
}

static void test_message_impossible(void **state)
{
	struct outcome o;

	run_child(violate_mute, &o);
	assert_true(killed(o.status));
}

static void *violating_thread(void *arg)
{
	violate();
	return NULL;
}

static void violate_in_thread(void)
{
	pthread_t t;
	sigset_t all;

	/* As device threads start, and the main thread is elsewhere. */
	sigfillset(&all);
	sigdelset(&all, SIGSYS);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	if (pthread_create(&t, NULL, violating_thread, NULL))
		abort();
	pthread_join(t, NULL);
}

static void test_kills_the_process(void **state)
{
	struct outcome o;

	run_child(violate_in_thread, &o);
	assert_true(killed(o.status));
	assert_non_null(strstr(o.text, "openat"));
}

/* A blocked SIGSYS is no way out. */
static void violate_blocked(void)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	violate();
}

static void test_blocked_signal(void **state)
{
	struct outcome o;

	run_child(violate_blocked, &o);
	assert_true(killed(o.status));
}

/* 32-bit calls have other numbers: the list does not speak of them, so they must kill. */
static void call_i386(void)
{
	enter_or_die(&virtio_blk_role, SANDBOX_ON);
	__asm__ volatile("int $0x80" : : "a"(20 /* getpid */) : "memory");
}

static void call_x32(void)
{
	enter_or_die(&virtio_blk_role, SANDBOX_ON);
	syscall(0x40000000 | SYS_write, 1, "", 0);
}

static void test_other_abis(void **state)
{
	struct outcome o;

	run_child(call_i386, &o);
	assert_true(killed(o.status));
	run_child(call_x32, &o);
	assert_true(killed(o.status));
}

/* --- Mode "log" and mode "off" ---------------------------------------------------------------- */

static void log_some(void)
{
	pid_t parent = getppid();

	enter_or_die(&virtio_blk_role, SANDBOX_LOG);
	if (syscall(SYS_getppid) != parent)
		syscall(SYS_exit_group, 3);
	/* One that no signal handler could carry out for us. */
	pid_t pid = fork();
	if (!pid)
		_exit(7);
	int status;
	if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 7)
		syscall(SYS_exit_group, 4);
	syscall(SYS_exit_group, 0);
}

static void test_log(void **state)
{
	struct outcome o;

	run_child(log_some, &o);
	assert_true(WIFEXITED(o.status));
	assert_int_equal(WEXITSTATUS(o.status), 0);
	assert_non_null(strstr(o.text, "thread tester"));
	assert_non_null(strstr(o.text, "getppid (110)"));
}

static void log_many(void)
{
	enter_or_die(&virtio_blk_role, SANDBOX_LOG);
	for (int i = 0; i < 1000; i++)
		syscall(SYS_getppid);
	syscall(SYS_exit_group, 0);
}

static void test_log_is_limited(void **state)
{
	struct outcome o;
	unsigned lines = 0;

	run_child(log_many, &o);
	assert_int_equal(WEXITSTATUS(o.status), 0);
	for (const char *p = o.text; (p = strchr(p, '\n')); p++)
		lines++;
	assert_in_range(lines, 1, 60); /* ten a second */
}

static void off(void)
{
	enter_or_die(&virtio_blk_role, SANDBOX_OFF);
	syscall(SYS_getppid);
}

static void test_off(void **state)
{
	struct outcome o;

	run_child(off, &o);
	assert_true(WIFEXITED(o.status) && WEXITSTATUS(o.status) == 0);
}

static void test_mode_words(void **state)
{
	enum sandbox_mode mode;

	assert_int_equal(sandbox_mode_parse("on", &mode), 0);
	assert_int_equal(mode, SANDBOX_ON);
	assert_int_equal(sandbox_mode_parse("log", &mode), 0);
	assert_int_equal(mode, SANDBOX_LOG);
	assert_int_equal(sandbox_mode_parse("off", &mode), 0);
	assert_int_equal(mode, SANDBOX_OFF);
	assert_int_equal(sandbox_mode_parse("", &mode), -EINVAL);
	assert_int_equal(sandbox_mode_parse("On", &mode), -EINVAL);
}

static void test_names(void **state)
{
	assert_string_equal(sandbox_syscall_name(SYS_read), "read");
	assert_string_equal(sandbox_syscall_name(SYS_openat), "openat");
	assert_string_equal(sandbox_syscall_name(-1), "?");
	assert_string_equal(sandbox_syscall_name(100000), "?");
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static void test_skipped(void **state)
{
	skip(); /* the sanitizers make system calls of their own */
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_skipped)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_forbidden),
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_devices_are_tighter),
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_message_impossible),
		cmocka_unit_test(test_kills_the_process),
		cmocka_unit_test(test_blocked_signal),
		cmocka_unit_test(test_other_abis),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_log_is_limited),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_mode_words),
		cmocka_unit_test(test_names),
	};

	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* thousands of children die here */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
