/* SPDX-License-Identifier: MIT */
/* What this CPU has beyond the x86-64-v3 baseline. */
#include <cpuid.h>

#include "dbt/x64/vops.h"

u32 host_features_mask = ~0u; /* tests clear bits to try the fall-back paths */

static u32 probe(void)
{
	unsigned a, b, c, d;
	u32 f = 0;

	if (__get_cpuid(1, &a, &b, &c, &d) && c & BIT(30))
		f |= HOST_RDRAND;
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
		return f;
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")) {
		f |= HOST_AVX512;
		if (c & BIT(1))
			f |= HOST_VBMI;
		if (c & BIT(12))
			f |= HOST_BITALG;
		if (c & BIT(11))
			f |= HOST_AVX512_VNNI;
		if (d & BIT(23))
			f |= HOST_FP16;
	}
	if (c & BIT(8))
		f |= HOST_GFNI;
	if (c & BIT(9))
		f |= HOST_VAES;
	if (c & BIT(10))
		f |= HOST_VPCLMUL;
	if (b & BIT(29))
		f |= HOST_SHA;
	return f;
}

bool host_has(enum host_feature f)
{
	static u32 features;
	static bool probed;

	if (!probed) {
		features = probe();
		probed = true;
	}
	return features & host_features_mask & (u32)f;
}
