/*
 * shared_page_rate: a token bucket for each key, in a table of fixed size.
 *
 * GCRA: a bucket is one number, the moment at which it would be full again if nothing
 * more came ("theoretical arrival time"), so one compare-and-swap decides and counts,
 * and an idle bucket needs no refill and no clean-up.
 *
 * A key may lie in any of the eight slots of one set, a cache line, and its tag says
 * where. When eight others of its set are in debt at once, it takes over the slot with
 * the least debt, and the debt with it. What is always true: nobody ever passes more
 * often than his limit, also who was displaced and comes back (he finds no less debt
 * than he left); what a crowd costs is that somebody waits who need not have. Debts
 * only grow, so two that take up a slot for the same key at the same moment choose the
 * same one, and one of them looks again. The hash is SipHash with a secret seed: nobody
 * can aim at another's set.
 */
#include "shared_page.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "clock.h"
#include "shared_page_priv.h"

#define SECOND_NS INT64_C(1000000000)
#define WINDOW_NS (60 * SECOND_NS)	/* in which an empty bucket is full again */

static uint64_t
rotate_left(uint64_t word, int bits)
{
	return (word << bits) | (word >> (64 - bits));
}

static void
sip_rounds(uint64_t state[4], int rounds)
{
	while (rounds-- > 0) {
		state[0] += state[1];
		state[2] += state[3];
		state[1] = rotate_left(state[1], 13) ^ state[0];
		state[3] = rotate_left(state[3], 16) ^ state[2];
		state[0] = rotate_left(state[0], 32) + state[3];
		state[2] += state[1];
		state[3] = rotate_left(state[3], 21) ^ state[0];
		state[1] = rotate_left(state[1], 17) ^ state[2];
		state[2] = rotate_left(state[2], 32);
	}
}

/* SipHash-2-4 (Aumasson and Bernstein, 2012). The order of bytes in a word does
 * not matter here: no hash leaves the machine. */
static uint64_t
sip_hash(const uint64_t seed[2], const unsigned char *bytes, size_t length)
{
	uint64_t state[4] = {
		seed[0] ^ UINT64_C(0x736f6d6570736575), seed[1] ^ UINT64_C(0x646f72616e646f6d),
		seed[0] ^ UINT64_C(0x6c7967656e657261), seed[1] ^ UINT64_C(0x7465646279746573),
	};
	uint64_t word;

	for (size_t left = length; left >= sizeof(word); left -= sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		bytes += sizeof(word);
		state[3] ^= word;
		sip_rounds(state, 2);
		state[0] ^= word;
	}
	word = (uint64_t)length << 56;
	for (size_t i = 0; i < length % sizeof(word); i++)
		word |= (uint64_t)bytes[i] << (8 * i);
	state[3] ^= word;
	sip_rounds(state, 2);
	state[0] ^= word;

	state[2] ^= 0xff;
	sip_rounds(state, 4);
	return state[0] ^ state[1] ^ state[2] ^ state[3];
}

/* A slot is a tag, never 0 for one that was taken, above the moment in ticks, which last
 * for 36 years of uptime. Intervals are rounded up: by a four-hundredth at a million a
 * minute, by nothing that anybody sees at less. */
#define TICK_NS 256
#define DUE_BITS 52
#define DUE_MASK ((UINT64_C(1) << DUE_BITS) - 1)
#define SECOND_TICKS (SECOND_NS / TICK_NS)

static int64_t
due_of(uint64_t slot)
{
	return (int64_t)(slot & DUE_MASK);
}

/* The slot of the key, or the one that it would take over; what it holds is in *slot. */
static _Atomic uint64_t *
find_slot(_Atomic uint64_t *set, uint64_t tag, uint64_t *slot)
{
	_Atomic uint64_t *least = NULL;

	for (int i = 0; i < RATE_WAYS; i++) {
		uint64_t seen = atomic_load(&set[i]);

		if (seen >> DUE_BITS == tag) {
			*slot = seen;
			return &set[i];
		}
		if (least == NULL || due_of(seen) < due_of(*slot)) {
			least = &set[i];
			*slot = seen;
		}
	}
	return least;
}

static int
seconds_up(int64_t ticks)
{
	return (int)((ticks + SECOND_TICKS - 1) / SECOND_TICKS);
}

uint64_t
shared_page_hash(const struct shared_page *page, const void *key, size_t length)
{
	return sip_hash(page->rate_seed, key, length);
}

static bool
pass(struct shared_page *page, const void *key, int key_length, int per_minute, bool counts, struct rate_state *state)
{
	assert(per_minute > 0);
	const int64_t interval = (WINDOW_NS / TICK_NS + per_minute - 1) / per_minute, most = interval * per_minute;
	const int64_t now = clock_monotonic_ns() / TICK_NS;
	const uint64_t hash = shared_page_hash(page, key, (size_t)key_length);
	const uint64_t tag = hash >> DUE_BITS != 0 ? hash >> DUE_BITS : 1;
	_Atomic uint64_t *set = page->rate_slots[hash % RATE_SETS];
	uint64_t slot;

	for (;;) {
		_Atomic uint64_t *place = find_slot(set, tag, &slot);
		const int64_t from = due_of(slot) > now ? due_of(slot) : now;
		const int64_t due = from + interval, wait = due - now - most;

		if (wait > 0) {
			*state = (struct rate_state){ .wait_s = seconds_up(wait) };
			return false;
		}
		/* Where another was faster, somebody else's slot may be the one by now. */
		if (counts && !atomic_compare_exchange_weak(place, &slot, tag << DUE_BITS | (uint64_t)due))
			continue;
		state->left = (int)((most - (due - now)) / interval);
		state->wait_s = seconds_up(state->left > 0 ? due - now : due + interval - now - most);
		return true;
	}
}

bool
rate_limit_pass(struct shared_page *page, const void *key, int key_length, int per_minute, struct rate_state *state)
{
	return pass(page, key, key_length, per_minute, true, state);
}

bool
rate_limit_has_room(struct shared_page *page, const void *key, int key_length, int per_minute, struct rate_state *state)
{
	return pass(page, key, key_length, per_minute, false, state);
}
