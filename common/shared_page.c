/*
 * shared_page: making the page, hashing places, and who is busy since when.
 *
 * A hashing place is one byte that holds its owner. Taking, returning and
 * forgetting are single exchanges on that byte, so the bound is exact and a child
 * that is killed between any two instructions leaves nothing uncounted: a total
 * beside per-child counts would drift by one in that window.
 *
 * Rate limits and metrics are in shared_page_rate.c and shared_page_metrics.c.
 */
#include "shared_page.h"

#include <assert.h>
#include <errno.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/mman.h>

#include "log.h"
#include "shared_page_priv.h"

_Static_assert(CHILDREN_MAX < 255, "an owner fits into a byte");

struct shared_page *
shared_page_create(const char *const *route_names, int route_count)
{
	assert(route_count >= 0 && route_count <= METRIC_ROUTES_MAX);

	/* Fresh pages are zero, which is a valid value of every field. */
	struct shared_page *page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		die("could not map the shared page: %s", strerror(errno));

	page->route_names = route_names;
	page->route_count = route_count;
	if (RAND_bytes((unsigned char *)page->rate_seed, sizeof(page->rate_seed)) != 1)
		die("could not seed the shared page: no random bytes");
	return page;
}

/* Hands the first of `limit` places that belongs to `from` over to `to`. */
static bool
hand_over_place(struct shared_page *page, unsigned char from, unsigned char to, int limit)
{
	for (int place = 0; place < limit; place++) {
		unsigned char owner = from;

		/* Look first: a failed exchange takes the cache line from its owner. */
		if (atomic_load_explicit(&page->place_owner[place], memory_order_relaxed) == from &&
		    atomic_compare_exchange_strong(&page->place_owner[place], &owner, to))
			return true;
	}
	return false;
}

static unsigned char
owner_of(int child)
{
	assert(child >= 0 && child < CHILDREN_MAX);
	return (unsigned char)(child + 1);
}

bool
hash_place_take(struct shared_page *page, int child, int limit)
{
	return hand_over_place(page, 0, owner_of(child),
		limit < HASH_PLACES_MAX ? limit : HASH_PLACES_MAX);
}

void
hash_place_return(struct shared_page *page, int child)
{
	bool was_taken = hand_over_place(page, owner_of(child), 0, HASH_PLACES_MAX);

	assert(was_taken);
	(void)was_taken;
}

void
shared_page_forget_child(struct shared_page *page, int child)
{
	while (hand_over_place(page, owner_of(child), 0, HASH_PLACES_MAX))
		continue;
	child_busy_set(page, child, 0);
}

void
child_busy_set(struct shared_page *page, int child, int64_t since_ms)
{
	assert(child >= 0 && child < CHILDREN_MAX);
	atomic_store(&page->busy_since_ms[child], since_ms);
}

int64_t
child_busy_get(const struct shared_page *page, int child)
{
	assert(child >= 0 && child < CHILDREN_MAX);
	return atomic_load(&page->busy_since_ms[child]);
}
