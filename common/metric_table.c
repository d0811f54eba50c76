/*
 * metric_table: every metric that there is: its name, type, labels and help.
 *
 * The only place where a metric gets its name; deploy/METRICS.md says the same for people,
 * and a test compares the two. What a label can say is an enumeration: nothing that comes
 * from outside ever becomes one.
 */
#include <assert.h>
#include <stddef.h>

#include "lifecycle.h"
#include "shared_page_priv.h"

const struct metric_info metric_table[METRIC_COUNT] = {
	[METRIC_CHILD_RESTARTS] = { COUNTER, "rollcall_child_restarts_total", OF_BOTH,
		"Child processes that died and were started again." },
	[METRIC_DATABASE_ERRORS] = { COUNTER, "rollcall_database_errors_total", OF_BOTH,
		"Statements that came to nothing, by why.", LABEL_FAULT },
	[METRIC_DATABASE_RECONNECTS] = { COUNTER, "rollcall_database_reconnects_total", OF_BOTH,
		"Database connections made anew after a loss." },

	[METRIC_REQUESTS] = { COUNTER, "rollcall_requests_total", OF_SERVER,
		"Requests answered, by route and class of status.", LABEL_ROUTE, LABEL_STATUS },
	[METRIC_REQUEST_DURATION] = { HISTOGRAM, "rollcall_request_duration_seconds", OF_SERVER,
		"Time from a request's last byte to its answer, by route.", LABEL_ROUTE },
	[METRIC_REQUESTS_IN_FLIGHT] = { CHILD_GAUGE, "rollcall_requests_in_flight", OF_SERVER,
		"Requests that are being answered." },
	[METRIC_HTTP_REFUSED] = { COUNTER, "rollcall_http_refused_total", OF_SERVER,
		"Requests refused before they had a route: malformed, too large, or while stopping." },
	[METRIC_HTTP_CONNECTIONS] = { CHILD_GAUGE, "rollcall_http_connections", OF_SERVER,
		"Open connections of clients." },
	[METRIC_HTTP_CONNECTIONS_LIMIT] = { CHILD_GAUGE, "rollcall_http_connections_limit", OF_SERVER,
		"Connections of clients that may be open at once." },
	[METRIC_RATE_LIMITED] = { COUNTER, "rollcall_rate_limited_total", OF_SERVER,
		"Requests refused for coming too fast, by their address or their credential." },
	[METRIC_FORWARDED_UNTRUSTED] = { COUNTER, FORWARDED_UNTRUSTED_NAME, OF_SERVER,
		"Requests with X-Forwarded-For from an address that ROLLCALL_TRUSTED_PROXIES does not name." },
	[METRIC_LANE_IN_FLIGHT] = { CHILD_GAUGE, "rollcall_lane_jobs_in_flight", OF_SERVER,
		"Jobs that the database has, by lane.", LABEL_LANE },
	[METRIC_LANE_WAITING] = { CHILD_GAUGE, "rollcall_lane_jobs_waiting", OF_SERVER,
		"Jobs that wait for a database connection, by lane.", LABEL_LANE },
	[METRIC_LANE_FULL] = { COUNTER, "rollcall_lane_full_total", OF_SERVER,
		"Jobs refused because a database lane was full, by lane.", LABEL_LANE },
	[METRIC_LANE_CONNECTIONS] = { CHILD_GAUGE, "rollcall_lane_connections", OF_SERVER,
		"Database connections that a lane has when all is well.", LABEL_LANE },
	[METRIC_LANE_CONNECTIONS_UP] = { CHILD_GAUGE, "rollcall_lane_connections_up", OF_SERVER,
		"Database connections that are up, by lane.", LABEL_LANE },
	[METRIC_LANE_DURATION] = { HISTOGRAM, "rollcall_lane_job_duration_seconds", OF_SERVER,
		"Time from a job's coming to a lane to its answer, by lane.", LABEL_LANE },
	[METRIC_NOTIFICATIONS] = { COUNTER, "rollcall_notifications_total", OF_SERVER,
		"Notifications sent to the workers." },
	[METRIC_PASSWORD_CHECKS] = { COUNTER, "rollcall_password_checks_total", OF_SERVER,
		"Passwords compared with a stored hash." },
	[METRIC_PASSWORD_HASHES] = { COUNTER, "rollcall_password_hashes_total", OF_SERVER,
		"Passwords hashed, by what for: check, equalise (only for its time), keep.", LABEL_PURPOSE },
	[METRIC_PASSWORD_DURATION] = { HISTOGRAM, "rollcall_password_hash_duration_seconds", OF_SERVER,
		"Time from a password's coming to the hashing queue to its hash." },
	[METRIC_PASSWORD_REFUSALS] = { COUNTER, "rollcall_password_queue_full_total", OF_SERVER,
		"Requests refused because the hashing queue was full." },
	[METRIC_PASSWORD_PLACES] = { GAUGE, "rollcall_password_places", OF_SERVER,
		"Places of the hashing queue." },
	[METRIC_PASSWORD_WAITING] = { CHILD_GAUGE, "rollcall_password_hashes_waiting", OF_SERVER,
		"Passwords that wait for a hashing thread." },

	[METRIC_OUTBOX_QUEUED] = { GAUGE, "rollcall_outbox_queued", OF_WORKER,
		"Mails that wait in the outbox." },
	[METRIC_OUTBOX_OLDEST_S] = { GAUGE, "rollcall_outbox_oldest_seconds", OF_WORKER,
		"Age of the oldest mail that waits in the outbox." },
	[METRIC_OUTBOX_MAILS] = { GAUGE, "rollcall_outbox_mails", OF_WORKER,
		"Mails in the outbox that did not go out, by where they stand.", LABEL_PART },
	[METRIC_OUTBOX_MAILS_OLDEST_S] = { GAUGE, "rollcall_outbox_mails_oldest_seconds", OF_WORKER,
		"Age of the oldest of them; of due ones, for how long they are due.", LABEL_PART },
	[METRIC_MAILS] = { COUNTER, "rollcall_mails_total", OF_WORKER,
		"Attempts to send a mail, by kind and outcome.", LABEL_MAIL_KIND, LABEL_MAIL_OUTCOME },
	[METRIC_MAIL_LANE_HELD] = { GAUGE, "rollcall_mail_lane_held", OF_WORKER,
		"1 while the relay refuses our own configuration (authentication, sender)." },
	[METRIC_LINKS_EXPIRED] = { COUNTER, "rollcall_links_expired_total", OF_WORKER,
		"Invitation links that lapsed." },
	[METRIC_USERS_IDLED] = { COUNTER, "rollcall_users_idled_total", OF_WORKER,
		"Users inactivated for being idle." },
	[METRIC_USERS_LOCKED] = { COUNTER, "rollcall_users_locked_by_clock_total", OF_WORKER,
		"Locks that the clock finished after a process died." },
	[METRIC_LOCKS_RELEASED] = { COUNTER, "rollcall_locks_released_total", OF_WORKER,
		"Locked users released by time." },
	[METRIC_TASK_DURATION] = { SUMMARY, "rollcall_task_duration_seconds", OF_WORKER,
		"Runs of the clock's tasks, and the time that they took.", LABEL_TASK },
	[METRIC_TASK_ROWS] = { COUNTER, "rollcall_task_rows_total", OF_WORKER,
		"Rows that the clock's tasks moved or removed.", LABEL_TASK },
	[METRIC_TASK_LAST_RUN] = { GAUGE, "rollcall_task_last_run_timestamp_seconds", OF_WORKER,
		"When the clock's tasks ended last without a fault, as Unix time.", LABEL_TASK },
	[METRIC_JOBS_QUEUED] = { GAUGE, "rollcall_jobs_queued", OF_WORKER,
		"Jobs (imports, exports, selections) that nobody works on yet." },
	[METRIC_JOBS_OLDEST_S] = { GAUGE, "rollcall_jobs_oldest_seconds", OF_WORKER,
		"Age of the oldest job that is not done." },
	[METRIC_JOBS_RUNNING] = { CHILD_GAUGE, "rollcall_jobs_running", OF_WORKER,
		"Jobs that this worker works on." },
	[METRIC_JOBS] = { COUNTER, "rollcall_jobs_total", OF_WORKER,
		"Runs of jobs, by kind and by how they ended.", LABEL_JOB_KIND, LABEL_JOB_OUTCOME },
	[METRIC_JOB_DURATION] = { SUMMARY, "rollcall_job_duration_seconds", OF_WORKER,
		"Runs of jobs, and the time that they took, by kind.", LABEL_JOB_KIND },
	[METRIC_JOB_ROWS] = { COUNTER, "rollcall_job_rows_total", OF_WORKER,
		"Rows that jobs have done." },
	[METRIC_AUDIT_MONTHS] = { GAUGE, "rollcall_audit_months_ahead", OF_WORKER,
		"Months for which the audit has partitions." },
	[METRIC_IDLE_BRAKED] = { GAUGE, "rollcall_idle_braked_organizations", OF_WORKER,
		"Organizations whose idle sweep is stopped by its brake." },
	[METRIC_KEYS_EXPIRING] = { GAUGE, "rollcall_keys_expiring", OF_WORKER,
		"Keys used within 30 days that expire within 14 days." },
};

static const char *const lanes[METRIC_LANES] = { "read", "write", "slow" };
static const char *const faults[DATABASE_FAULTS] = {
	[DATABASE_FAULT_CONSTRAINT] = "constraint", [DATABASE_FAULT_CONFLICT] = "conflict",
	[DATABASE_FAULT_BUSY] = "busy", [DATABASE_FAULT_LOST] = "lost", [DATABASE_FAULT_OTHER] = "other",
};
static const char *const purposes[HASH_PURPOSES] = {
	[HASH_TO_CHECK] = "check", [HASH_TO_EQUALISE] = "equalise", [HASH_TO_KEEP] = "keep",
};
static const char *const parts[OUTBOX_PARTS] = {
	[OUTBOX_LEASED] = "leased", [OUTBOX_DUE] = "due", [OUTBOX_LATER] = "later",
	[OUTBOX_FAILED] = "failed", [OUTBOX_BOUNCED] = "bounced",
};
static const char *const mail_outcomes[MAIL_COUNTS] = {
	[MAIL_COUNT_SENT] = "sent", [MAIL_COUNT_RETRIED] = "retried",
	[MAIL_COUNT_FAILED] = "failed", [MAIL_COUNT_CANCELLED] = "cancelled",
};
static const char *const job_kinds[METRIC_JOB_KINDS] = {
	[METRIC_JOB_IMPORT_PARSE] = "import_parse", [METRIC_JOB_IMPORT_APPLY] = "import_apply",
	[METRIC_JOB_IMPORT_UNDO] = "import_undo", [METRIC_JOB_EXPORT] = "export", [METRIC_JOB_SELECTION] = "selection",
};
static const char *const job_outcomes[JOB_OUTCOMES] = {
	[JOB_OUTCOME_ENDED] = "ended", [JOB_OUTCOME_LATER] = "later",
	[JOB_OUTCOME_STOPPED] = "stopped", [JOB_OUTCOME_GIVEN_UP] = "given_up",
};
static const char *const statuses[STATUS_CLASSES] = { "0xx", "1xx", "2xx", "3xx", "4xx", "5xx" };

/* Without values: they are in the page, or in a table of words. */
static const struct {
	const char *name;
	const char *const *values;
	int capacity;
} labels[LABEL_COUNT] = {
	[LABEL_NONE] = { "", NULL, 1 },
	[LABEL_ROUTE] = { "route", NULL, METRIC_ROUTES_MAX + 1 },	/* the last one: no route */
	[LABEL_STATUS] = { "status", statuses, STATUS_CLASSES },
	[LABEL_LANE] = { "lane", lanes, METRIC_LANES },
	[LABEL_FAULT] = { "reason", faults, DATABASE_FAULTS },
	[LABEL_PURPOSE] = { "purpose", purposes, HASH_PURPOSES },
	[LABEL_PART] = { "state", parts, OUTBOX_PARTS },
	[LABEL_MAIL_KIND] = { "kind", NULL, MAIL_KIND_COUNT + 1 },	/* the last one: of a newer release */
	[LABEL_MAIL_OUTCOME] = { "outcome", mail_outcomes, MAIL_COUNTS },
	[LABEL_TASK] = { "task", NULL, METRIC_TASKS_MAX },
	[LABEL_JOB_KIND] = { "kind", job_kinds, METRIC_JOB_KINDS },
	[LABEL_JOB_OUTCOME] = { "outcome", job_outcomes, JOB_OUTCOMES },
};

int
label_capacity(enum label label)
{
	return labels[label].capacity;
}

int
label_count(const struct shared_page *page, enum label label)
{
	switch (label) {
	case LABEL_ROUTE: return page->route_count + 1;
	case LABEL_TASK: return page->task_count;
	default: return labels[label].capacity;
	}
}

const char *
label_name(enum label label)
{
	return labels[label].name;
}

const char *
label_value(const struct shared_page *page, enum label label, int value)
{
	switch (label) {
	case LABEL_ROUTE: return value < page->route_count ? page->route_names[value] : "none";
	case LABEL_TASK: return page->task_names[value];
	case LABEL_MAIL_KIND: return value < MAIL_KIND_COUNT ? mail_kind_word((enum mail_kind)value) : "unknown";
	default: return labels[label].values[value];
	}
}

int
metric_width(enum metric metric)
{
	switch (metric_table[metric].type) {
	case HISTOGRAM: return LATENCY_BUCKETS + 2;
	case SUMMARY: return 2;
	default: return 1;
	}
}
