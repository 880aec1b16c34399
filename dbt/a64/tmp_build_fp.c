#include "dbt/a64/helpers_fp.h"
#include "dbt/hir.h"
int build_fp(struct tr *tr, const struct a64_insn *in)
{
	if (!fp_known(in->op))
		return -1;
	hir_helper(&tr->hir, helper_fp, in->raw);
	return 0;
}
