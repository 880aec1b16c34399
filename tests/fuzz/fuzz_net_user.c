/* SPDX-License-Identifier: MIT */
/*
 * Frames of a hostile guest into the user-mode network: the guard and, behind it, libslirp as it is
 * installed. Restricted, so that nothing leaves the machine. One stack serves all inputs: state
 * builds up, as it does.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/net_user_internal.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

/* Sums right, or libslirp drops nearly everything at its door. */
static void fix_ipv4_sum(u8 *ip)
{
	u32 acc = 0;

	ip[10] = ip[11] = 0;
	for (unsigned i = 0; i < 20; i += 2)
		acc += (u32)ip[i] << 8 | ip[i + 1];
	acc = (acc & 0xffff) + (acc >> 16);
	acc = ~(acc + (acc >> 16));
	ip[10] = (u8)(acc >> 8);
	ip[11] = (u8)acc;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	static bool started;
	u8 frame[NET_USER_FRAME];

	if (!started && net_user_fuzz_start(true))
		abort();
	started = true;
	/* Several frames an input, each behind its length. */
	while (len > 2) {
		size_t n = (size_t)(data[0] | (data[1] & 7) << 8);
		bool fix = !(data[1] & 8);

		data += 2;
		len -= 2;
		if (n > len)
			n = len;
		if (n > sizeof(frame))
			n = sizeof(frame);
		memcpy(frame, data, n);
		if (fix && n >= 34 && frame[12] == 8 && !frame[13])
			fix_ipv4_sum(frame + 14);
		net_user_fuzz_frame(frame, n);
		data += n;
		len -= n;
	}
	return 0;
}
