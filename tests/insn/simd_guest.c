// SPDX-License-Identifier: MIT
/*
 * AArch64 program (run by qemu-aarch64 or a real machine): reads struct simd_record from stdin,
 * executes its instruction on its registers, writes the record back. Independent oracle for the
 * AdvSIMD tests:
 *	aarch64-linux-gnu-gcc -O2 -static -o simd_guest tests/insn/simd_guest.c
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "../unit/simd_record.h"

/* run(record, code): x28 keeps the record, only x0-x15 and v0-v31 belong to the instruction. */
void run_insn(struct simd_record *r, void *code);
__asm__(".text\n.global run_insn\nrun_insn:\n"
	"stp x29, x30, [sp, #-96]!\n"
	"stp x27, x28, [sp, #16]\n"
	"stp d8, d9, [sp, #32]\nstp d10, d11, [sp, #48]\nstp d12, d13, [sp, #64]\nstp d14, d15, "
	"[sp, #80]\n"
	"mov x28, x0\nmov x27, x1\n"
	"ldr w16, [x28, #4]\nmsr fpsr, x16\n"
	"add x16, x28, #144\n"
	".irp n,0,2,4,6,8,10,12,14,16,18,20,22,24,26,28,30\n"
	"ldr q\\n, [x16, #\\n*16]\n"
	".endr\n"
	".irp n,1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31\n"
	"ldr q\\n, [x16, #\\n*16]\n"
	".endr\n"
	"ldp x0, x1, [x28, #16]\nldp x2, x3, [x28, #32]\nldp x4, x5, [x28, #48]\nldp x6, x7, [x28, "
	"#64]\n"
	"ldp x8, x9, [x28, #80]\nldp x10, x11, [x28, #96]\nldp x12, x13, [x28, #112]\n"
	"ldp x14, x15, [x28, #128]\n"
	"blr x27\n"
	"stp x0, x1, [x28, #16]\nstp x2, x3, [x28, #32]\nstp x4, x5, [x28, #48]\nstp x6, x7, [x28, "
	"#64]\n"
	"stp x8, x9, [x28, #80]\nstp x10, x11, [x28, #96]\nstp x12, x13, [x28, #112]\n"
	"stp x14, x15, [x28, #128]\n"
	"mrs x16, fpsr\nstr w16, [x28, #4]\n"
	"add x16, x28, #144\n"
	".irp "
	"n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"str q\\n, [x16, #\\n*16]\n"
	".endr\n"
	"ldp x27, x28, [sp, #16]\n"
	"ldp d8, d9, [sp, #32]\nldp d10, d11, [sp, #48]\nldp d12, d13, [sp, #64]\nldp d14, d15, "
	"[sp, #80]\n"
	"ldp x29, x30, [sp], #96\n"
	"ret\n");

_Static_assert(offsetof(struct simd_record, x) == 16 && offsetof(struct simd_record, v) == 144,
	       "run_insn's offsets");

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
	struct simd_record r;

	sigaction(SIGILL, &sa, NULL);
	while (fread(&r, sizeof(r), 1, stdin) == 1) {
		uint64_t base = (uint64_t)(r.mem + REC_MEM / 2);

		code[0] = r.raw;
		code[1] = 0xd65f03c0; /* ret */
		__builtin___clear_cache((char *)code, (char *)(code + 2));
		if (r.base_reg >= 0)
			r.x[r.base_reg] += base;
		sigill = 0;
		run_insn(&r, code);
		if (r.base_reg >= 0)
			r.x[r.base_reg] -= base;
		r.sigill = (uint32_t)sigill;
		fwrite(&r, sizeof(r), 1, stdout);
	}
	return 0;
}
