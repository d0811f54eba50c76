/*
 * shared_page_metrics: counting, and what has been counted as text.
 *
 * The table below is the only place where a metric gets its name. Values of one
 * family stand together, as the text format (0.0.4) demands. A counter is shown
 * from the start, a gauge only once somebody has set it: a program must not claim
 * a queue is empty that another one looks after.
 */
#include "shared_page.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "buffer.h"
#include "shared_page_priv.h"

enum metric_type { COUNTER, GAUGE };

#define JOBS_OUTCOME(metric, kind, outcome, word) \
	[(metric) + (outcome)] = { COUNTER, "rollcall_jobs_total", "{kind=\"" kind "\",outcome=\"" word "\"}", \
		"Runs of jobs, by kind and by how they ended." }
#define JOBS(metric, kind) \
	JOBS_OUTCOME(metric, kind, JOB_OUTCOME_ENDED, "ended"), JOBS_OUTCOME(metric, kind, JOB_OUTCOME_LATER, "later"), \
	JOBS_OUTCOME(metric, kind, JOB_OUTCOME_STOPPED, "stopped"), JOBS_OUTCOME(metric, kind, JOB_OUTCOME_GIVEN_UP, "given_up")

static const struct metric_info {
	enum metric_type type;
	const char *name;
	const char *labels;	/* "" or {name="value"} */
	const char *help;
} metric_table[METRIC_COUNT] = {
	[METRIC_PASSWORD_CHECKS] = { COUNTER, "rollcall_password_checks_total", "",
		"Passwords compared with a stored hash." },
	[METRIC_PASSWORD_HASHES] = { COUNTER, "rollcall_password_hashes_total", "",
		"Hashes of passwords that were begun, also those that only take the time of one." },
	[METRIC_PASSWORD_REFUSALS] = { COUNTER, "rollcall_password_queue_full_total", "",
		"Requests refused because the hashing queue was full." },
	[METRIC_RATE_LIMITED] = { COUNTER, "rollcall_rate_limited_total", "",
		"Requests refused for coming too fast." },
	[METRIC_HTTP_REFUSED] = { COUNTER, "rollcall_http_refused_total", "",
		"Requests refused before they had a route: malformed, too large, or while stopping." },
	[METRIC_LANE_FULL] = { COUNTER, "rollcall_lane_full_total", "",
		"Requests refused because a database lane was full." },
	[METRIC_DATABASE_RECONNECTS] = { COUNTER, "rollcall_database_reconnects_total", "",
		"Database connections made anew after a loss." },
	[METRIC_CHILD_RESTARTS] = { COUNTER, "rollcall_child_restarts_total", "",
		"Child processes that died and were started again." },
	[METRIC_NOTIFICATIONS] = { COUNTER, "rollcall_notifications_total", "",
		"Notifications sent to the workers." },
	[METRIC_OUTBOX_QUEUED] = { GAUGE, "rollcall_outbox_queued", "",
		"Mails that wait in the outbox." },
	[METRIC_OUTBOX_OLDEST_S] = { GAUGE, "rollcall_outbox_oldest_seconds", "",
		"Age of the oldest mail that waits in the outbox." },
	[METRIC_MAILS_SENT] = { COUNTER, "rollcall_mails_total", "{outcome=\"sent\"}",
		"Attempts to send a mail, by outcome." },
	[METRIC_MAILS_RETRIED] = { COUNTER, "rollcall_mails_total", "{outcome=\"retried\"}", "" },
	[METRIC_MAILS_FAILED] = { COUNTER, "rollcall_mails_total", "{outcome=\"failed\"}", "" },
	[METRIC_MAILS_CANCELLED] = { COUNTER, "rollcall_mails_total", "{outcome=\"cancelled\"}", "" },
	[METRIC_MAIL_LANE_HELD] = { GAUGE, "rollcall_mail_lane_held", "",
		"1 while the relay refuses our own configuration (authentication, sender)." },
	[METRIC_LINKS_EXPIRED] = { COUNTER, "rollcall_links_expired_total", "",
		"Invitation links that lapsed." },
	[METRIC_USERS_IDLED] = { COUNTER, "rollcall_users_idled_total", "",
		"Users inactivated for being idle." },
	[METRIC_USERS_LOCKED] = { COUNTER, "rollcall_users_locked_by_clock_total", "",
		"Locks that the clock finished after a process died." },
	[METRIC_LOCKS_RELEASED] = { COUNTER, "rollcall_locks_released_total", "",
		"Locked users released by time." },
	[METRIC_JOBS_QUEUED] = { GAUGE, "rollcall_jobs_queued", "",
		"Jobs (imports, exports, selections) that nobody works on yet." },
	[METRIC_JOBS_OLDEST_S] = { GAUGE, "rollcall_jobs_oldest_seconds", "",
		"Age of the oldest job that is not done." },
	[METRIC_JOB_ROWS] = { COUNTER, "rollcall_job_rows_total", "",
		"Rows that jobs have done." },
	JOBS(METRIC_JOBS_IMPORT_PARSE, "import_parse"),
	JOBS(METRIC_JOBS_IMPORT_APPLY, "import_apply"),
	JOBS(METRIC_JOBS_IMPORT_UNDO, "import_undo"),
	JOBS(METRIC_JOBS_EXPORT, "export"),
	JOBS(METRIC_JOBS_SELECTION, "selection"),
};

static const struct latency_bound {
	int64_t us;
	const char *label;
} latency_bounds[LATENCY_BUCKETS] = {
	{ 500, "0.0005" }, { 1000, "0.001" }, { 2500, "0.0025" }, { 5000, "0.005" },
	{ 10000, "0.01" }, { 25000, "0.025" }, { 50000, "0.05" }, { 100000, "0.1" },
	{ 250000, "0.25" }, { 500000, "0.5" }, { 1000000, "1" }, { 2500000, "2.5" },
	{ 5000000, "5" },
};

void
metric_add(struct shared_page *page, enum metric metric, int64_t amount)
{
	assert(metric < METRIC_COUNT);
	atomic_fetch_add_explicit(&page->metrics[metric], amount, memory_order_relaxed);
}

void
metric_set(struct shared_page *page, enum metric metric, int64_t value)
{
	assert(metric < METRIC_COUNT && metric_table[metric].type == GAUGE);
	atomic_store(&page->metrics[metric], value);
	atomic_store(&page->gauge_is_set[metric], 1);
}

int64_t
metric_get(const struct shared_page *page, enum metric metric)
{
	assert(metric < METRIC_COUNT);
	return atomic_load(&page->metrics[metric]);
}

void
metric_request(struct shared_page *page, int route, int status, int64_t duration_us)
{
	if (route < 0 || route >= page->route_count)
		route = METRIC_ROUTES_MAX;

	struct route_counters *counters = &page->routes[route];
	int class = status >= 100 && status < 600 ? status / 100 : 0;
	int bucket = 0;

	while (bucket < LATENCY_BUCKETS && duration_us > latency_bounds[bucket].us)
		bucket++;
	atomic_fetch_add_explicit(&counters->by_class[class], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&counters->by_latency[bucket], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&counters->duration_us, duration_us, memory_order_relaxed);
}

static void
write_head(struct buffer *out, const char *name, const char *type, const char *help)
{
	buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* The inside of a label's quotes. */
static void
write_label(struct buffer *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n') {
			buffer_puts(out, "\\n");
			continue;
		}
		if (*text == '"' || *text == '\\')
			buffer_putc(out, '\\');
		buffer_putc(out, *text);
	}
}

static const char *
route_name(const struct shared_page *page, int route)
{
	return route == METRIC_ROUTES_MAX ? "none" : page->route_names[route];
}

/* Routes that nobody has asked for yet are left out: most never are. */
static bool
route_is_unused(const struct shared_page *page, int route)
{
	for (int class = 0; class < STATUS_CLASSES; class++)
		if (atomic_load(&page->routes[route].by_class[class]) > 0)
			return false;
	return true;
}

static void
write_requests(const struct shared_page *page, struct buffer *out)
{
	write_head(out, "rollcall_requests_total", "counter",
		"Requests answered, by route and class of status.");
	for (int route = 0; route <= METRIC_ROUTES_MAX; route++) {
		for (int class = 0; class < STATUS_CLASSES; class++) {
			int64_t count = atomic_load(&page->routes[route].by_class[class]);

			if (count == 0)
				continue;
			buffer_puts(out, "rollcall_requests_total{route=\"");
			write_label(out, route_name(page, route));
			buffer_printf(out, "\",status=\"%dxx\"} %" PRId64 "\n", class, count);
		}
	}
}

static void
write_duration_line(const struct shared_page *page, int route, const char *suffix,
	const char *bound, struct buffer *out)
{
	buffer_printf(out, "rollcall_request_duration_seconds%s{route=\"", suffix);
	write_label(out, route_name(page, route));
	if (bound)
		buffer_printf(out, "\",le=\"%s", bound);
	buffer_puts(out, "\"} ");
}

static void
write_route_durations(const struct shared_page *page, int route, struct buffer *out)
{
	const struct route_counters *counters = &page->routes[route];
	int64_t duration_us = atomic_load(&counters->duration_us);
	int64_t seen = 0;

	for (int bucket = 0; bucket <= LATENCY_BUCKETS; bucket++) {
		/* The format wants each bucket to hold all that are below it. */
		seen += atomic_load(&counters->by_latency[bucket]);
		write_duration_line(page, route, "_bucket",
			bucket == LATENCY_BUCKETS ? "+Inf" : latency_bounds[bucket].label, out);
		buffer_printf(out, "%" PRId64 "\n", seen);
	}
	write_duration_line(page, route, "_sum", NULL, out);
	buffer_printf(out, "%" PRId64 ".%06d\n", duration_us / 1000000, (int)(duration_us % 1000000));
	write_duration_line(page, route, "_count", NULL, out);
	buffer_printf(out, "%" PRId64 "\n", seen);
}

static void
write_metrics(const struct shared_page *page, struct buffer *out)
{
	const char *family = "";

	for (int metric = 0; metric < METRIC_COUNT; metric++) {
		const struct metric_info *info = &metric_table[metric];

		if (info->type == GAUGE && !atomic_load(&page->gauge_is_set[metric]))
			continue;
		if (strcmp(family, info->name) != 0)
			write_head(out, info->name, info->type == GAUGE ? "gauge" : "counter", info->help);
		family = info->name;
		buffer_printf(out, "%s%s %" PRId64 "\n", info->name, info->labels,
			atomic_load(&page->metrics[metric]));
	}
}

static void
write_places(const struct shared_page *page, struct buffer *out)
{
	int taken = 0;

	for (int place = 0; place < HASH_PLACES_MAX; place++)
		taken += atomic_load(&page->place_owner[place]) != 0;
	write_head(out, "rollcall_password_places_taken", "gauge",
		"Places of the hashing queue that are taken.");
	buffer_printf(out, "rollcall_password_places_taken %d\n", taken);
}

void
metrics_write(const struct shared_page *page, struct buffer *out)
{
	write_head(out, "rollcall_build_info", "gauge", "1, with the version of this program.");
	buffer_puts(out, "rollcall_build_info{version=\"" ROLLCALL_VERSION "\"} 1\n");
	write_metrics(page, out);
	if (page->route_count == 0)
		return;		/* a worker: no requests, no passwords */

	write_places(page, out);
	write_requests(page, out);
	write_head(out, "rollcall_request_duration_seconds", "histogram",
		"Time from a request's first byte to its answer, by route.");
	for (int route = 0; route <= METRIC_ROUTES_MAX; route++)
		if (!route_is_unused(page, route))
			write_route_durations(page, route, out);
}
