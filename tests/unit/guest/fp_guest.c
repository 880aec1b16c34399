// SPDX-License-Identifier: MIT
/*
 * AArch64 program, run by qemu-aarch64: reads struct fp_record from stdin, executes its instruction
 * on its registers, writes the record back. test_fp_exec.c builds and starts it.
 */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "../fp_record.h"

_Static_assert(offsetof(struct fp_record, x) == 32 && offsetof(struct fp_record, v) == 160,
	       "run_insn's offsets");

/* x28 keeps the record, only x0-x15 and v0-v31 belong to the instruction. */
void run_insn(struct fp_record *r, void *code);
__asm__(".text\n.global run_insn\nrun_insn:\n"
	"stp x29, x30, [sp, #-96]!\n"
	"stp x27, x28, [sp, #16]\n"
	"stp d8, d9, [sp, #32]\n stp d10, d11, [sp, #48]\n"
	"stp d12, d13, [sp, #64]\n stp d14, d15, [sp, #80]\n"
	"mov x28, x0\n mov x27, x1\n"
	"ldr w16, [x28, #4]\n msr fpcr, x16\n"
	"ldr w16, [x28, #8]\n msr fpsr, x16\n"
	"ldr w16, [x28, #12]\n msr nzcv, x16\n"
	"add x16, x28, #160\n"
	".irp n,0,2,4,6,8,10,12,14,16,18,20,22,24,26,28,30\n ldr q\\n, [x16, #\\n*16]\n .endr\n"
	".irp n,1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31\n ldr q\\n, [x16, #\\n*16]\n .endr\n"
	".irp n,0,2,4,6,8,10,12,14\n ldr x\\n, [x28, #32+\\n*8]\n .endr\n"
	".irp n,1,3,5,7,9,11,13,15\n ldr x\\n, [x28, #32+\\n*8]\n .endr\n"
	"blr x27\n"
	".irp n,0,2,4,6,8,10,12,14\n str x\\n, [x28, #32+\\n*8]\n .endr\n"
	".irp n,1,3,5,7,9,11,13,15\n str x\\n, [x28, #32+\\n*8]\n .endr\n"
	"mrs x16, nzcv\n str w16, [x28, #12]\n"
	"mrs x16, fpsr\n str w16, [x28, #8]\n"
	"add x16, x28, #160\n"
	".irp n,0,2,4,6,8,10,12,14,16,18,20,22,24,26,28,30\n str q\\n, [x16, #\\n*16]\n .endr\n"
	".irp n,1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31\n str q\\n, [x16, #\\n*16]\n .endr\n"
	"msr fpcr, xzr\n"
	"ldp x27, x28, [sp, #16]\n"
	"ldp d8, d9, [sp, #32]\n ldp d10, d11, [sp, #48]\n"
	"ldp d12, d13, [sp, #64]\n ldp d14, d15, [sp, #80]\n"
	"ldp x29, x30, [sp], #96\n"
	"ret\n");

static volatile int sigill;

static void on_sigill(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	sigill = 1;
	((ucontext_t *)uc)->uc_mcontext.pc += 4;
}

int main(void)
{
	struct sigaction sa = {.sa_sigaction = on_sigill, .sa_flags = SA_SIGINFO};
	uint32_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static struct fp_record r[64];

	sigaction(SIGILL, &sa, NULL);
	while (fread(r, sizeof(r), 1, stdin) == 1) {
		for (unsigned i = 0; i < 64; i++) {
			code[2 * i] = r[i].raw;
			code[2 * i + 1] = 0xd65f03c0; /* ret */
		}
		__builtin___clear_cache((char *)code, (char *)(code + 128));
		for (unsigned i = 0; i < 64; i++) {
			sigill = 0;
			run_insn(&r[i], code + 2 * i);
			r[i].sigill = (uint32_t)sigill;
		}
		fwrite(r, sizeof(r), 1, stdout);
		fflush(stdout);
	}
	return 0;
}
