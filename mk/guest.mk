# The guest: Debian's arm64 kernels as they are, a busybox initramfs, an ext4 disk, a Debian root image.
# Everything lands in $(GUEST) and is made once; `make guest-update` asks the archive again.
G     := tools/guest
GKERN := cloud generic

GUEST_FILES := $(foreach k,$(GKERN),$(GUEST)/Image-$(k) $(GUEST)/Image-$(k).gz $(GUEST)/initramfs-$(k).cpio) \
               $(GUEST)/initramfs.cpio $(GUEST)/disk.img

.PHONY: guest guest-debian guest-programs guest-update guest-clean
guest: $(GUEST_FILES) ## fetch the Debian arm64 kernels, make initramfs and disk (guest/)
	@echo "guest: $(GUEST)/ is up to date"

guest-debian: $(GUEST)/debian.img ## make a Debian bookworm arm64 root image with systemd (root, 20 minutes)
	@echo "guest: $(GUEST)/debian.img is up to date"

guest-programs: $(GUEST)/programs.img ## the same with JIT compilers and test suites, for `make test-long` (root, 25 minutes)
	@echo "guest: $(GUEST)/programs.img is up to date"

guest-update: ## ask the archive for newer guest packages, then rebuild the guest
	$(Q)rm -f $(GUEST)/.fetched
	$(Q)$(MAKE) --no-print-directory guest

guest-clean: ## remove guest/
	rm -rf $(GUEST)

# Unpacked packages: $(GUEST)/pkg/{cloud,generic,busybox}
$(GUEST)/.fetched: $(G)/fetch.sh $(G)/apt.sh
	@echo "  FETCH   $(GUEST)/pkg (Debian archive, arm64)"
	$(Q)$(G)/fetch.sh $(GUEST)
	@touch $@

# Only a package that changed makes what is made from it again.
$(foreach k,$(GKERN) busybox,$(GUEST)/pkg/$(k)/.package): $(GUEST)/.fetched ;

$(GUEST)/Image-%: $(GUEST)/pkg/%/.package $(G)/image.py
	@echo "  IMAGE   $@"
	$(Q)/usr/bin/python3 $(G)/image.py $(GUEST)/pkg/$*/boot/vmlinuz-* $@

$(GUEST)/Image-%.gz: $(GUEST)/Image-%
	@echo "  GZIP    $@"
	$(Q)gzip -n -c $< > $@.tmp && mv $@.tmp $@

$(GUEST)/initramfs-%.cpio: $(GUEST)/pkg/%/.package $(GUEST)/pkg/busybox/.package $(G)/initramfs.py $(G)/modules.txt $(G)/init $(G)/udhcpc.script
	@echo "  CPIO    $@"
	$(Q)/usr/bin/python3 $(G)/initramfs.py --busybox $(GUEST)/pkg/busybox/bin/busybox --kernel $(GUEST)/pkg/$* \
		--modules $(G)/modules.txt --file /init=$(G)/init --file /etc/udhcpc.script=$(G)/udhcpc.script -o $@

$(GUEST)/initramfs.cpio: $(GUEST)/initramfs-cloud.cpio
	$(Q)ln -sf initramfs-cloud.cpio $@

$(GUEST)/disk.img: $(G)/disk.sh
	@mkdir -p $(GUEST)
	@echo "  MKE2FS  $@"
	$(Q)$(G)/disk.sh $@

$(GUEST)/debian.img: $(G)/debian.sh $(G)/root.sh $(G)/debian-setup.sh $(G)/debian-packages.txt $(G)/userns.py $(GUEST)/.fetched
	$(Q)$(G)/debian.sh $(GUEST)

$(GUEST)/programs.img: $(G)/programs.sh $(G)/programs-build.sh $(G)/programs-packages.txt $(G)/apt.sh $(GUEST)/debian.img
	$(Q)$(G)/programs.sh $(GUEST)

.SECONDARY: $(GUEST_FILES)
