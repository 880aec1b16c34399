/* SPDX-License-Identifier: MIT */
/*
 * What the device's end of the user-mode network (net_user.c) and the process that runs libslirp
 * (net_user_child.c) say to each other over a stream socket:
 *   first the set-up, one struct net_user_setup; answered with one struct net_user_ready;
 *   then frames in both directions, each behind a u32 of its length, Ethernet header first.
 */
#ifndef ARMATURE_NET_USER_INTERNAL_H
#define ARMATURE_NET_USER_INTERNAL_H

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "devices/net.h"

#define NET_USER_MTU   1500
#define NET_USER_FRAME (14 + NET_USER_MTU)
#define NET_USER_SOCK  3 /* the child's descriptor */

extern char net_user_child_arg[]; /* argv[1] of the child */

/*
 * For the fuzzer: libslirp in the calling process, behind the guard; what it sends is dropped.
 * Returns 0 or a negative errno.
 */
int net_user_fuzz_start(bool ipv6);
void net_user_fuzz_frame(const u8 *frame, size_t len);

struct net_user_setup {
	u32 sandbox; /* enum sandbox_mode */
	u8 restricted, ipv6;
	char thread[24]; /* the device, for messages */
	char hostname[64];
	u32 nforwards;
	struct {
		u32 host_addr, guest_addr; /* network byte order */
		u16 host_port, guest_port;
		u32 udp;
	} forward[NET_USER_MAX_FORWARDS];
};

struct net_user_ready {
	s32 err; /* 0 or a negative errno */
	s32 pid;
	char why[100];
};

/* A byte stream of frames, read ahead or written behind. */
#define NET_USER_BUF (64u << 10)

struct net_user_stream {
	u32 head, tail;
	u8 buf[NET_USER_BUF];
};

static inline u32 stream_len(const struct net_user_stream *s)
{
	return s->tail - s->head;
}

/* Room for one more frame of the largest size? Moves what is there to the start if that helps. */
static inline bool stream_room(struct net_user_stream *s, u32 want)
{
	if (s->head == s->tail)
		s->head = s->tail = 0;
	if (want > NET_USER_BUF - s->tail && s->head) {
		memmove(s->buf, s->buf + s->head, stream_len(s));
		s->tail -= s->head;
		s->head = 0;
	}
	return want <= NET_USER_BUF - s->tail;
}

static inline void stream_put(struct net_user_stream *s, const void *p, u32 len)
{
	memcpy(s->buf + s->tail, p, len);
	s->tail += len;
}

/* The frame at the head: its length with *frame, 0: not whole yet, -EPROTO: nonsense. */
static inline int stream_frame(const struct net_user_stream *s, const u8 **frame)
{
	u32 len;

	if (stream_len(s) < sizeof(len))
		return 0;
	memcpy(&len, s->buf + s->head, sizeof(len));
	if (len < 14 || len > NET_USER_FRAME)
		return -EPROTO;
	if (stream_len(s) < sizeof(len) + len)
		return 0;
	*frame = s->buf + s->head + sizeof(len);
	return (int)len;
}

static inline void stream_skip(struct net_user_stream *s, u32 frame_len)
{
	s->head += (u32)sizeof(u32) + frame_len;
}

/* Writes what the socket takes now. 0, or a negative errno other than -EAGAIN. */
static inline int stream_flush(struct net_user_stream *s, int fd)
{
	while (stream_len(s)) {
		ssize_t n = write(fd, s->buf + s->head, stream_len(s));

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		s->head += (u32)n;
	}
	return 0;
}

/* Reads what is there and fits. 0; -EPIPE at the end; or a negative errno other than -EAGAIN. */
static inline int stream_fill(struct net_user_stream *s, int fd)
{
	ssize_t n;

	stream_room(s, NET_USER_BUF);
	if (s->tail == NET_USER_BUF)
		return 0;
	n = read(fd, s->buf + s->tail, NET_USER_BUF - s->tail);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	s->tail += (u32)n;
	return n ? 0 : -EPIPE;
}

#endif
