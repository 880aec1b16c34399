# `make help`: the targets that carry a "## text" after their prerequisites, from every makefile.
.PHONY: help
help: ## show this list
	@echo "armature: make targets"
	@sed -n 's/^\([a-z][a-z0-9-]*\):[^=]*## \(.*\)/\1|\2/p' Makefile $(sort $(wildcard mk/*.mk)) | \
		awk -F'|' '{ printf "  %-16s %s\n", $$1, $$2 }'
	@echo "Variables: CC=gcc|clang BUILD=dir V=1 (show commands) PREFIX=/usr/local DESTDIR= VMM=armature|qemu"
