# The A64 decoder's tables, generated from dbt/a64/insns.def (+ insns_simd.def).
A64_DEFS := dbt/a64/insns.def dbt/a64/insns_simd.def
GEN += $(BUILD)/gen/a64_decode.inc
HOSTCC ?= cc

$(BUILD)/gen/gen_decode: dbt/a64/gen/gen_decode.c $(A64_DEFS)
	@mkdir -p $(@D)
	@echo "  HOSTCC  $<"
	$(Q)$(HOSTCC) -std=gnu11 -O1 -Wall -Wextra -Werror -I. -o $@ $<

# One run writes both files; a64_forms.inc is older than a64_decode.inc by construction.
$(BUILD)/gen/a64_decode.inc: $(BUILD)/gen/gen_decode
	@echo "  GEN     $@"
	$(Q)$< $@.tmp $(BUILD)/gen/a64_forms.inc && mv $@.tmp $@
