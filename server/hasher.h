/*
 * hasher: password hashes on low-priority threads, with a bounded queue.
 *
 * Places are counted for the whole machine in the shared page (ROLLCALL_HASH_QUEUE
 * over all processes, those being hashed among them); threads are
 * ROLLCALL_HASH_THREADS divided among the processes, at least one each. A place is
 * reserved before anything is counted in the database, and given back by completing
 * or by hasher_release. Password checks are counted by the caller, who knows which of
 * them only equalise time; refused places are counted here.
 */
#ifndef ROLLCALL_HASHER_H
#define ROLLCALL_HASHER_H

#include <stdbool.h>

#include "password.h"

struct config;
struct event_base;
struct hasher;
struct shared_page;

struct hasher *hasher_create(struct event_base *base, const struct config *config,
	struct shared_page *page, int child);
/* Waits for the hashes in work. Every task still open completes inside the call, with
 * `is_lost`; its callback may release places, but queue nothing. */
void hasher_free(struct hasher **hasher);

/* False: the queue is full, answer 503. */
bool hasher_reserve(struct hasher *hasher) __attribute__((warn_unused_result));
/* Gives back a reserved place that will not be used. */
void hasher_release(struct hasher *hasher);

struct hash_result {
	bool is_lost;			/* the process ends: nobody knows, answer 503 */
	bool ok;			/* verify: the password is right. make: there is a hash */
	char hash[PASSWORD_HASH_SIZE];	/* make: the new hash. verify: a new one when the old should
					 * be replaced, otherwise "" */
};
typedef void hash_callback(void *context, const struct hash_result *result);

/* Both use up a reserved place and complete exactly once, in the event loop or in
 * hasher_free, never inside the call. Passwords and hashes are copied and cleansed. `stored` NULL verifies
 * against a dummy of the configured cost: false, in the same time. An outdated hash, of
 * another scheme or cost, takes one more hash of time on the same thread: a right password
 * is hashed anew, a wrong one is verified against the dummy, too, lest a cheap scheme show
 * that there is such a login (one dearer than today's cost still can, until its first login). */
void hasher_verify(struct hasher *hasher, const char *stored, const char *password,
	hash_callback *callback, void *context);
void hasher_make(struct hasher *hasher, const char *password,
	hash_callback *callback, void *context);

#endif
