# armature: GNU make. `make help` lists the targets; each group lives in mk/*.mk.
CC      ?= cc
BUILD   ?= build
V       ?= 0
GUEST   ?= guest
Q       := $(if $(filter 1,$(V)),,@)

# slirp.pc drags in glib's development files, which nothing here includes: named by hand below.
PKG_LIST := json-c libseccomp zlib
OPT      ?= -O2
SAN      ?=
WARN     := -Wall -Wextra -Werror -Wno-unused-parameter -Wno-missing-field-initializers -Wshadow -Wstrict-prototypes \
            -Wmissing-prototypes -Wvla
CPPFLAGS += -I. -I$(BUILD)/gen -D_GNU_SOURCE -DARMATURE_VERSION='"0.1.0"'
CFLAGS   += -std=gnu11 -g $(OPT) $(SAN) $(WARN) -fno-strict-aliasing -pthread -MMD -MP
LDFLAGS  += $(SAN) -pthread
PKG_CFLAGS := $(shell pkg-config --cflags $(PKG_LIST) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKG_LIST) 2>/dev/null)
CPPFLAGS += $(PKG_CFLAGS)
LDLIBS   += $(PKG_LIBS) -lslirp -lfdt -lm

MODULES  := common config devices devices/virtio dbt dbt/a64 dbt/x64 vmm
SRCS     := $(foreach m,$(MODULES),$(wildcard $(m)/*.c))
ASMS     := $(foreach m,$(MODULES),$(wildcard $(m)/*.S))
OBJS     := $(SRCS:%.c=$(BUILD)/%.o) $(ASMS:%.S=$(BUILD)/%.o)
LIBOBJS  := $(filter-out $(BUILD)/vmm/main.o,$(OBJS))

.PHONY: all
all: $(BUILD)/armature ## build (default)

# Generated sources (decoder, rule tables) are prerequisites of every object: mk/*.mk add to GEN.
GEN :=
include $(sort $(wildcard mk/*.mk))

$(BUILD)/armature: $(OBJS)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Everything but main(), for tests and tools.
$(BUILD)/libarmature.a: $(LIBOBJS)
	@echo "  AR      $@"
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/%.o: %.c | $(GEN)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.S | $(GEN)
	@mkdir -p $(@D)
	@echo "  AS      $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

.PHONY: clean
clean: ## remove build directories
	rm -rf $(BUILD) build-*

-include $(OBJS:.o=.d)
