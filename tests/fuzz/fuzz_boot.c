/* SPDX-License-Identifier: MIT */
/* A kernel file of any content: loaded into guest memory or refused, and nothing written outside.
 */
#include "tests/fuzz/fuzz_input.h"
#include "vmm/boot.h"

#define RAM	 0x40000000ull
#define RAM_SIZE (8ull << 20)

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	static struct guest_mem mem;
	struct boot_config cfg = {.kernel = (char *)input_file(data, len)};
	struct boot_images img;
	struct boot_layout out;
	int saved = quiet_begin();

	if (!mem.n && guest_mem_add(&mem, GPA(RAM), RAM_SIZE))
		abort();
	if (!boot_open(&cfg, &img)) {
		if (!boot_load(&img, &mem, GPA(RAM), 4096, &out) &&
		    (!guest_slice(&mem, GPA(out.dtb), 4096) || out.kernel_end > out.dtb ||
		     !guest_slice(&mem, GPA(out.entry), 1)))
			abort();
		boot_close(&img);
	}
	quiet_end(saved);
	return 0;
}
