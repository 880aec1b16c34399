/* SPDX-License-Identifier: MIT */
#include "devices/net_guard.h"

#define ETH_LEN	 14
#define IPV4_LEN 20
#define IPV6_LEN 40

#define TYPE_IPV4 0x0800
#define TYPE_ARP  0x0806
#define TYPE_IPV6 0x86dd

#define PROTO_ICMP   1
#define PROTO_TCP    6
#define PROTO_UDP    17
#define PROTO_ICMPV6 58

#define PORT_TFTP 69

static u32 be16(const u8 *p)
{
	return (u32)p[0] << 8 | p[1];
}

static bool pass_tcp(const u8 *p, size_t len)
{
	return len >= 20 && p[12] >> 4 >= 5 && (size_t)(p[12] >> 4) * 4 <= len;
}

static bool pass_udp(const u8 *p, size_t len)
{
	/* No file server is configured: its parser need not run. */
	return len >= 8 && be16(p + 4) >= 8 && be16(p + 4) <= len && be16(p + 2) != PORT_TFTP;
}

static bool pass_arp(const u8 *p, size_t len)
{
	return len >= 28 && be16(p) == 1 && be16(p + 2) == TYPE_IPV4 && p[4] == 6 && p[5] == 4;
}

static bool pass_ipv4(const u8 *p, size_t len)
{
	size_t total;

	if (len < IPV4_LEN || p[0] != 0x45)
		return false;
	total = be16(p + 2);
	if (total < IPV4_LEN || total > len)
		return false;
	if (be16(p + 6) & 0x3fff) /* a fragment: more to come, or an offset */
		return false;
	total -= IPV4_LEN;
	switch (p[9]) {
	case PROTO_TCP: return pass_tcp(p + IPV4_LEN, total);
	case PROTO_UDP: return pass_udp(p + IPV4_LEN, total);
	case PROTO_ICMP: return total >= 8;
	default: return false;
	}
}

static bool pass_ipv6(const u8 *p, size_t len)
{
	size_t payload;

	if (len < IPV6_LEN || p[0] >> 4 != 6)
		return false;
	payload = be16(p + 4);
	if (payload > len - IPV6_LEN)
		return false;
	switch (p[6]) {
	case PROTO_TCP: return pass_tcp(p + IPV6_LEN, payload);
	case PROTO_UDP: return pass_udp(p + IPV6_LEN, payload);
	case PROTO_ICMPV6: return payload >= 8;
	default: return false;
	}
}

bool net_guard_pass(const u8 *frame, size_t len, bool ipv6)
{
	if (len < ETH_LEN)
		return false;
	switch (be16(frame + 12)) {
	case TYPE_ARP: return pass_arp(frame + ETH_LEN, len - ETH_LEN);
	case TYPE_IPV4: return pass_ipv4(frame + ETH_LEN, len - ETH_LEN);
	case TYPE_IPV6: return ipv6 && pass_ipv6(frame + ETH_LEN, len - ETH_LEN);
	default: return false;
	}
}
