# `make run`: from nothing to a shell in the guest.
RUN_ARGS ?=

.PHONY: run run-guest run-debian
run: setup ## set up, build, fetch the guest, boot it to a shell (RUN_ARGS=... adds options)
	$(Q)$(MAKE) --no-print-directory all guest
	$(Q)$(MAKE) --no-print-directory run-guest

run-guest:
	@echo "run: in the guest, 'mount /dev/vda /mnt' gives $(GUEST)/disk.img; 'poweroff' or Ctrl-A x ends it"
	$(BUILD)/armature run --kernel $(GUEST)/Image-cloud --initrd $(GUEST)/initramfs.cpio \
		--append "console=ttyAMA0 quiet" --memory 512M --drive path=$(GUEST)/disk.img --net user $(RUN_ARGS)

run-debian: all guest guest-debian ## boot the Debian root image (login: root, no password)
	$(BUILD)/armature run --kernel $(GUEST)/Image-cloud --initrd $(GUEST)/initramfs.cpio \
		--append "console=ttyAMA0 armature.mode=root" --memory 1024M --drive path=$(GUEST)/debian.img --net user $(RUN_ARGS)
