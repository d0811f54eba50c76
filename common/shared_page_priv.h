/*
 * shared_page_priv: the body of the shared page, for the files that work on it:
 * shared_page.c (making it, places, who is busy), shared_page_rate.c (rate limits),
 * shared_page_known.c (whose credentials were right), shared_page_metrics.c (counting) and metrics_text.c (what is counted as text); and the
 * table of metrics (metric_table.c), by which the last two go.
 */
#ifndef ROLLCALL_SHARED_PAGE_PRIV_H
#define ROLLCALL_SHARED_PAGE_PRIV_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "shared_page.h"

/* Atomics that took a lock would keep it in one process only. */
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_CHAR_LOCK_FREE == 2,
	"the shared page needs lock-free atomics");

#define RATE_SETS 8192		/* 512 KiB in all; a power of two, and below the bits of the tag */
#define RATE_WAYS 8		/* of 8 bytes: a cache line */
#define KNOWN_SETS 8192		/* likewise */
#define KNOWN_WAYS 8
#define LATENCY_BUCKETS 14	/* bounds in shared_page_metrics.c; one more for +Inf */
#define STATUS_CLASSES 6	/* 1xx to 5xx; 0 is anything else */

enum metric_type {
	COUNTER,
	GAUGE,		/* shown once somebody has set it: nobody must claim that a queue is empty
			 * which another program looks after */
	CHILD_GAUGE,	/* the sum of the children's parts */
	HISTOGRAM,	/* of durations: a bucket for each bound, one more, and the sum */
	SUMMARY,	/* of durations: count and sum */
};

enum metric_program { OF_BOTH, OF_SERVER, OF_WORKER };

enum label {
	LABEL_NONE, LABEL_ROUTE, LABEL_STATUS, LABEL_LANE, LABEL_FAULT, LABEL_PURPOSE, LABEL_PART, LABEL_MAIL_KIND,
	LABEL_MAIL_OUTCOME, LABEL_TASK, LABEL_JOB_KIND, LABEL_JOB_OUTCOME, LABEL_COUNT
};

struct metric_info {
	enum metric_type type;
	const char *name;
	enum metric_program program;
	const char *help;
	enum label by, and_by;
};
extern const struct metric_info metric_table[METRIC_COUNT];

/* How many values a label may have at most, and has in this program. */
int label_capacity(enum label label);
int label_count(const struct shared_page *page, enum label label);
const char *label_name(enum label label);
const char *label_value(const struct shared_page *page, enum label label, int value);

/* Cells of a metric for each combination of its labels' values. */
int metric_width(enum metric metric);
/* The upper bound of a bucket, in seconds, as text. */
const char *latency_bound(int bucket);

#define METRIC_CELLS 8192
#define CHILD_CELLS 32

struct process_entry {
	_Atomic int pid;		/* 0: none */
	_Atomic int64_t started_at_s;	/* Unix time */
	const char *name;		/* NULL: none ever */
	int instance;			/* -1: there is only one */
};

struct shared_page {
	/* Written once, before the first fork. */
	const char *const *route_names;
	int route_count;
	const char *const *task_names;
	int task_count;
	uint64_t rate_seed[2];
	int first_cell[METRIC_COUNT];	/* of each metric: in `cells`, or in each child's */

	_Atomic int64_t cells[METRIC_CELLS];
	_Atomic unsigned char cell_is_set[METRIC_CELLS];
	struct {
		_Atomic int64_t cells[CHILD_CELLS];
	} children[CHILDREN_MAX];
	struct process_entry processes[CHILDREN_MAX + 1];	/* the last: who made the page */

	/* Who sits on each hashing place: number of the child + 1, 0 when free. */
	_Atomic unsigned char place_owner[HASH_PLACES_MAX];
	_Atomic int64_t busy_since_ms[CHILDREN_MAX];

	/* shared_page_rate.c: whose bucket, and when it is full again. */
	_Alignas(64) _Atomic uint64_t rate_slots[RATE_SETS][RATE_WAYS];
	/* shared_page_known.c: whose credential, and when it was right. */
	_Alignas(64) _Atomic uint64_t known_slots[KNOWN_SETS][KNOWN_WAYS];
};

/* SipHash with the page's secret seed: nobody can aim at another's set. */
uint64_t shared_page_hash(const struct shared_page *page, const void *key, size_t length);

#endif
