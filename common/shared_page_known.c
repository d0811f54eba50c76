/*
 * shared_page_known: credentials that were right within a day, in a table of fixed size.
 *
 * A key may lie in any of the eight slots of one set: a tag of 40 bits above the minute in which it
 * was right. Where eight others are there, the one that was right longest ago gives way. What is
 * always true: whoever is forgotten too early, or taken for known by chance (one in 10^11), is only
 * treated as a stranger, or as none, before the database is asked; nothing here lets anybody in. So
 * whoever loses a race for a slot leaves it at that.
 */
#include "shared_page.h"

#include <string.h>

#include "clock.h"
#include "shared_page_priv.h"

#define MINUTE_NS INT64_C(60000000000)
#define MINUTE_BITS 24		/* for 31 years of uptime */
#define MINUTE_MASK ((UINT64_C(1) << MINUTE_BITS) - 1)
#define KNOWN_FOR_MIN (24 * 60)
#define FRESH_FOR_MIN 60	/* no need to write it again */

static uint64_t
now_minute(void)
{
	return (uint64_t)(clock_monotonic_ns() / MINUTE_NS) & MINUTE_MASK;
}

/* The slot that has the key, and what is in it; NULL: there is none, and *oldest is the one to take. */
static _Atomic uint64_t *
find_slot(struct shared_page *page, const char *key, uint64_t *tag, uint64_t *seen, _Atomic uint64_t **oldest)
{
	const uint64_t hash = shared_page_hash(page, key, strlen(key));
	_Atomic uint64_t *set = page->known_slots[hash % KNOWN_SETS];
	uint64_t least = UINT64_MAX;

	*tag = hash >> MINUTE_BITS != 0 ? hash >> MINUTE_BITS : 1;
	for (int i = 0; i < KNOWN_WAYS; i++) {
		const uint64_t slot = atomic_load(&set[i]);

		if (slot >> MINUTE_BITS == *tag) {
			*seen = slot;
			return &set[i];
		}
		if ((slot & MINUTE_MASK) < least) {
			least = slot & MINUTE_MASK;
			*seen = slot;
			*oldest = &set[i];
		}
	}
	return NULL;
}

bool
credential_is_known(struct shared_page *page, const char *key)
{
	_Atomic uint64_t *oldest;
	uint64_t tag, seen;

	return find_slot(page, key, &tag, &seen, &oldest) != NULL && now_minute() - (seen & MINUTE_MASK) < KNOWN_FOR_MIN;
}

void
credential_remember(struct shared_page *page, const char *key)
{
	const uint64_t now = now_minute();
	_Atomic uint64_t *oldest;
	uint64_t tag, seen;
	_Atomic uint64_t *slot = find_slot(page, key, &tag, &seen, &oldest);

	if (slot == NULL || now - (seen & MINUTE_MASK) >= FRESH_FOR_MIN)
		(void)atomic_compare_exchange_strong(slot != NULL ? slot : oldest, &seen, tag << MINUTE_BITS | now);
}

void
credential_forget(struct shared_page *page, const char *key)
{
	_Atomic uint64_t *oldest;
	uint64_t tag, seen;
	_Atomic uint64_t *slot = find_slot(page, key, &tag, &seen, &oldest);

	if (slot != NULL)
		(void)atomic_compare_exchange_strong(slot, &seen, 0);
}
