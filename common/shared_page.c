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
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "shared_page_priv.h"

_Static_assert(CHILDREN_MAX < 255, "an owner fits into a byte");

/* Each metric gets as many cells as its labels can have values. */
static void
lay_out_metrics(struct shared_page *page)
{
	int cells = 0, child_cells = 0;

	for (int metric = 0; metric < METRIC_COUNT; metric++) {
		const struct metric_info *info = &metric_table[metric];
		int *next = info->type == CHILD_GAUGE ? &child_cells : &cells;

		page->first_cell[metric] = *next;
		*next += label_capacity(info->by) * label_capacity(info->and_by) * metric_width((enum metric)metric);
	}
	assert(cells <= METRIC_CELLS && child_cells <= CHILD_CELLS);
}

static void
meet(struct process_entry *entry, const char *name, int instance, int pid)
{
	entry->name = name;
	entry->instance = instance;
	atomic_store(&entry->started_at_s, (int64_t)time(NULL));
	atomic_store(&entry->pid, pid);
}

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
	lay_out_metrics(page);
	meet(&page->processes[CHILDREN_MAX], "supervisor", -1, getpid());
	if (RAND_bytes((unsigned char *)page->rate_seed, sizeof(page->rate_seed)) != 1)
		die("could not seed the shared page: no random bytes");
	return page;
}

void
shared_page_name_tasks(struct shared_page *page, const char *const *names, int count)
{
	assert(count <= METRIC_TASKS_MAX);
	page->task_names = names;
	page->task_count = count;
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
shared_page_meet_child(struct shared_page *page, int child, const char *name, int instance, int pid)
{
	assert(child >= 0 && child < CHILDREN_MAX);
	meet(&page->processes[child], name, instance, pid);
}

void
shared_page_forget_child(struct shared_page *page, int child)
{
	atomic_store(&page->processes[child].pid, 0);
	for (int cell = 0; cell < CHILD_CELLS; cell++)
		atomic_store(&page->children[child].cells[cell], 0);
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
