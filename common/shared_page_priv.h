/*
 * shared_page_priv: the body of the shared page, for the three files that work on
 * it: shared_page.c (making it, places, busy children), shared_page_rate.c (rate
 * limits) and shared_page_metrics.c (counting and the text of /metrics).
 */
#ifndef ROLLCALL_SHARED_PAGE_PRIV_H
#define ROLLCALL_SHARED_PAGE_PRIV_H

#include <stdatomic.h>
#include <stdint.h>

#include "shared_page.h"

/* Atomics that took a lock would keep it in one process only. */
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_CHAR_LOCK_FREE == 2,
	"the shared page needs lock-free atomics");

#define RATE_SETS 8192		/* 512 KiB in all; a power of two, and below the bits of the tag */
#define RATE_WAYS 8		/* of 8 bytes: a cache line */
#define LATENCY_BUCKETS 13	/* bounds in shared_page_metrics.c; one more for +Inf */
#define STATUS_CLASSES 6	/* 1xx to 5xx; 0 is anything else */

struct route_counters {
	_Atomic int64_t by_class[STATUS_CLASSES];
	_Atomic int64_t by_latency[LATENCY_BUCKETS + 1];
	_Atomic int64_t duration_us;
};

struct shared_page {
	/* Written once, before the first fork. */
	const char *const *route_names;
	int route_count;
	uint64_t rate_seed[2];

	_Atomic int64_t metrics[METRIC_COUNT];
	_Atomic unsigned char gauge_is_set[METRIC_COUNT];
	struct route_counters routes[METRIC_ROUTES_MAX + 1];	/* the last: no route */

	/* Who sits on each hashing place: number of the child + 1, 0 when free. */
	_Atomic unsigned char place_owner[HASH_PLACES_MAX];
	_Atomic int64_t busy_since_ms[CHILDREN_MAX];

	/* shared_page_rate.c: whose bucket, and when it is full again. */
	_Alignas(64) _Atomic uint64_t rate_slots[RATE_SETS][RATE_WAYS];
};

#endif
