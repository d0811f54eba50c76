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

/* What becomes of a mail that a sender took up. */
enum mail_count { MAIL_COUNT_SENT, MAIL_COUNT_RETRIED, MAIL_COUNT_FAILED, MAIL_COUNT_CANCELLED, MAIL_COUNTS };

/* Why a statement came to nothing. */
enum database_fault {
	DATABASE_FAULT_CONSTRAINT,
	DATABASE_FAULT_CONFLICT,
	DATABASE_FAULT_BUSY,
	DATABASE_FAULT_LOST,
	DATABASE_FAULT_OTHER,
	DATABASE_FAULTS
};

enum hash_purpose { HASH_TO_CHECK, HASH_TO_EQUALISE, HASH_TO_KEEP, HASH_PURPOSES };

/* Mails of the outbox that are not done: a sender's, due, and for later; and those that
 * somebody may want to look at. */
enum outbox_part { OUTBOX_LEASED, OUTBOX_DUE, OUTBOX_LATER, OUTBOX_FAILED, OUTBOX_BOUNCED, OUTBOX_PARTS };

/* The table in metric_table.c gives name, type, labels, help; deploy/METRICS.md tells
 * operators. */
enum metric {
	METRIC_CHILD_RESTARTS,
	METRIC_DATABASE_ERRORS,		/* by enum database_fault */
	METRIC_DATABASE_RECONNECTS,
	/* Of the server. */
	METRIC_REQUESTS,		/* metric_request */
	METRIC_REQUEST_DURATION,	/* metric_request */
	METRIC_REQUESTS_IN_FLIGHT,	/* of a child */
	METRIC_HTTP_REFUSED,
	METRIC_HTTP_CONNECTIONS,	/* of a child */
	METRIC_HTTP_CONNECTIONS_LIMIT,	/* of a child */
	METRIC_RATE_LIMITED,
	METRIC_FORWARDED_UNTRUSTED,
	METRIC_LANE_IN_FLIGHT,		/* of a child, by enum lane; likewise the others */
	METRIC_LANE_WAITING,
	METRIC_LANE_FULL,		/* by enum lane */
	METRIC_LANE_CONNECTIONS,
	METRIC_LANE_CONNECTIONS_UP,
	METRIC_LANE_DURATION,		/* durations, by enum lane */
	METRIC_NOTIFICATIONS,
	METRIC_PASSWORD_CHECKS,
	METRIC_PASSWORD_HASHES,		/* by enum hash_purpose */
	METRIC_PASSWORD_DURATION,	/* durations */
	METRIC_PASSWORD_REFUSALS,
	METRIC_PASSWORD_PLACES,
	METRIC_PASSWORD_WAITING,	/* of a child */
	/* Of the worker. */
	METRIC_OUTBOX_QUEUED,
	METRIC_OUTBOX_OLDEST_S,
	METRIC_OUTBOX_MAILS,		/* by enum outbox_part */
	METRIC_OUTBOX_MAILS_OLDEST_S,	/* likewise */
	METRIC_MAILS,			/* by enum mail_kind and enum mail_count */
	METRIC_MAIL_LANE_HELD,		/* 1 while our own configuration (auth, sender) is refused */
	METRIC_LINKS_EXPIRED,
	METRIC_USERS_IDLED,
	METRIC_USERS_LOCKED,
	METRIC_LOCKS_RELEASED,
	METRIC_TASK_DURATION,		/* durations, by the names of shared_page_name_tasks */
	METRIC_TASK_ROWS,
	METRIC_TASK_LAST_RUN,
	METRIC_JOBS_QUEUED,
	METRIC_JOBS_OLDEST_S,
	METRIC_JOBS_RUNNING,		/* of a child */
	METRIC_JOBS,			/* by enum metric_job and enum job_outcome */
	METRIC_JOB_DURATION,		/* durations, by enum metric_job */
	METRIC_JOB_ROWS,
	METRIC_AUDIT_MONTHS,
	METRIC_IDLE_BRAKED,
	METRIC_KEYS_EXPIRING,
	METRIC_COUNT
};

enum metric_job {
	METRIC_JOB_IMPORT_PARSE,
	METRIC_JOB_IMPORT_APPLY,
	METRIC_JOB_IMPORT_UNDO,
	METRIC_JOB_EXPORT,
	METRIC_JOB_SELECTION,
	METRIC_JOB_KINDS
};

#define METRIC_LANES 3		/* as many as server/lane.h has */
#define METRIC_TASKS_MAX 48
#define FORWARDED_UNTRUSTED_NAME "rollcall_forwarded_untrusted_total"	/* which the doctor looks for */

/* Dies when the memory cannot be mapped. `route_names` label requests; the array
 * and its texts must outlive the page. May be NULL with 0 (worker): what is about
 * requests is then not written. */
struct shared_page *shared_page_create(const char *const *route_names, int route_count);
/* Of the worker: labels of its tasks, which outlive the page. Before the first fork. */
void shared_page_name_tasks(struct shared_page *page, const char *const *names, int count);

/* A counter, or a gauge that all processes share. `by` and `and_by` are places in the
 * enumerations that its labels go by; 0 where it has none. */
void metric_add_by(struct shared_page *page, enum metric metric, int by, int and_by, int64_t amount);
void metric_set_by(struct shared_page *page, enum metric metric, int by, int64_t value);
static inline void metric_add(struct shared_page *page, enum metric metric, int64_t amount)
{
	metric_add_by(page, metric, 0, 0, amount);
}
static inline void metric_set(struct shared_page *page, enum metric metric, int64_t value)
{
	metric_set_by(page, metric, 0, value);
}
/* The sum over its labels. */
int64_t metric_get(const struct shared_page *page, enum metric metric);
/* A gauge of which each child has a part, which goes with it when it dies. */
void metric_child_add(struct shared_page *page, enum metric metric, int by, int child, int64_t amount);
/* One duration of a histogram or summary. */
void metric_observe(struct shared_page *page, enum metric metric, int by, int64_t duration_us);
/* One request: by route, status class and latency. */
void metric_request(struct shared_page *page, int route, int status, int64_t duration_us);
/* Prometheus text format 0.0.4. */
void metrics_write(const struct shared_page *page, struct buffer *out);

/* A place in the hashing queue of the machine; false when `limit` are taken. */
bool hash_place_take(struct shared_page *page, int child, int limit)
	__attribute__((warn_unused_result));
void hash_place_return(struct shared_page *page, int child);
/* For the supervisor, when a child has begun: metrics name it "server-0". `name` must outlive
 * the page. */
void shared_page_meet_child(struct shared_page *page, int child, const char *name, int instance, int pid);
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
/* The same, and nothing is counted: whether one would pass now. */
bool rate_limit_has_room(struct shared_page *page, const void *key, int key_length,
	int per_minute, struct rate_state *state) __attribute__((warn_unused_result));

/* Which credentials were right lately, so that guesses can be bounded without them. It lets nobody
 * in: who is remembered is looked up like anybody. `key` is the hash of a token. */
bool credential_is_known(struct shared_page *page, const char *key);
void credential_remember(struct shared_page *page, const char *key);
/* It was wrong. */
void credential_forget(struct shared_page *page, const char *key);

#endif
