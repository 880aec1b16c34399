/* SPDX-License-Identifier: MIT */
/* Entry of the first CPU and of those PSCI starts, exception vectors, EL0 and back. */
#include "tests/guest/guest.h"

	.section .text.start, "ax"
	.global _start
_start:
	mov	x19, x0
	adrp	x1, __bss_start
	adrp	x2, __bss_end
1:	stp	xzr, xzr, [x1], #16
	cmp	x1, x2
	b.lo	1b
	adrp	x1, device_tree
	str	x19, [x1, :lo12:device_tree]
	mov	x0, #0
	bl	set_stack
	bl	mmu_build
	bl	mmu_enable
	bl	main
	bl	system_off

/* PSCI enters here: x0 = index of this CPU. */
	.global secondary_start
secondary_start:
	bl	set_stack
	bl	mmu_enable
	bl	secondary_main
	b	.

/* x0 = index, kept in tpidr_el1 */
set_stack:
	msr	tpidr_el1, x0
	adrp	x1, stacks
	add	x1, x1, :lo12:stacks
	add	x2, x0, #1
	mov	x3, #STACK_SIZE
	madd	x1, x2, x3, x1
	msr	spsel, #1
	mov	sp, x1
	adrp	x1, vectors
	add	x1, x1, :lo12:vectors
	msr	vbar_el1, x1
	mov	x1, #(3 << 20)
	msr	cpacr_el1, x1
	isb
	ret

mmu_enable:
	adrp	x0, ttbr0_table
	add	x0, x0, :lo12:ttbr0_table
	msr	ttbr0_el1, x0
	adrp	x0, ttbr1_table
	add	x0, x0, :lo12:ttbr1_table
	msr	ttbr1_el1, x0
	ldr	x0, =0xff00		/* attribute 0 Device-nGnRnE, 1 Normal write-back */
	msr	mair_el1, x0
	/* 4 KiB granules, 39-bit halves, inner shareable write-back, 16-bit ASIDs, 44-bit PA */
	ldr	x0, =(25 | 1 << 8 | 1 << 10 | 3 << 12 | 25 << 16 | 1 << 24 | 1 << 26 | 3 << 28 | 2 << 30 | 4 << 32 | 1 << 36)
	msr	tcr_el1, x0
	tlbi	vmalle1
	dsb	sy
	isb
	mrs	x0, sctlr_el1
	orr	x0, x0, #1
	orr	x0, x0, #(1 << 2)
	orr	x0, x0, #(1 << 12)
	orr	x0, x0, #(1 << 26)	/* UCI: cache maintenance at EL0 */
	msr	sctlr_el1, x0
	isb
	ret

/* u64 el0_call(fn, arg, sp): runs fn(arg) at EL0 until it makes an SVC; its x0. Preserves what a function must. */
	.global el0_call
el0_call:
	stp	x29, x30, [sp, #-112]!
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	msr	elr_el1, x0
	msr	sp_el0, x2
	mrs	x3, daif
	str	x3, [sp, #96]
	msr	daifset, #3
	mov	x3, #0			/* EL0t, interrupts open */
	msr	spsr_el1, x3
	mov	x0, x1
	eret
el0_back:
	ldr	x3, [sp, #96]
	msr	daif, x3
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	x29, x30, [sp], #112
	ret

	.macro	save
	sub	sp, sp, #192
	stp	x0, x1, [sp, #0]
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x29, [sp, #144]
	mrs	x0, elr_el1
	stp	x30, x0, [sp, #160]
	mrs	x0, spsr_el1
	str	x0, [sp, #176]
	.endm
	.macro	restore
	ldr	x0, [sp, #176]
	msr	spsr_el1, x0
	ldp	x30, x0, [sp, #160]
	msr	elr_el1, x0
	ldp	x0, x1, [sp, #0]
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x29, [sp, #144]
	add	sp, sp, #192
	.endm

	.macro	vector handler
	.balign	128
	b	\handler
	.endm

	.text
	.balign	2048
vectors:
	vector	sync_el1	/* SPSel = 0: only what tests SP_EL0's alignment */
	vector	bad
	vector	bad
	vector	bad
	vector	sync_el1
	vector	irq
	vector	bad
	vector	bad
	vector	sync_el0
	vector	irq
	vector	bad
	vector	bad
	vector	bad
	vector	bad
	vector	bad
	vector	bad

/* on_sync returns true to go on at elr (which it may have changed), else it is the end. */
sync_el1:
	save
	mov	x0, sp
	bl	on_sync
	cbz	x0, bad
	str	x0, [sp, #168]
	restore
	eret

sync_el0:
	str	x0, [sp, #-16]!
	mrs	x0, esr_el1
	lsr	x0, x0, #26
	cmp	x0, #0x15
	ldr	x0, [sp], #16
	b.eq	el0_back
	b	sync_el1

irq:
	save
	mov	x0, sp
	bl	on_irq
	restore
	eret

bad:
	bl	on_bad
	b	.
