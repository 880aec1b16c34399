/* SPDX-License-Identifier: MIT */
/*
 * Who this CPU says it is. One line a field; a feature that does not work (yet, or on this host) is
 * switched off by its line here; idreg_has_feature() tells whoever asks by the decoder's names.
 *
 * MIDR_EL1 (sysreg.def): implementer 0, "reserved for software use", so that no erratum or
 * vulnerability table of any guest matches. CSV2=3 (no branch injection, branch history included),
 * CSV3=1 and E0PD=1 then leave Linux without Spectre v2, BHB and Meltdown mitigation, page-table
 * isolation included even with KASLR, and without firmware calls.
 */
#include <string.h>

#include "dbt/a64/sysreg.h"
#include "dbt/vm.h"
#include "dbt/x64/vops.h"

#define ID(m, op2) SYSREG_ID(3, 0, 0, m, op2)
#define AA64PFR0   ID(4, 0)
#define AA64PFR1   ID(4, 1)
#define AA64DFR0   ID(5, 0)
#define AA64ISAR0  ID(6, 0)
#define AA64ISAR1  ID(6, 1)
#define AA64ISAR2  ID(6, 2)
#define AA64MMFR0  ID(7, 0)
#define AA64MMFR1  ID(7, 1)
#define AA64MMFR2  ID(7, 2)

static const struct id_field {
	u32 reg;
	u8 shift;
	u8 value;
	const char *name;     /* the manual's field name */
	const char *features; /* what the decoder's table calls what the value stands for */
} fields[] = {
	{AA64PFR0, 0, 1, "EL0", ""}, /* AArch64 only */
	{AA64PFR0, 4, 1, "EL1", ""},
	{AA64PFR0, 16, 1, "FP", "fp fp16"},
	{AA64PFR0, 20, 1, "AdvSIMD", "simd fp16"}, /* must equal FP */
	{AA64PFR0, 48, 1, "DIT", "dit"},
	{AA64PFR0, 56, 3, "CSV2", ""},
	{AA64PFR0, 60, 1, "CSV3", ""},

	{AA64PFR1, 0, 1, "BT", "bti"},
	{AA64PFR1, 4, 2, "SSBS", "ssbs"},

	{AA64DFR0, 0, 6, "DebugVer", ""},
	{AA64DFR0, 8, 6, "PMUVer", ""}, /* PMUv3 for Armv8.5: 64-bit event counters */
	{AA64DFR0, 12, 5, "BRPs", ""},
	{AA64DFR0, 20, 3, "WRPs", ""},
	{AA64DFR0, 28, 1, "CTX_CMPs", ""},
	{AA64DFR0, 36, 15, "DoubleLock", ""},

	{AA64ISAR0, 4, 2, "AES", "aes pmull"},
	{AA64ISAR0, 8, 1, "SHA1", "sha1"},
	{AA64ISAR0, 12, 2, "SHA2", "sha256 sha512"},
	{AA64ISAR0, 16, 1, "CRC32", "crc32"},
	{AA64ISAR0, 20, 2, "Atomic", "lse"},
	{AA64ISAR0, 28, 1, "RDM", "rdm"},
	{AA64ISAR0, 32, 1, "SHA3", "sha3"},
	{AA64ISAR0, 36, 1, "SM3", "sm3"},
	{AA64ISAR0, 40, 1, "SM4", "sm4"},
	{AA64ISAR0, 44, 1, "DP", "dotprod"},
	{AA64ISAR0, 48, 1, "FHM", "fhm"},
	{AA64ISAR0, 52, 2, "TS", "flagm flagm2"},
	{AA64ISAR0, 56, 2, "TLB", ""}, /* range and outer shareable forms */
	{AA64ISAR0, 60, 1, "RNDR", "rng"},

	{AA64ISAR1, 0, 2, "DPB", ""}, /* DC CVAP, CVADP */
	{AA64ISAR1, 12, 1, "JSCVT", "jscvt"},
	{AA64ISAR1, 16, 1, "FCMA", "fcma"},
	{AA64ISAR1, 20, 2, "LRCPC", "lrcpc lrcpc2"},
	{AA64ISAR1, 32, 1, "FRINTTS", "frintts"},
	{AA64ISAR1, 36, 1, "SB", "sb"},
	{AA64ISAR1, 40, 1, "SPECRES", ""},
	{AA64ISAR1, 44, 1, "BF16", "bf16"},
	{AA64ISAR1, 48, 1, "DGH", ""},
	{AA64ISAR1, 52, 1, "I8MM", "i8mm"},

	{AA64ISAR2, 0, 2, "WFxT", "wfxt"},
	{AA64ISAR2, 16, 0, "MOPS", "mops"},

	{AA64MMFR0, 0, 4, "PARange", ""}, /* PA_BITS */
	{AA64MMFR0, 4, 2, "ASIDBits", ""},
	{AA64MMFR0, 20, 1, "TGran16", ""},
	{AA64MMFR0, 24, 0, "TGran64", ""}, /* 0 = there */
	{AA64MMFR0, 28, 0, "TGran4", ""},

	{AA64MMFR1, 0, 2, "HAFDBS", ""},
	{AA64MMFR1, 12, 1, "HPDS", ""},
	{AA64MMFR1, 16, 1, "LO", "lor"},
	{AA64MMFR1, 20, 3, "PAN", ""}, /* AT S1E1RP and SCTLR_EL1.EPAN too */
	{AA64MMFR1, 28, 1, "XNX", ""},
	{AA64MMFR1, 36, 1, "ETS", ""},

	{AA64MMFR2, 0, 1, "CnP", ""},
	{AA64MMFR2, 4, 1, "UAO", ""},
	/* No LSE2: LDP and STP would have to be whole, three operations instead of two each */
	{AA64MMFR2, 32, 0, "AT", ""},
	{AA64MMFR2, 48, 1, "TTL", ""},
	{AA64MMFR2, 60, 1, "E0PD", ""},
};

/* What hangs on the host's CPU. */
static unsigned field_value(const struct id_field *f)
{
	if (f->reg == AA64ISAR0 && f->shift == 60 && !host_has(HOST_RDRAND))
		return 0;
	return f->value;
}

u64 idreg_value(const struct dbt_vcpu *cpu, u32 id)
{
	u64 val = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].reg == id)
			val |= (u64)field_value(&fields[i]) << fields[i].shift;
	if (id == AA64PFR0 && cpu->vm->cfg.gicv3_sysregs)
		val |= 1 << 24; /* GIC */
	return val;
}

static const struct id_field *field_of_feature(const char *feature)
{
	size_t len = strlen(feature);

	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
		for (const char *p = fields[i].features; (p = strstr(p, feature)); p += len)
			if ((p == fields[i].features || p[-1] == ' ') &&
			    (p[len] == '\0' || p[len] == ' '))
				return &fields[i];
	return NULL;
}

bool idreg_knows_feature(const char *feature)
{
	return field_of_feature(feature);
}

bool idreg_has_feature(const char *feature)
{
	const struct id_field *f = field_of_feature(feature);

	return f && field_value(f);
}
