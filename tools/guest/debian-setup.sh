#!/bin/bash
# SPDX-License-Identifier: MIT
# Settings of the Debian root tree, on the host, nothing of it is executed: debian-setup.sh ROOT KERNEL_PACKAGE...
set -euo pipefail
root=$1
shift

echo armature >"$root/etc/hostname"
printf '127.0.0.1 localhost armature\n::1 localhost\n' >"$root/etc/hosts"
echo '/dev/vda / ext4 rw,relatime 0 1' >"$root/etc/fstab"
# `root` at the login prompt, no password: the image is for tests
sed -i 's/^root:[^:]*:/root::/' "$root/etc/shadow"

# Network by DHCP on every virtio interface, name server from the lease.
cat >"$root/etc/systemd/network/80-dhcp.network" <<-'UNIT'
	[Match]
	Name=e*
	[Network]
	DHCP=yes
UNIT
echo 'nameserver 10.0.2.3' >"$root/etc/resolv.conf"
wants() { # wants TARGET UNIT
	mkdir -p "$root/etc/systemd/system/$1.wants"
	ln -sf "/lib/systemd/system/$2" "$root/etc/systemd/system/$1.wants/$2"
}
wants multi-user.target systemd-networkd.service
# A getty on the serial console comes from console= on the kernel command line; one on the virtio console with the
# device (a unit that waited for it would hold up the boot of a machine without).
mkdir -p "$root/etc/udev/rules.d"
echo 'SUBSYSTEM=="tty", KERNEL=="hvc0", TAG+="systemd", ENV{SYSTEMD_WANTS}+="serial-getty@hvc0.service"' \
	>"$root/etc/udev/rules.d/80-hvc0.rules"
# Timers that would wake up in the middle of a measurement.
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer; do
	ln -sf /dev/null "$root/etc/systemd/system/$unit"
done

# Modules of every kernel the image may be booted with; of drivers only what a virtual machine can have.
rm -rf "$root/usr/lib/modules"
mkdir -p "$root/usr/lib/modules"
for package in "$@"; do
	cp -a "$package"/lib/modules/* "$root/usr/lib/modules/"
done
for m in "$root"/usr/lib/modules/*; do
	find "$m/kernel/drivers" -mindepth 1 -maxdepth 1 ! -name virtio ! -name block ! -name net ! -name char \
		! -name crypto ! -name md ! -name vhost ! -name rtc ! -name ptp ! -name gpio -exec rm -rf {} +
	find "$m/kernel/drivers/net" -mindepth 1 -maxdepth 1 -type d -exec rm -rf {} +
	rm -rf "$m/kernel/sound" "$m/kernel/net/wireless" "$m/kernel/net/mac80211" "$m/kernel/net/bluetooth"
	depmod -b "$root" "$(basename "$m")"
done

rm -rf "$root"/fake "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}/* \
	"$root"/var/log/*.log "$root"/var/cache/debconf/*-old
