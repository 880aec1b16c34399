/* SPDX-License-Identifier: MIT */
/*
 * The host end of a serial line or console: one byte stream in each direction. Specs:
 *
 *	stdio		the process's terminal, in raw mode until chardev_close(); Ctrl-A is its
 *escape pty		a new pseudo-terminal; its name is reported on stderr unix=PATH	listens on
 *a unix socket, one client at a time file=PATH	output is appended, no input
 *	none		output is dropped, no input
 *
 * chardev_write() may be called by any thread; everything else, and every client callback, runs
 * on the thread of the event loop.
 */
#ifndef ARMATURE_CHARDEV_H
#define ARMATURE_CHARDEV_H

#include <sys/types.h>

#include "common/event_loop.h"
#include "common/types.h"

struct chardev;

struct chardev_client {
	/* Bytes the client takes now; the chardev reads no more than that from the host. */
	size_t (*can_receive)(void *opaque);
	void (*receive)(void *opaque, const u8 *buf, size_t len);
	/* chardev_write() accepted less than asked and has room again. May be NULL. */
	void (*writable)(void *opaque);
	/* A peer came (true) or went; stdio, file and none have one from the start. May be NULL. */
	void (*connected)(void *opaque, bool connected);
};

struct chardev_params {
	const char *spec; /* as above */
	const char *id;	  /* for messages, e.g. "serial" */
	struct event_loop *loop;
	void (*quit)(void *opaque); /* Ctrl-A x on stdio; loop thread. May be NULL */
	void *quit_opaque;
};

/* NULL when `spec` is well formed, else what is allowed (static). Opens nothing. */
const char *chardev_spec_check(const char *spec);
/* 0, or a negative errno after one error_report that names id and spec. */
int chardev_open(const struct chardev_params *params, struct chardev **out);
void chardev_close(struct chardev *cd);

/* One client; NULL detaches. Input before a client is attached waits in the host. */
void chardev_set_client(struct chardev *cd, const struct chardev_client *client, void *opaque);
/* The client has room again after can_receive() said 0. */
void chardev_accept_input(struct chardev *cd);
/*
 * Never blocks, never fails: returns how many bytes were taken (0..len). With no peer connected,
 * all are taken and dropped. When less than `len`, client->writable follows.
 */
size_t chardev_write(struct chardev *cd, const void *buf, size_t len);
/* Where a peer connects: the pty's name, the socket's path; "" for the others. */
const char *chardev_address(const struct chardev *cd);

#endif
