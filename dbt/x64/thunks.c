/* SPDX-License-Identifier: MIT */
/*
 * The crossings between translated code and C, emitted once into the head of the code cache.
 *
 * Translated code runs on a small per-vCPU return stack (rsp), C on the thread's own stack; every
 * crossing switches. The return stack holds only predictions: {host return address, guest return
 * address} pairs, so C may reset it at any time, and must whenever translations or mappings change.
 */
#include "dbt/vm.h"
#include "dbt/x64/place_internal.h"
#include "dbt/x64/vops.h"

#define EXCL_YIELD_TURNS 64 /* of waiting for a bucket; a power of two */

/* The ten hottest registers of compiled code: x0-x5, x19-x21, SP. */
const s8 regmap_host[32] = {
	/* x0 */ RBX, RSI, RDI, R8,  R9,  R12, -1, -1,
	-1,	      -1,  -1,	-1,  -1,  -1,  -1, -1,
	/* x16 */ -1, -1,  -1,	R14, R10, R11, -1, -1,
	-1,	      -1,  -1,	-1,  -1,  -1,  -1, R13 /* SP */,
};

/*
 * xmm0-xmm7 are placement's scratch. v8-v15, which calls preserve, are the least used and stay in
 * memory, as do v16-v31 where there are only sixteen registers.
 */
static void vmap_init(struct dbt_vm *vm)
{
	memset(vm->vmap, -1, sizeof(vm->vmap));
	for (int r = 0; r < 8; r++)
		vm->vmap[r] = (s8)(r + 8);
	for (int r = 16; r < 32 && host_has(HOST_AVX512); r++)
		vm->vmap[r] = (s8)r;
}

/* Vector registers to or from memory (vmovaps) if the code that is left or entered pins them. */
static void emit_move_vectors(struct dbt_vm *vm, struct xasm *a, unsigned opcode)
{
	u8 *skip;

	x_alu_i(a, 1, XCMP, xm(RBP, CPU_OFF(v_pinned)), 0);
	skip = x_jcc_fwd(a, XCC_E);
	for (int r = 0; r < 32; r++) {
		int h = vm->vmap[r];

		if (h > 15)
			x_evex(a, 0, 1, 0, 0, opcode, h, 0, xm(RBP, V_OFF(r)), 0, 16);
		else if (h >= 0)
			x_vex(a, 0, 1, 0, 0, opcode, h, 0, xm(RBP, V_OFF(r)), 0);
	}
	x_patch(a, skip);
}

static void emit_save_pinned(struct dbt_vm *vm, struct xasm *a)
{
	for (int r = 0; r < 32; r++)
		if (regmap_host[r] >= 0)
			x_mov_mr(a, 8, xm(RBP, X_OFF(r)), regmap_host[r]);
	emit_move_vectors(vm, a, 0x29);
}

static void emit_load_pinned(struct dbt_vm *vm, struct xasm *a)
{
	for (int r = 0; r < 32; r++)
		if (regmap_host[r] >= 0)
			x_mov_rm(a, 8, regmap_host[r], xm(RBP, X_OFF(r)));
	x_mov_rm(a, 8, REG_LDTAB, xm(RBP, CPU_OFF(ld_reg)));
	emit_move_vectors(vm, a, 0x28);
}

/* rax = host address to go on at. */
static void emit_resume(struct dbt_vm *vm, struct xasm *a)
{
	emit_load_pinned(vm, a);
	x_mov_rm(a, 8, RSP, xm(RBP, CPU_OFF(ret_sp)));
	x_jmp_r(a, RAX);
}

static void emit_call_c(struct xasm *a, const void *fn)
{
	x_lea(a, 8, RDI, xm(RBP, -CPU_BIAS));
	x_mov_imm(a, RAX, (u64)fn);
	x_call_r(a, RAX);
}

static void emit_to_c_stack(struct xasm *a)
{
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(ret_sp)), RSP);
	x_mov_rm(a, 8, RSP, xm(RBP, CPU_OFF(c_sp)));
}

static void emit_enter(struct dbt_vm *vm, struct xasm *a)
{
	static const int saved[] = {RBP, RBX, R12, R13, R14, R15};

	vm->enter = (void (*)(struct dbt_vcpu *, u64))xasm_pc(a);
	for (unsigned i = 0; i < ARRAY_SIZE(saved); i++)
		x_push(a, saved[i]);
	x_alu_i(a, 8, XSUB, xr(RSP), 8);
	x_lea(a, 8, RBP, xm(RDI, CPU_BIAS));
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(c_sp)), RSP);
	x_op(a, 4, 0x0fae, 3, xm(RBP, CPU_OFF(host_mxcsr)), 0);	 /* stmxcsr */
	x_op(a, 4, 0x0fae, 2, xm(RBP, CPU_OFF(guest_mxcsr)), 0); /* ldmxcsr */
	x_mov_mi(a, 1, xm(RBP, CPU_OFF(in_code)), 1);
	x_mov_rr(a, 8, RAX, RSI);
	emit_resume(vm, a);

	vm->t_leave = (u32)xasm_pc(a);
	x_mov_rm(a, 8, RSP, xm(RBP, CPU_OFF(c_sp)));
	x_mov_mi(a, 1, xm(RBP, CPU_OFF(in_code)), 0);
	x_op(a, 4, 0x0fae, 3, xm(RBP, CPU_OFF(guest_mxcsr)), 0);
	x_op(a, 4, 0x0fae, 2, xm(RBP, CPU_OFF(host_mxcsr)), 0);
	x_alu_i(a, 8, XADD, xr(RSP), 8);
	for (unsigned i = ARRAY_SIZE(saved); i-- > 0;)
		x_pop(a, saved[i]);
	x8(a, 0xc3);
}

/* t_helper: eax = offset of the instruction in its page, ecx = raw, rdx = fn; called. */
static void emit_helper(struct dbt_vm *vm, struct xasm *a)
{
	u8 *jump;

	vm->t_helper = (u32)xasm_pc(a);
	x_alu_rm(a, 8, XADD, RAX, xm(RBP, CPU_OFF(page_va)));
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(pc)), RAX);
	emit_save_pinned(vm, a);
	x_lea(a, 8, RBX, xm(RSP, 8));
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(ret_sp)), RBX); /* as if returned, for HELPER_JUMP */
	x_mov_rm(a, 8, RSP, xm(RBP, CPU_OFF(c_sp)));
	x_lea(a, 8, RDI, xm(RBP, -CPU_BIAS));
	x_mov_rr(a, 4, RSI, RCX);
	x_call_r(a, RDX);
	x_test_rr(a, 4, xr(RAX), RAX);
	jump = x_jcc_fwd(a, 5);
	x_lea(a, 8, RSP, xm(RBX, -8));
	emit_load_pinned(vm, a);
	x8(a, 0xc3);
	x_patch(a, jump);
	emit_call_c(a, (const void *)dbt_dispatch);
	emit_resume(vm, a);
}

/* C may use the registers of vector temporaries. opcode: 0x29 saves, 0x28 restores (vmovaps). */
static void emit_move_vtemps(struct xasm *a, unsigned opcode)
{
	for (int r = 0; r < N_VSCRATCH; r++)
		x_vex(a, 0, 1, 0, 0, opcode, r + VSCRATCH_FIRST, 0,
		      xm(RBP, CPU_OFF(vsave) + 16 * r), 0);
}

/* t_miss: called by a failed check; rax, rcx, rdx and everything else survive a successful fill. */
static void emit_miss(struct dbt_vm *vm, struct xasm *a)
{
	u8 *fail;

	vm->t_miss = (u32)xasm_pc(a);
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(scratch[SCR_RAX])), RAX);
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(scratch[SCR_RCX])), RCX);
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(scratch[SCR_RDX])), RDX);
	emit_move_vtemps(a, 0x29);
	emit_save_pinned(vm, a);
	x_lea(a, 8, RBX, xm(RSP, 8));
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(ret_sp)), RBX);
	x_mov_rm(a, 8, RSP, xm(RBP, CPU_OFF(c_sp)));
	emit_call_c(a, (const void *)dbt_do_miss);
	x_test_rr(a, 8, xr(RAX), RAX);
	fail = x_jcc_fwd(a, 5);
	x_lea(a, 8, RSP, xm(RBX, -8));
	emit_load_pinned(vm, a);
	emit_move_vtemps(a, 0x28);
	x_mov_rm(a, 8, RAX, xm(RBP, CPU_OFF(scratch[SCR_RAX])));
	x_mov_rm(a, 8, RCX, xm(RBP, CPU_OFF(scratch[SCR_RCX])));
	x_mov_rm(a, 8, RDX, xm(RBP, CPU_OFF(scratch[SCR_RDX])));
	x8(a, 0xc3);
	x_patch(a, fail);
	emit_resume(vm, a);

	vm->t_gp = (u32)xasm_pc(a); /* entered by the signal handler */
	emit_save_pinned(vm, a);
	emit_to_c_stack(a);
	emit_call_c(a, (const void *)dbt_do_gp);
	emit_resume(vm, a);
}

/*
 * t_sp_miss: called with rdx = address of an access off SP in another page than the last one's, its
 * description in cpu->scratch; rax and rcx survive. Returns where it was called from, with the
 * window there for loads and stores or after a miss, to try again; or five bytes further, with rdx
 * = addend, where the page is there for this kind of access only.
 */
static void emit_sp_miss(struct dbt_vm *vm, struct xasm *a)
{
	u8 *crosses, *no_load, *is_store, *load_only;

	vm->t_sp_miss = (u32)xasm_pc(a);
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(scratch[SCR_MISS_VA])), RDX);
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(scratch[SCR_RAX])), RAX);
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(scratch[SCR_RCX])), RCX);
	x_mov_rm(a, 4, RCX, xm(RBP, CPU_OFF(scratch[SCR_MISS_DESC])));
	x_shift_i(a, 4, 5, xr(RCX), 10);
	x_movx(a, 4, 1, false, RCX, xr(RCX)); /* DESC_LEN - 1 */
	x_mov_rr(a, 4, RAX, RDX);
	x_alu_i(a, 4, XAND, xr(RAX), PAGE_SIZE - 1);
	x_alu_rm(a, 4, XADD, RAX, xr(RCX));
	x_alu_i(a, 4, XCMP, xr(RAX), PAGE_SIZE);
	crosses = x_jcc_fwd(a, XCC_AE);
	x_bextr(a, 8, RAX, xr(RDX), REG_LDTAB);
	x_mov_rm(a, 8, RCX, xmi(REG_LDTAB, RAX, 3, -VIEW_BEXTR_DISP));
	x_test_rr(a, 8, xr(RCX), RCX);
	no_load = x_jcc_fwd(a, XCC_E);
	x_alu_rm(a, 8, XADD, RAX, xm(RBP, CPU_OFF(st_index)));
	x_alu_rm(a, 8, XCMP, RCX, xmi(REG_LDTAB, RAX, 3, -VIEW_BEXTR_DISP));
	load_only = x_jcc_fwd(a, XCC_NE);
	x_alu_i(a, 8, XAND, xr(RDX), -(s32)PAGE_SIZE);
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(sp_page)), RDX);
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(sp_addend)), RCX);
	x_mov_rm(a, 8, RAX, xm(RBP, CPU_OFF(scratch[SCR_RAX])));
	x_mov_rm(a, 8, RCX, xm(RBP, CPU_OFF(scratch[SCR_RCX])));
	x8(a, 0xc3);

	x_patch(a, load_only);
	x_test_i(a, 4, xm(RBP, CPU_OFF(scratch[SCR_MISS_DESC])), (s32)DESC_STORE);
	is_store = x_jcc_fwd(a, XCC_NE);
	x_mov_rr(a, 8, RDX, RCX);
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(sp_addend)), RDX); /* the block may ask for it again */
	x_mov_imm(a, RAX, SP_PAGE_NONE);
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(sp_page)), RAX);
	x_mov_rm(a, 8, RAX, xm(RBP, CPU_OFF(scratch[SCR_RAX])));
	x_mov_rm(a, 8, RCX, xm(RBP, CPU_OFF(scratch[SCR_RCX])));
	x_alu_i(a, 8, XADD, xm(RSP, 0), 5);
	x8(a, 0xc3);

	x_patch(a, crosses);
	x_patch(a, no_load);
	x_patch(a, is_store);
	x_mov_rm(a, 8, RAX, xm(RBP, CPU_OFF(scratch[SCR_RAX])));
	x_mov_rm(a, 8, RCX, xm(RBP, CPU_OFF(scratch[SCR_RCX])));
	x_jmp(a, vm->t_miss);
}

/*
 * t_excl_take: called with r15 = a bucket; returns with its version odd, only EFLAGS changed.
 * Whoever has it may be without a host core, therefore ours is given away now and then.
 */
static void emit_excl_take(struct dbt_vm *vm, struct xasm *a)
{
	u8 *taken, *no_yield;
	u64 again, wait;

	vm->t_excl_take = (u32)xasm_pc(a);
	again = xasm_pc(a);
	x8(a, 0xf0);
	x_op(a, 8, 0x0fba, 5, xm(REG_LDTAB, 0), 1); /* bts */
	x8(a, 0);
	taken = x_jcc8_fwd(a, XCC_AE);
	wait = xasm_pc(a);
	x8(a, 0xf3); /* pause */
	x8(a, 0x90);
	x_alu_i(a, 4, XADD, xm(RBP, CPU_OFF(excl_spins)), 1);
	x_test_i(a, 1, xm(RBP, CPU_OFF(excl_spins)), EXCL_YIELD_TURNS - 1);
	no_yield = x_jcc8_fwd(a, XCC_NE);
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(scratch[SCR_SITE])), REG_LDTAB);
	x_mov_mi(a, 4, xm(RBP, CPU_OFF(scratch[SCR_MISS_DESC])), (s32)DESC_YIELD);
	x_call(a, vm->t_miss);
	x_mov_rm(a, 8, REG_LDTAB, xm(RBP, CPU_OFF(scratch[SCR_SITE])));
	x_patch8(a, no_yield);
	x_test_i(a, 1, xm(REG_LDTAB, 0), 1);
	x_jcc(a, XCC_NE, wait);
	x_jmp(a, again);
	x_patch8(a, taken);
	x8(a, 0xc3);
}

void thunks_emit(struct dbt_vm *vm, u8 *rw, u8 *end, u8 **out_end)
{
	struct xasm as = {.p = rw, .end = end, .to_rx = (s64)(vm->code_rx - vm->code_rw)}, *a = &as;

	vmap_init(vm);
	emit_enter(vm, a);

	/* RET with nothing left on the return stack: keep the sentinel, look the target up. */
	vm->t_ret_empty = (u32)xasm_pc(a);
	x_mov_rm(a, 8, RSP, xm(RBP, CPU_OFF(ret_top)));
	/* An empty slot, or an indirect branch that found none: rax = guest address. */
	vm->t_lookup = vm->t_indirect = (u32)xasm_pc(a);
	x_mov_mr(a, 8, xm(RBP, CPU_OFF(pc)), RAX);
	vm->t_dispatch = (u32)xasm_pc(a);
	emit_save_pinned(vm, a);
	emit_to_c_stack(a);
	emit_call_c(a, (const void *)dbt_dispatch);
	emit_resume(vm, a);

	/* t_chain: edx = address of the branch's rel32, ecx = target's offset in the page. */
	vm->t_chain = (u32)xasm_pc(a);
	emit_save_pinned(vm, a);
	emit_to_c_stack(a);
	x_mov_rr(a, 4, RSI, RDX);
	x_mov_rr(a, 4, RDX, RCX);
	emit_call_c(a, (const void *)dbt_do_chain);
	emit_resume(vm, a);

	emit_helper(vm, a);
	emit_miss(vm, a);
	emit_sp_miss(vm, a);
	emit_excl_take(vm, a);
	*out_end = a->p;
}
