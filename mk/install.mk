# Installation: the program, its man page, the JSON schema and the examples.
PREFIX  ?= /usr/local
DESTDIR ?=
BINDIR  ?= $(PREFIX)/bin
MANDIR  ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share/armature
MAN1    := $(wildcard docs/*.1)

.PHONY: install uninstall
install: all ## install under $(DESTDIR)$(PREFIX)
	install -D -m 755 $(BUILD)/armature $(DESTDIR)$(BINDIR)/armature
	$(foreach m,$(MAN1),install -D -m 644 $(m) $(DESTDIR)$(MANDIR)/man1/$(notdir $(m)) &&) :
	$(foreach f,$(wildcard config/schema.json),install -D -m 644 $(f) $(DESTDIR)$(DATADIR)/$(notdir $(f)) &&) :
	$(foreach f,$(wildcard config/examples/*.json),install -D -m 644 $(f) $(DESTDIR)$(DATADIR)/examples/$(notdir $(f)) &&) :

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(BINDIR)/armature $(MAN1:docs/%=$(DESTDIR)$(MANDIR)/man1/%)
	rm -rf $(DESTDIR)$(DATADIR)
