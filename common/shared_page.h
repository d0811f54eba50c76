/*
 * shared_page: what the processes under one supervisor share: a page of atomics.
 *
 * Made before the first fork, mapped in every child, no locks. Counters only go
 * up, also over a child's death; gauges are set; each hashing place knows its
 * child, and the supervisor frees a dead child's.
 */
#ifndef ROLLCALL_SHARED_PAGE_H
#define ROLLCALL_SHARED_PAGE_H

#include <stdbool.h>
#include <stdint.h>

struct buffer;
struct shared_page;

#define CHILDREN_MAX 64
#define HASH_PLACES_MAX 4096	/* ROLLCALL_HASH_QUEUE may be no more */
#define METRIC_ROUTES_MAX 256	/* labels of routes: index into the route table */

enum job_outcome {
	JOB_OUTCOME_ENDED,
	JOB_OUTCOME_LATER,
	JOB_OUTCOME_STOPPED,
	JOB_OUTCOME_GIVEN_UP,
	JOB_OUTCOMES
};

/* Plain counters and gauges; the table in shared_page.c gives name, type, help. */
enum metric {
	METRIC_PASSWORD_CHECKS,		/* rollcall_password_checks_total */
	METRIC_PASSWORD_HASHES,		/* rollcall_password_hashes_total */
	METRIC_PASSWORD_REFUSALS,	/* rollcall_password_queue_full_total */
	METRIC_RATE_LIMITED,		/* rollcall_rate_limited_total */
	METRIC_HTTP_REFUSED,		/* rollcall_http_refused_total */
	METRIC_LANE_FULL,		/* rollcall_lane_full_total */
	METRIC_DATABASE_RECONNECTS,	/* rollcall_database_reconnects_total */
	METRIC_CHILD_RESTARTS,		/* rollcall_child_restarts_total */
	METRIC_NOTIFICATIONS,		/* rollcall_notifications_total */
	METRIC_OUTBOX_QUEUED,		/* gauge rollcall_outbox_queued */
	METRIC_OUTBOX_OLDEST_S,		/* gauge rollcall_outbox_oldest_seconds */
	METRIC_MAILS_SENT,		/* rollcall_mails_total{outcome="sent"} */
	METRIC_MAILS_RETRIED,		/* …{outcome="retried"} */
	METRIC_MAILS_FAILED,		/* …{outcome="failed"} */
	METRIC_MAILS_CANCELLED,		/* …{outcome="cancelled"} */
	METRIC_MAIL_LANE_HELD,		/* gauge rollcall_mail_lane_held: 1 while our own
					 * configuration (auth, sender) is refused */
	METRIC_LINKS_EXPIRED,		/* rollcall_links_expired_total */
	METRIC_USERS_IDLED,		/* rollcall_users_idled_total */
	METRIC_USERS_LOCKED,		/* rollcall_users_locked_by_clock_total */
	METRIC_LOCKS_RELEASED,		/* rollcall_locks_released_total */
	METRIC_JOBS_QUEUED,		/* gauge rollcall_jobs_queued */
	METRIC_JOBS_OLDEST_S,		/* gauge rollcall_jobs_oldest_seconds */
	METRIC_JOB_ROWS,		/* rollcall_job_rows_total */
	/* rollcall_jobs_total{kind=…,outcome=…}: of each kind one for each job_outcome */
	METRIC_JOBS_IMPORT_PARSE,
	METRIC_JOBS_IMPORT_APPLY = METRIC_JOBS_IMPORT_PARSE + JOB_OUTCOMES,
	METRIC_JOBS_IMPORT_UNDO = METRIC_JOBS_IMPORT_APPLY + JOB_OUTCOMES,
	METRIC_JOBS_EXPORT = METRIC_JOBS_IMPORT_UNDO + JOB_OUTCOMES,
	METRIC_JOBS_SELECTION = METRIC_JOBS_EXPORT + JOB_OUTCOMES,
	METRIC_JOBS_LAST = METRIC_JOBS_SELECTION + JOB_OUTCOMES - 1,
	METRIC_COUNT
};

/* Dies when the memory cannot be mapped. `route_names` label requests; the array
 * and its texts must outlive the page. May be NULL with 0 (worker). */
struct shared_page *shared_page_create(const char *const *route_names, int route_count);

void metric_add(struct shared_page *page, enum metric metric, int64_t amount);
void metric_set(struct shared_page *page, enum metric metric, int64_t value);
int64_t metric_get(const struct shared_page *page, enum metric metric);
/* One request: by route, status class and latency histogram. */
void metric_request(struct shared_page *page, int route, int status, int64_t duration_us);
/* Prometheus text format 0.0.4. */
void metrics_write(const struct shared_page *page, struct buffer *out);

/* A place in the hashing queue of the machine; false when `limit` are taken. */
bool hash_place_take(struct shared_page *page, int child, int limit)
	__attribute__((warn_unused_result));
void hash_place_return(struct shared_page *page, int child);
/* For the supervisor, when a child has died. */
void shared_page_forget_child(struct shared_page *page, int child);

/* When a child began what it is busy with (monotonic ms, 0 = idle): the
 * supervisor kills one that is busy past its deadline. */
void child_busy_set(struct shared_page *page, int child, int64_t since_ms);
int64_t child_busy_get(const struct shared_page *page, int child);

/* What a bucket allows after this request. */
struct rate_state {
	int left;	/* requests that may come at once */
	int wait_s;	/* with some left: until it is full again; otherwise until the next gets in */
};

/* Token bucket (GCRA) of one key, e.g. an address: `per_minute` (at least 1) on average,
 * as many at once; all processes count together. True when the request may pass, and was
 * counted; one that is refused costs nothing. Who comes alone and waits for wait_s gets in.
 * Keys of different limits must differ. */
bool rate_limit_pass(struct shared_page *page, const void *key, int key_length,
	int per_minute, struct rate_state *state) __attribute__((warn_unused_result));

#endif
