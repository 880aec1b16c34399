/* SPDX-License-Identifier: MIT */
#include "devices/virtio/blk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/virtio_blk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "devices/virtio/virtio.h"

#define SECTOR_BITS	 9
#define MAX_SEGMENTS	 8	    /* of one discard or write-zeroes request */
#define MAX_WIPE_SECTORS (1u << 22) /* of one such segment: 2 GiB */
#define MAX_QUEUES	 16
#define SIGNAL_DELAY_NS	 100000 /* a finished request waits no longer for the rest of its batch */
#define ZERO_CHUNK	 (64u << 10)

struct blk {
	struct virtio_dev v; /* first */
	int fd;
	int fd_buffered;  /* with O_DIRECT: for requests it cannot take; else the same as fd */
	u32 direct_align; /* of offsets, lengths and buffers for O_DIRECT; 0: buffered */
	u64 sectors;
	bool readonly, writethrough, is_bdev;
	atomic_bool wce; /* the cache mode the driver chose (5.2.6.2) */
	char serial[VIRTIO_BLK_ID_BYTES];
	struct virtio_blk_stats st; /* the worker's; read torn-free through atomics */
	u64 unsignalled_since;
	struct iovec iov[VIRTQ_MAX_SIZE];
	u8 *zeroes;
};

static struct blk *to_blk(struct virtio_dev *v)
{
	return container_of(v, struct blk, v);
}

static void count(u64 *stat, u64 n)
{
	__atomic_store_n(stat, *stat + n, __ATOMIC_RELAXED);
}

/* What this thread may do beyond the loop of every device thread. */
static const struct sandbox_rule blk_rules[] = {
	/* transfer() */
	SANDBOX_ALLOW(preadv),
	SANDBOX_ALLOW(pwritev),
	/* flush, and every write of a write-through disk */
	SANDBOX_ALLOW(fdatasync),
	/* wipe(): discard and write-zeroes, with zeroes written where the file system has neither
	 */
	SANDBOX_ALLOW(fallocate),
	SANDBOX_ALLOW(pwrite64),
	SANDBOX_ALLOW(ioctl, SANDBOX_ARG_IS(1, BLKDISCARD)),
};

const struct sandbox_role virtio_blk_role = {
	.name = "blk",
	.rules = blk_rules,
	.nrules = ARRAY_SIZE(blk_rules),
	.device = true,
};

/* --- Requests --------------------------------------------------------------------------------- */

/* The first byte of `n` bytes at `sector`, or -EINVAL if any of it lies beyond the disk. */
static off_t disk_range(const struct blk *b, u64 sector, u64 n)
{
	u64 end;

	if (n % (1u << SECTOR_BITS) || __builtin_add_overflow(sector, n >> SECTOR_BITS, &end) ||
	    end > b->sectors)
		return -EINVAL;
	return (off_t)(sector << SECTOR_BITS);
}

static int pick_fd(const struct blk *b, unsigned n, off_t at, size_t len)
{
	u64 bits = (u64)at | len;

	if (!b->direct_align)
		return b->fd;
	for (unsigned i = 0; i < n; i++)
		bits |= (uintptr_t)b->iov[i].iov_base | b->iov[i].iov_len;
	return bits & (b->direct_align - 1) ? b->fd_buffered : b->fd;
}

/* Moves all `len` bytes between the disk and b->iov[0..n), or fails. */
static int transfer(struct blk *b, bool write, unsigned n, off_t at, size_t len)
{
	struct iovec *iov = b->iov;

	while (len) {
		int fd = pick_fd(b, n, at, len);
		ssize_t done = write ? pwritev(fd, iov, (int)n, at) : preadv(fd, iov, (int)n, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done ? -errno : -EIO; /* 0: the file shrank behind our back */
		at += done;
		len -= (size_t)done;
		while (n && (size_t)done >= iov->iov_len) {
			done -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n) {
			iov->iov_base = (u8 *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
		/* pick_fd looks at the array's start: go on with the rest of it there. */
		if (n && iov != b->iov) {
			memmove(b->iov, iov, n * sizeof(*iov));
			iov = b->iov;
		}
	}
	return 0;
}

static u8 do_read(struct blk *b, const struct virtq_chain *c, u64 sector, u32 *written)
{
	u32 len = c->write_len - 1; /* the status byte is last */
	off_t at = disk_range(b, sector, len);
	int n = virtq_slice(c, true, 0, len, b->iov, ARRAY_SIZE(b->iov));

	if (at < 0 || n < 0 || transfer(b, false, (unsigned)n, at, len))
		return VIRTIO_BLK_S_IOERR;
	*written = len;
	count(&b->st.reads, 1);
	count(&b->st.read_bytes, len);
	return VIRTIO_BLK_S_OK;
}

static u8 do_flush(struct blk *b)
{
	count(&b->st.flushes, 1);
	return fdatasync(b->fd) ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

/* Without F_FLUSH the driver cannot flush, so nothing it wrote may be volatile (5.2.5.1). */
static bool is_writeback(struct blk *b)
{
	return !b->writethrough && virtio_has(&b->v, VIRTIO_BLK_F_FLUSH) &&
	       (!virtio_has(&b->v, VIRTIO_BLK_F_CONFIG_WCE) || atomic_load(&b->wce));
}

static u8 do_write(struct blk *b, const struct virtq_chain *c, u64 sector)
{
	u32 len = c->read_len - (u32)sizeof(struct virtio_blk_outhdr);
	off_t at = disk_range(b, sector, len);
	int n = virtq_slice(c, false, sizeof(struct virtio_blk_outhdr), len, b->iov,
			    ARRAY_SIZE(b->iov));

	if (b->readonly || at < 0 || n < 0 || transfer(b, true, (unsigned)n, at, len))
		return VIRTIO_BLK_S_IOERR;
	count(&b->st.writes, 1);
	count(&b->st.write_bytes, len);
	return is_writeback(b) ? VIRTIO_BLK_S_OK : do_flush(b);
}

static u8 do_get_id(struct blk *b, const struct virtq_chain *c, u32 *written)
{
	size_t room = c->write_len - 1;

	*written = (u32)virtq_write(c, 0, b->serial,
				    room < sizeof(b->serial) ? room : sizeof(b->serial));
	return VIRTIO_BLK_S_OK;
}

/* Zeroes by hand, for file systems that can neither punch nor zero ranges. */
static int write_zeroes(struct blk *b, off_t at, off_t len)
{
	while (len) {
		size_t part = len < (off_t)ZERO_CHUNK ? (size_t)len : ZERO_CHUNK;
		ssize_t done = pwrite(b->fd_buffered, b->zeroes, part, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -EIO;
		at += done;
		len -= done;
	}
	return 0;
}

static int wipe(struct blk *b, bool discard, bool unmap, off_t at, off_t len)
{
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	u64 range[2] = {(u64)at, (u64)len};

	if (!len)
		return 0;
	if (discard) { /* a hint: a host that cannot is no error */
		if (b->is_bdev)
			return ioctl(b->fd, BLKDISCARD, range) && errno != EOPNOTSUPP ? -errno : 0;
		return fallocate(b->fd, punch, at, len) && errno != EOPNOTSUPP ? -errno : 0;
	}
	if (unmap && !fallocate(b->fd, punch, at, len))
		return 0;
	if (!fallocate(b->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, at, len))
		return 0;
	return errno == EOPNOTSUPP ? write_zeroes(b, at, len) : -errno;
}

/* virtio 1.2, 5.2.6: which flags and sizes must be refused, and with which status. */
static u8 check_segment(const struct blk *b, bool discard,
			const struct virtio_blk_discard_write_zeroes *s)
{
	if (s->flags & ~(u32)VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP || (discard && s->flags))
		return VIRTIO_BLK_S_UNSUPP;
	if (s->num_sectors > MAX_WIPE_SECTORS ||
	    disk_range(b, s->sector, (u64)s->num_sectors << SECTOR_BITS) < 0)
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

static u8 do_wipe(struct blk *b, const struct virtq_chain *c, bool discard)
{
	struct virtio_blk_discard_write_zeroes seg[MAX_SEGMENTS];
	u32 len = c->read_len - (u32)sizeof(struct virtio_blk_outhdr);
	unsigned n = len / sizeof(seg[0]);
	u8 status;

	if (b->readonly || !n || len % sizeof(seg[0]) || n > MAX_SEGMENTS)
		return VIRTIO_BLK_S_IOERR;
	virtq_read(c, sizeof(struct virtio_blk_outhdr), seg, len);
	for (unsigned i = 0; i < n; i++) {
		status = check_segment(b, discard, &seg[i]);
		if (status)
			return status;
	}
	for (unsigned i = 0; i < n; i++)
		if (wipe(b, discard, seg[i].flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP,
			 (off_t)(seg[i].sector << SECTOR_BITS),
			 (off_t)seg[i].num_sectors << SECTOR_BITS))
			return VIRTIO_BLK_S_IOERR;
	count(&b->st.discards, 1);
	return discard || is_writeback(b) ? VIRTIO_BLK_S_OK : do_flush(b);
}

static u8 do_request(struct blk *b, const struct virtq_chain *c,
		     const struct virtio_blk_outhdr *hdr, u32 *written)
{
	switch (hdr->type) {
	case VIRTIO_BLK_T_IN: return do_read(b, c, hdr->sector, written);
	case VIRTIO_BLK_T_OUT: return do_write(b, c, hdr->sector);
	case VIRTIO_BLK_T_FLUSH: return do_flush(b);
	case VIRTIO_BLK_T_GET_ID: return do_get_id(b, c, written);
	case VIRTIO_BLK_T_DISCARD: return do_wipe(b, c, true);
	case VIRTIO_BLK_T_WRITE_ZEROES: return do_wipe(b, c, false);
	default: return VIRTIO_BLK_S_UNSUPP;
	}
}

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

static bool handle_chain(struct virtio_dev *v, unsigned q, struct virtq_chain *c)
{
	struct blk *b = to_blk(v);
	struct virtio_blk_outhdr hdr;
	u32 written = 0;
	u64 now;
	u8 status;

	if (virtq_read(c, 0, &hdr, sizeof(hdr)) < sizeof(hdr) || !c->write_len) {
		/* Nowhere to say so in: the guest's driver is beyond help. */
		virtio_broken(v, q, "request without a whole header or without a status byte");
		return false;
	}
	status = do_request(b, c, &hdr, &written);
	if (status == VIRTIO_BLK_S_IOERR)
		count(&b->st.errors, 1);
	virtq_write(c, c->write_len - 1, &status, 1);
	/* used.len is what was written from the start on: the status only if all before it was. */
	if (written == c->write_len - 1)
		written++;
	virtio_push(v, q, c, written);

	now = now_ns();
	if (!b->unsignalled_since)
		b->unsignalled_since = now;
	if (now - b->unsignalled_since >= SIGNAL_DELAY_NS) {
		b->unsignalled_since = 0;
		virtio_signal(v, q);
	}
	return true;
}

static void blk_notify(struct virtio_dev *v, unsigned q)
{
	to_blk(v)->unsignalled_since = 0;
	virtio_drain(v, q, handle_chain);
}

/* --- Configuration, save and load ------------------------------------------------------------ */

#define WCE_OFFSET offsetof(struct virtio_blk_config, wce)

static void set_wce(struct blk *b, bool on)
{
	b->v.config[WCE_OFFSET] = on;
	atomic_store(&b->wce, on);
}

static void blk_config_write(struct virtio_dev *v, u32 off, unsigned size, u64 val)
{
	if (off == WCE_OFFSET && size == 1 && v->driver_features & BIT(VIRTIO_BLK_F_CONFIG_WCE))
		set_wce(to_blk(v), val & 1);
}

static void blk_reset(struct virtio_dev *v)
{
	pthread_mutex_lock(&v->leaf);
	set_wce(to_blk(v), !to_blk(v)->writethrough);
	pthread_mutex_unlock(&v->leaf);
}

static int blk_load(struct virtio_dev *v, const void *buf, size_t len)
{
	struct blk *b = to_blk(v);

	if (len)
		return -EINVAL;
	set_wce(b, v->config[WCE_OFFSET] & 1);
	memcpy(v->config, &b->sectors, sizeof(b->sectors)); /* the file here, not the one there */
	return 0;
}

static void blk_destroy(struct virtio_dev *v)
{
	struct blk *b = to_blk(v);

	if (b->fd_buffered >= 0 && b->fd_buffered != b->fd)
		close(b->fd_buffered);
	if (b->fd >= 0)
		close(b->fd);
	free(b->zeroes);
}

static const struct virtio_class blk_class = {
	.name = "virtio-blk",
	.device_id = VIRTIO_ID_BLOCK,
	.version = 1,
	.role = &virtio_blk_role,
	.notify = blk_notify,
	.reset = blk_reset,
	.config_write = blk_config_write,
	.load = blk_load,
	.destroy = blk_destroy,
};

/* --- Construction ----------------------------------------------------------------------------- */

/*
 * Two machines writing one image would destroy it. The locks are QEMU's, so that its tools and
 * machines and ours keep out of each other's way: byte 100 + p of the file says that permission p
 * is in use, byte 200 + p that nobody else may use it. All are read locks, taken first; then
 * others' are looked for.
 */
enum { PERM_READ, PERM_WRITE, PERM_RESIZE = 3, NPERMS };
#define LOCK_USED(p)	 (100 + (p))
#define LOCK_UNSHARED(p) (200 + (p))

/* Has someone else locked the byte? `set`: locks it for us too. Network file systems may have no
 * locks. */
static bool lock_byte(int fd, off_t byte, bool set)
{
	struct flock fl = {
		.l_type = set ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = byte,
		.l_len = 1,
	};

	if (set) /* a write lock of somebody who knows none of this */
		return fcntl(fd, F_OFD_SETLK, &fl) && (errno == EAGAIN || errno == EACCES);
	return !fcntl(fd, F_OFD_GETLK, &fl) && fl.l_type != F_UNLCK;
}

static int lock_image(int fd, bool readonly)
{
	u32 used = BIT(PERM_READ), unshared = BIT(PERM_WRITE) | BIT(PERM_RESIZE);
	bool taken = false;

	if (!readonly)
		used |= unshared;
	for (unsigned p = 0; p < NPERMS; p++) {
		taken |= used & BIT(p) && lock_byte(fd, LOCK_USED(p), true);
		taken |= unshared & BIT(p) && lock_byte(fd, LOCK_UNSHARED(p), true);
	}
	for (unsigned p = 0; p < NPERMS; p++) {
		taken |= used & BIT(p) && lock_byte(fd, LOCK_UNSHARED(p), false);
		taken |= unshared & BIT(p) && lock_byte(fd, LOCK_USED(p), false);
	}
	return taken ? -EBUSY : 0;
}

static int disk_size(int fd, bool *is_bdev, u64 *bytes)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	*is_bdev = S_ISBLK(st.st_mode);
	if (*is_bdev)
		return ioctl(fd, BLKGETSIZE64, bytes) ? -errno : 0;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*bytes = (u64)st.st_size;
	return 0;
}

/* What O_DIRECT demands here: nothing says so portably, a read finds out. 0: not at all possible.
 */
static u32 probe_direct_align(int fd)
{
	u32 align = 0;
	void *buf;

	if (posix_memalign(&buf, 4096, 8192))
		return 0;
	if (pread(fd, (u8 *)buf + 512, 512, 512) >= 0)
		align = 512;
	else if (pread(fd, buf, 4096, 0) >= 0)
		align = 4096;
	free(buf);
	return align;
}

static int open_direct(struct blk *b, const char *path, int flags, const char **err)
{
	/* By /proc, so that both descriptors are the same file whatever happens to the name. */
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", b->fd_buffered);
	b->fd = open(self, flags | O_DIRECT);
	if (b->fd >= 0)
		b->direct_align = probe_direct_align(b->fd);
	if (!b->direct_align) {
		*err = "the file system cannot do direct I/O";
		return b->fd < 0 ? -errno : -EINVAL;
	}
	return 0;
}

static int open_image(struct blk *b, const struct virtio_blk_params *p, const char **err)
{
	int flags = (p->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC;
	u64 bytes;
	int ret;

	b->fd = b->fd_buffered = open(p->path, flags);
	if (b->fd < 0) {
		*err = p->readonly ? "cannot open for reading"
				   : "cannot open for reading and writing";
		return -errno;
	}
	ret = disk_size(b->fd, &b->is_bdev, &bytes);
	if (ret) {
		*err = "not a regular file or block device";
		return ret;
	}
	if (bytes < 1u << SECTOR_BITS) {
		*err = "smaller than one sector (512 bytes)";
		return -EINVAL;
	}
	b->sectors = bytes >> SECTOR_BITS;
	ret = lock_image(b->fd, p->readonly);
	if (ret) {
		*err = "in use by another process";
		return ret;
	}
	return p->direct ? open_direct(b, p->path, flags, err) : 0;
}

static u32 logical_block_size(const struct blk *b)
{
	int size = 0;

	if (b->is_bdev && !ioctl(b->fd, BLKSSZGET, &size) && size > 512)
		return (u32)size;
	return b->direct_align > 512 ? b->direct_align : 512;
}

static void fill_config(struct blk *b, unsigned queue_size)
{
	struct virtio_dev *v = &b->v;
	struct virtio_blk_config c = {
		.capacity = b->sectors,
		/* A request also takes a descriptor for its header and one for its status. */
		.seg_max = queue_size > 2 ? queue_size - 2 : 1,
		.blk_size = logical_block_size(b),
		.wce = !b->writethrough,
		.num_queues = (u16)v->nqueues,
		.max_discard_sectors = MAX_WIPE_SECTORS,
		.max_discard_seg = MAX_SEGMENTS,
		.max_write_zeroes_sectors = MAX_WIPE_SECTORS,
		.max_write_zeroes_seg = MAX_SEGMENTS,
		.write_zeroes_may_unmap = 1,
	};

	c.discard_sector_alignment = c.blk_size >> SECTOR_BITS;
	c.opt_io_size = 0;
	v->features |= BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_BLK_SIZE) |
		       BIT(VIRTIO_BLK_F_TOPOLOGY) | BIT(VIRTIO_BLK_F_FLUSH);
	if (b->readonly)
		v->features |= BIT(VIRTIO_BLK_F_RO);
	else
		v->features |= BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES) |
			       BIT(VIRTIO_BLK_F_CONFIG_WCE);
	if (b->writethrough)
		v->features &= ~BIT(VIRTIO_BLK_F_CONFIG_WCE);
	if (v->nqueues > 1)
		v->features |= BIT(VIRTIO_BLK_F_MQ);
	v->config_len = sizeof(c);
	memcpy(v->config, &c, sizeof(c));
}

static int check_params(const struct virtio_blk_params *p, unsigned size, const char **err)
{
	if (size > VIRTQ_MAX_SIZE || size & (size - 1) || size < 4) {
		*err = "queue size is not a power of two from 4 to 256";
		return -EINVAL;
	}
	if (p->num_queues > MAX_QUEUES) {
		*err = "more than 16 queues";
		return -EINVAL;
	}
	if (p->serial && strlen(p->serial) > VIRTIO_BLK_ID_BYTES) {
		*err = "serial number longer than 20 bytes";
		return -EINVAL;
	}
	return 0;
}

int virtio_blk_create(const struct virtio_blk_params *p, const struct guest_mem *mem,
		      const struct irq_line *irq, struct device **out, const char **err)
{
	unsigned size = p->queue_size ? p->queue_size : VIRTQ_MAX_SIZE;
	int ret = check_params(p, size, err);
	struct blk *b;

	if (ret)
		return ret;
	b = calloc(1, sizeof(*b));
	if (!b) {
		*err = "out of memory";
		return -ENOMEM;
	}
	b->fd = b->fd_buffered = -1;
	b->readonly = p->readonly;
	b->writethrough = p->writethrough;
	atomic_store(&b->wce, !p->writethrough);
	if (p->serial)
		memcpy(b->serial, p->serial, strlen(p->serial));
	ret = virtio_init(&b->v, &blk_class, p->id, mem, irq, err);
	if (!ret)
		ret = open_image(b, p, err);
	if (!ret && !(b->zeroes = calloc(1, ZERO_CHUNK))) {
		*err = "out of memory";
		ret = -ENOMEM;
	}
	if (!ret) {
		b->v.nqueues = p->num_queues ? p->num_queues : 1;
		for (unsigned q = 0; q < b->v.nqueues; q++)
			b->v.queue_max[q] = (u16)size;
		fill_config(b, size);
		ret = virtio_start(&b->v, p->sandbox, err);
	}
	if (ret) {
		virtio_destroy(&b->v);
		return ret;
	}
	*out = &b->v.dev;
	return 0;
}

void virtio_blk_get_stats(struct device *dev, struct virtio_blk_stats *st)
{
	struct blk *b = to_blk(virtio_from_device(dev));
	const u64 *from = (const u64 *)&b->st;
	u64 *to = (u64 *)st;

	for (size_t i = 0; i < sizeof(*st) / sizeof(u64); i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

struct resize {
	struct blk *b;
	u64 sectors;
};

static void resize_on_worker(void *arg)
{
	struct resize *r = arg;

	r->b->sectors = r->sectors;
}

int virtio_blk_resize(struct device *dev)
{
	struct blk *b = to_blk(virtio_from_device(dev));
	struct resize r = {.b = b};
	u64 bytes;
	int ret = disk_size(b->fd, &b->is_bdev, &bytes);

	if (ret)
		return ret;
	r.sectors = bytes >> SECTOR_BITS;
	worker_call(&b->v.worker, resize_on_worker, &r);
	virtio_config_update(&b->v, offsetof(struct virtio_blk_config, capacity), &r.sectors,
			     sizeof(r.sectors));
	return 0;
}
