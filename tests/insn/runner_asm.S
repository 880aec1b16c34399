/* SPDX-License-Identifier: MIT */
/* Entry, system calls and the switch into and out of a case. Offsets: struct regs in case.h. */

	.text
	.global _start
_start:
	mov	x29, xzr
	mov	x0, sp
	and	sp, x0, #-16
	bl	runner_main
	mov	x8, #94			/* exit_group */
	svc	#0

/* long sys(long n, a, b, c, d, e, f) */
	.global sys
sys:
	mov	x8, x0
	mov	x0, x1
	mov	x1, x2
	mov	x2, x3
	mov	x3, x4
	mov	x4, x5
	mov	x5, x6
	svc	#0
	ret

	.global sig_restorer
sig_restorer:
	mov	x8, #139		/* rt_sigreturn */
	svc	#0

/* void case_enter(const struct regs *in, uint64_t slot); returns by case_leave or case_resume. */
	.global case_enter
case_enter:
	adrp	x2, saved
	add	x2, x2, :lo12:saved
	stp	x19, x20, [x2]
	stp	x21, x22, [x2, #16]
	stp	x23, x24, [x2, #32]
	stp	x25, x26, [x2, #48]
	stp	x27, x28, [x2, #64]
	stp	x29, x30, [x2, #80]
	mov	x3, sp
	str	x3, [x2, #96]
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	ldr	q\n, [x0, #(256 + 16 * \n)]
	.endr
	ldr	x2, [x0, #768]
	msr	nzcv, x2
	ldr	x2, [x0, #776]
	msr	fpcr, x2
	ldr	x2, [x0, #784]
	msr	fpsr, x2
	ldr	x2, [x0, #248]
	mov	sp, x2
	mov	x30, x1
	.irp	n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29
	ldr	x\n, [x0, #(8 * \n)]
	.endr
	ldp	x0, x1, [x0]
	clrex
	br	x30

/* A case that ran to its end comes here with its x30 in TPIDR_EL0. */
	.global case_leave
case_leave:
	adrp	x30, case_out
	add	x30, x30, :lo12:case_out
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29
	str	x\n, [x30, #(8 * \n)]
	.endr
	mrs	x0, tpidr_el0
	str	x0, [x30, #240]
	mov	x0, sp
	str	x0, [x30, #248]
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	str	q\n, [x30, #(256 + 16 * \n)]
	.endr
	mrs	x0, nzcv
	str	x0, [x30, #768]
	mrs	x0, fpcr
	str	x0, [x30, #776]
	mrs	x0, fpsr
	str	x0, [x30, #784]
	str	xzr, [x30, #792]
	str	xzr, [x30, #800]
	str	xzr, [x30, #808]
/* A signal handler that has filled case_out itself continues here. */
	.global case_resume
case_resume:
	msr	fpcr, xzr
	adrp	x2, saved
	add	x2, x2, :lo12:saved
	ldp	x19, x20, [x2]
	ldp	x21, x22, [x2, #16]
	ldp	x23, x24, [x2, #32]
	ldp	x25, x26, [x2, #48]
	ldp	x27, x28, [x2, #64]
	ldp	x29, x30, [x2, #80]
	ldr	x3, [x2, #96]
	mov	sp, x3
	ret

	.bss
	.balign	16
saved:
	.skip	112

	.section .note.GNU-stack, "", %progbits
