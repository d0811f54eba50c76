/*
 * shared_page_rate: a token bucket for each key, in a table of fixed size.
 *
 * GCRA: a bucket is one number, the moment at which it would be full again if
 * nothing more came ("theoretical arrival time"), so one compare-and-swap decides
 * and counts, and an idle bucket needs no refill and no clean-up. Keys that fall
 * on the same bucket share it; the hash is SipHash with a secret seed, so nobody
 * can aim at another's bucket.
 */
#include "shared_page.h"

#include <stddef.h>
#include <string.h>

#include "clock.h"
#include "shared_page_priv.h"

#define SECOND_NS INT64_C(1000000000)
#define WINDOW_NS (60 * SECOND_NS)	/* how far a bucket may be ahead of the clock */

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

bool
rate_limit_pass(struct shared_page *page, const void *key, int key_length,
	int per_minute, int *retry_after_s)
{
	if (per_minute <= 0)
		return true;

	const int64_t interval_ns = WINDOW_NS / per_minute;
	const int64_t now_ns = clock_monotonic_ns();
	const uint64_t hash = sip_hash(page->rate_seed, key, (size_t)key_length);
	_Atomic int64_t *bucket = &page->rate_due_ns[hash % RATE_BUCKETS];
	int64_t due_ns = atomic_load(bucket);

	for (;;) {
		int64_t from_ns = due_ns > now_ns ? due_ns : now_ns;
		int64_t wait_ns = from_ns + interval_ns - now_ns - WINDOW_NS;

		if (wait_ns > 0) {
			*retry_after_s = (int)((wait_ns + SECOND_NS - 1) / SECOND_NS);
			return false;
		}
		/* Another process was faster: due_ns is what it left; judge anew. */
		if (atomic_compare_exchange_weak(bucket, &due_ns, from_ns + interval_ns))
			return true;
	}
}
