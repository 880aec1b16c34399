/* SPDX-License-Identifier: MIT */
/*
 * What a frame from the guest must look like before libslirp may see it. libslirp parses in this
 * process, and version 4.7.0 crashes on fragments a guest can make up; so it gets whole, plain
 * packets and nothing else.
 */
#ifndef ARMATURE_NET_GUARD_H
#define ARMATURE_NET_GUARD_H

#include "common/types.h"

/*
 * True for ARP for IPv4 over Ethernet, and for unfragmented TCP, UDP and ICMP in IPv4 without
 * options and, if `ipv6`, in IPv6 without extension headers, all lengths agreeing. `frame` begins
 * at the Ethernet header.
 */
bool net_guard_pass(const u8 *frame, size_t len, bool ipv6);

#endif
