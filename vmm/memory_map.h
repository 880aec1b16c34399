/* SPDX-License-Identifier: MIT */
/*
 * Where fdt_build puts things: QEMU's "virt" map, so that kernels, firmware and test suites with
 * that machine built in run unchanged. fdt_probe takes all addresses from the tree.
 */
#ifndef ARMATURE_MEMORY_MAP_H
#define ARMATURE_MEMORY_MAP_H

#define MAP_GICD	0x08000000ull
#define MAP_GICD_SIZE	0x10000ull
#define MAP_GICC	0x08010000ull
#define MAP_GICC_SIZE	0x10000ull
#define MAP_GICR	0x080a0000ull
#define MAP_UART	0x09000000ull
#define MAP_RTC		0x09010000ull
#define MAP_PVPANIC	0x090e0000ull /* QEMU has nothing here and below */
#define MAP_MARKER	0x090f0000ull
#define MAP_VIRTIO	0x0a000000ull
#define MAP_VIRTIO_STEP 0x200ull
#define MAP_RAM		0x40000000ull

/* SPI numbers */
#define MAP_SPI_UART   1
#define MAP_SPI_RTC    2
#define MAP_SPI_VIRTIO 16

#endif
