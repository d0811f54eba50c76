/*
 * lane: against a PostgreSQL of its own, which it makes, kills and starts again.
 *
 * The cluster is as small and as careless as one can be (no fsync), lies in /tmp
 * and is gone afterwards. Its queries are the test's own; their index only has to
 * be one of those that a connection keeps count of.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "config.h"
#include "lane.h"
#include "log.h"
#include "shared_page.h"

#define READS 2
#define WRITES 3
#define SLOWS 1

static const struct query echo = { "echo", "SELECT $1::text", 1, NULL, 0, 0 };
static const struct query divide = { "divide", "SELECT 6 / $1::int", 1, NULL, 0, 1 };
static const struct query put = { "put", "INSERT INTO thing (id) VALUES ($1::int)", 1, NULL, QUERY_WRITES, 2 };
static const struct query put_orphan = {
	"put_orphan", "INSERT INTO orphan (thing_id) VALUES ($1::int)", 1, NULL, QUERY_WRITES, 3 };
static const struct query count_things = { "count_things", "SELECT count(*) FROM thing", 0, NULL, 0, 4 };
static const struct query nap = { "nap", "SELECT pg_sleep($1::float8)", 1, NULL, 0, 5 };
static const struct query write_nap = { "write_nap", "SELECT pg_sleep($1::float8)", 1, NULL, QUERY_WRITES, 6 };
static const struct query broken = { "broken", "SELECT nonsense FROM nowhere", 0, NULL, 0, 7 };
static const struct query show = { "show", "SELECT current_setting($1)", 1, NULL, 0, 8 };
static const struct query all_of_thing = { "all_of_thing", "SELECT * FROM thing WHERE id = -1", 0, NULL, 0, 9 };
static const struct query put_mail = {
	"put_mail", "INSERT INTO thing (id) VALUES ($1::int)", 1, NULL, QUERY_WRITES | QUERY_NOTIFIES, 10 };
static const struct query count_naps = {
	"count_naps", "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event = 'PgSleep'",
	1, NULL, 0, 11 };

/* ---- The cluster ---- */

static char directory[64];
static int port;

static bool shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static bool
shell(const char *format, ...)
{
	char command[1024], line[1280];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	/* PostgreSQL refuses to be run by root. */
	snprintf(line, sizeof(line), "cd /; PATH=$(pg_config --bindir):$PATH; export PATH; %s %s >> %s.log 2>&1",
		geteuid() == 0 ? "runuser -u postgres --" : "", command, directory);
	return system(line) == 0;	/* NOLINT(cert-env33-c): a test's own words */
}

static int
free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static bool
cluster_start(void)
{
	return shell("pg_ctl -w -D %s -l %s/log -o \"-c fsync=off -c unix_socket_directories=%s"
		" -c listen_addresses=127.0.0.1 -p %d\" start", directory, directory, directory, port);
}

static bool
cluster_stop(void)
{
	return shell("pg_ctl -w -D %s -m fast stop", directory);
}

static PGconn *
plain_connection(void)
{
	char url[128];
	PGconn *pg;

	snprintf(url, sizeof(url), "host=127.0.0.1 port=%d user=postgres dbname=postgres", port);
	pg = PQconnectdb(url);
	assert_int_equal(PQstatus(pg), CONNECTION_OK);
	return pg;
}

static void
run(PGconn *pg, const char *sql)
{
	PGresult *result = PQexec(pg, sql);

	if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
		fail_msg("%s", PQresultErrorMessage(result));
	PQclear(result);
}

static void
run_once(const char *sql)
{
	PGconn *pg = plain_connection();

	run(pg, sql);
	PQfinish(pg);
}

static int
group_setup(void **state)
{
	(void)state;
	log_open(LOG_LEVEL_ERROR, false, "test");
	snprintf(directory, sizeof(directory), "/tmp/rollcall-lane-%d", (int)getpid());
	port = free_port();
	return shell("initdb -N -A trust -U postgres -D %s", directory) && cluster_start() ? 0 : -1;
}

static int
group_teardown(void **state)
{
	char log[80];

	(void)state;
	(void)cluster_stop();
	shell("rm -rf %s", directory);
	snprintf(log, sizeof(log), "%s.log", directory);
	unlink(log);
	return 0;
}

/* ---- The lanes ---- */

struct fixture {
	struct event_base *base;
	struct config config;
	struct shared_page *page;
	struct lanes *lanes;
};

/* What became of a job. */
struct outcome {
	int calls;
	enum job_status status;
	int count;
	char value[64];
	char sqlstate[6];
	char constraint[64];
	int *total;		/* counted up too, unless NULL */
};

static void
on_done(void *context, struct job_result *result)
{
	struct outcome *outcome = context;

	outcome->calls++;
	outcome->status = result->status;
	outcome->count = result->count;
	if (result->count > 0 && PQntuples(result->rows[0]) > 0)
		snprintf(outcome->value, sizeof(outcome->value), "%s", PQgetvalue(result->rows[0], 0, 0));
	memcpy(outcome->sqlstate, result->sqlstate, sizeof(outcome->sqlstate));
	memcpy(outcome->constraint, result->constraint, sizeof(outcome->constraint));
	if (outcome->total != NULL)
		++*outcome->total;
}

/* Turns of the loop until `*flag` reaches `target`, 20 s at most. */
static void
spin(struct fixture *f, const int *flag, int target)
{
	int64_t deadline = clock_monotonic_ms() + 20000;
	const struct timeval turn = { .tv_usec = 20000 };

	while (*flag < target) {
		if (clock_monotonic_ms() > deadline)
			fail_msg("waited in vain: %d of %d", *flag, target);
		event_base_loopexit(f->base, &turn);
		event_base_loop(f->base, EVLOOP_ONCE);
	}
}

static bool
submit(struct fixture *f, enum lane lane, const struct query *query, const char *param,
	struct outcome *outcome)
{
	const struct statement statement = { query, &param };

	return lane_submit(f->lanes, lane, &statement, 1, on_done, outcome);
}

static struct outcome
ask(struct fixture *f, enum lane lane, const struct query *query, const char *param)
{
	struct outcome outcome = { 0 };

	assert_true(submit(f, lane, query, param, &outcome));
	assert_int_equal(outcome.calls, 0);	/* never inside the call */
	spin(f, &outcome.calls, 1);
	return outcome;
}

/* Jobs wait for the first connection of a lane. */
static void
spin_until_up(struct fixture *f)
{
	for (enum lane lane = 0; lane < LANE_COUNT; lane++)
		assert_int_equal(ask(f, lane, &echo, "x").status, JOB_OK);
}

static int
setup_with(void **state, const char *host_and_port)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char url[256];

	snprintf(url, sizeof(url), "%s user=postgres dbname=postgres", host_and_port);
	f->config.database_url = strdup(url);
	f->config.processes = 2;
	f->config.db_read = 2 * READS;
	f->config.db_write = 2 * WRITES;
	f->config.db_slow = SLOWS;
	f->base = event_base_new();
	f->page = shared_page_create(NULL, 0);
	f->lanes = lanes_create(f->base, &f->config, f->page, 0);
	*state = f;
	return 0;
}

static int
setup(void **state)
{
	char where[64];

	run_once("SET client_min_messages = error; DROP TABLE IF EXISTS orphan, thing;"
		" CREATE TABLE thing (id int CONSTRAINT thing_id_key PRIMARY KEY);"
		" CREATE TABLE orphan (thing_id int CONSTRAINT orphan_thing_fkey REFERENCES thing"
		" DEFERRABLE INITIALLY DEFERRED)");
	snprintf(where, sizeof(where), "host=127.0.0.1 port=%d", port);
	setup_with(state, where);
	spin_until_up(*state);
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	lanes_free(&f->lanes);
	event_base_free(f->base);
	free(f->config.database_url);
	free(f);
	return 0;
}

/* ---- Rows and errors ---- */

static void
ten_thousand_reads_each_get_their_own_row(void **state)
{
	enum { COUNT = 10000 };
	struct fixture *f = *state;
	struct outcome *outcomes = calloc(COUNT, sizeof(*outcomes));
	char text[16];
	int done = 0;

	for (int i = 0; i < COUNT; i++) {
		snprintf(text, sizeof(text), "%d", i);
		outcomes[i].total = &done;
		while (!submit(f, LANE_READ, &echo, text, &outcomes[i]))
			spin(f, &done, done + 1);
	}
	spin(f, &done, COUNT);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(outcomes[i].calls, 1);
		assert_int_equal(outcomes[i].status, JOB_OK);
		snprintf(text, sizeof(text), "%d", i);
		assert_string_equal(outcomes[i].value, text);
	}
	free(outcomes);
}

static void
a_failing_read_leaves_its_neighbours_alone(void **state)
{
	enum { COUNT = 500 };
	struct fixture *f = *state;
	struct outcome outcomes[COUNT] = { 0 };
	int done = 0;

	for (int i = 0; i < COUNT; i++) {
		outcomes[i].total = &done;
		assert_true(submit(f, LANE_READ, &divide, i % 100 == 3 ? "none" : "2", &outcomes[i]));
	}
	spin(f, &done, COUNT);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(outcomes[i].calls, 1);
		assert_int_equal(outcomes[i].status, i % 100 == 3 ? JOB_ERROR : JOB_OK);
		assert_string_equal(i % 100 == 3 ? outcomes[i].sqlstate : outcomes[i].value, i % 100 == 3 ? "22P02" : "3");
	}
	assert_int_equal(metric_get(f->page, METRIC_DATABASE_RECONNECTS), 0);
}

static void
statements_of_a_job_commit_together_or_not_at_all(void **state)
{
	struct fixture *f = *state;
	const char *one = "1", *two = "2";
	struct statement statements[] = { { &put, &one }, { &put, &two }, { &count_things, NULL } };
	struct outcome outcome = { 0 };

	assert_true(lane_submit(f->lanes, LANE_WRITE, statements, 2, on_done, &outcome));
	spin(f, &outcome.calls, 1);
	assert_int_equal(outcome.status, JOB_OK);
	assert_int_equal(outcome.count, 2);
	one = "3";
	assert_true(lane_submit(f->lanes, LANE_WRITE, statements, 3, on_done, &outcome));
	spin(f, &outcome.calls, 2);
	assert_int_equal(outcome.status, JOB_CONSTRAINT);
	assert_string_equal(outcome.sqlstate, "23505");
	assert_string_equal(outcome.constraint, "thing_id_key");
	assert_int_equal(outcome.count, 0);
	assert_string_equal(ask(f, LANE_READ, &count_things, NULL).value, "2");
}

static void
a_commit_that_fails_fails_the_job(void **state)
{
	struct fixture *f = *state;
	struct outcome outcome = ask(f, LANE_WRITE, &put_orphan, "77");

	assert_int_equal(outcome.status, JOB_CONSTRAINT);
	assert_string_equal(outcome.constraint, "orphan_thing_fkey");
	assert_int_equal(ask(f, LANE_WRITE, &put, "77").status, JOB_OK);
	assert_int_equal(ask(f, LANE_WRITE, &put_orphan, "77").status, JOB_OK);
}

static void
null_parameters_are_sql_null(void **state)
{
	struct fixture *f = *state;
	struct outcome outcome = ask(f, LANE_READ, &echo, NULL);

	assert_int_equal(outcome.status, JOB_OK);
	assert_string_equal(outcome.value, "");
}

static void
a_lock_that_is_held_answers_busy(void **state)
{
	struct fixture *f = *state;
	PGconn *holder = plain_connection();

	assert_int_equal(ask(f, LANE_WRITE, &put, "5").status, JOB_OK);
	run(holder, "BEGIN; LOCK TABLE thing");
	assert_int_equal(ask(f, LANE_WRITE, &put, "6").status, JOB_BUSY);
	/* Preparing needs the lock too. */
	assert_int_equal(ask(f, LANE_READ, &count_things, NULL).status, JOB_BUSY);
	PQfinish(holder);
	assert_string_equal(ask(f, LANE_READ, &count_things, NULL).value, "1");
}

static void
a_query_that_cannot_be_prepared_is_an_error_and_harms_no_other(void **state)
{
	struct fixture *f = *state;
	struct outcome before = { 0 }, bad = { 0 }, after = { 0 };

	assert_true(submit(f, LANE_READ, &nap, "0.1", &before));
	assert_true(submit(f, LANE_READ, &broken, NULL, &bad));
	assert_true(submit(f, LANE_READ, &echo, "x", &after));
	spin(f, &before.calls, 1);
	spin(f, &bad.calls, 1);
	spin(f, &after.calls, 1);
	assert_int_equal(before.status, JOB_OK);
	assert_int_equal(bad.status, JOB_ERROR);
	assert_string_equal(bad.sqlstate, "42P01");
	assert_int_equal(after.status, JOB_OK);
	assert_int_equal(ask(f, LANE_READ, &echo, "x").status, JOB_OK);
}

static void
a_migration_that_changes_a_result_is_survived(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2 * READS; i++)
		assert_int_equal(ask(f, LANE_READ, &all_of_thing, NULL).status, JOB_OK);
	run_once("ALTER TABLE thing ADD COLUMN more text");
	assert_int_equal(ask(f, LANE_READ, &all_of_thing, NULL).status, JOB_OK);
}

static void
every_session_has_our_settings(void **state)
{
	static const struct {
		enum lane lane;
		const char *name, *value;
	} cases[] = {
		{ LANE_READ, "application_name", "rollcall-server/read" },
		{ LANE_READ, "client_encoding", "UTF8" },
		{ LANE_READ, "timezone", "UTC" },
		{ LANE_READ, "intervalstyle", "iso_8601" },
		{ LANE_READ, "datestyle", "ISO, MDY" },
		{ LANE_READ, "lock_timeout", "500ms" },
		{ LANE_READ, "statement_timeout", "10s" },
		{ LANE_READ, "plan_cache_mode", "force_generic_plan" },
		{ LANE_READ, "enable_seqscan", "off" },
		{ LANE_READ, "jit", "off" },
		{ LANE_WRITE, "application_name", "rollcall-server/write" },
		{ LANE_WRITE, "statement_timeout", "10s" },
		{ LANE_SLOW, "application_name", "rollcall-server/slow" },
		{ LANE_SLOW, "statement_timeout", "5s" },
		{ LANE_SLOW, "plan_cache_mode", "force_custom_plan" },
		{ LANE_SLOW, "enable_seqscan", "on" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(ask(f, cases[i].lane, &show, cases[i].name).value, cases[i].value);
}

/* ---- Bounds ---- */

static void
a_full_lane_refuses_and_freeing_completes_the_rest(void **state)
{
	enum { ROOM = 256 };
	struct fixture *f = *state;
	struct outcome outcomes[WRITES + ROOM + 1] = { 0 };
	int accepted = 0;

	while (accepted <= WRITES + ROOM && submit(f, LANE_WRITE, &write_nap, "1", &outcomes[accepted]))
		accepted++;
	/* Perhaps not all connections were up. */
	assert_in_range(accepted, ROOM + 1, ROOM + WRITES);
	assert_int_equal(metric_get(f->page, METRIC_LANE_FULL), 1);
	/* The lanes do not stand in each other's way. */
	assert_int_equal(ask(f, LANE_READ, &echo, "x").status, JOB_OK);
	lanes_free(&f->lanes);
	for (int i = 0; i < accepted; i++) {
		assert_int_equal(outcomes[i].calls, 1);
		assert_int_equal(outcomes[i].status, JOB_LOST);
	}
	assert_int_equal(outcomes[accepted].calls, 0);
}

static void
writes_wait_for_their_turn(void **state)
{
	enum { COUNT = 200 };
	struct fixture *f = *state;
	struct outcome outcomes[COUNT] = { 0 };
	int done = 0;

	for (int i = 0; i < COUNT; i++) {
		char id[16];

		snprintf(id, sizeof(id), "%d", i);
		outcomes[i].total = &done;
		assert_true(submit(f, LANE_WRITE, &put, id, &outcomes[i]));
	}
	spin(f, &done, COUNT);
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(outcomes[i].status, JOB_OK);
	assert_string_equal(ask(f, LANE_READ, &count_things, NULL).value, "200");
}

/* ---- Lost connections ---- */

static void
terminate(const char *lane)
{
	char sql[160];

	snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
		" WHERE application_name = 'rollcall-server/%s'", lane);
	run_once(sql);
}

static void
reads_on_a_terminated_connection_are_sent_again(void **state)
{
	enum { COUNT = 100 };
	struct fixture *f = *state;
	struct outcome outcomes[COUNT] = { 0 };
	int done = 0;

	for (int i = 0; i < COUNT; i++) {
		outcomes[i].total = &done;
		assert_true(submit(f, LANE_READ, i % 20 == 0 ? &nap : &echo, i % 20 == 0 ? "0.1" : "x", &outcomes[i]));
	}
	event_base_loop(f->base, EVLOOP_NONBLOCK);	/* out they go */
	terminate("read");
	spin(f, &done, COUNT);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(outcomes[i].calls, 1);
		assert_int_equal(outcomes[i].status, JOB_OK);
	}
	assert_in_range(metric_get(f->page, METRIC_DATABASE_RECONNECTS), 1, READS);
}

/* Connections do not all die in one moment: a read may meet one outage twice. */
static void
a_read_that_loses_two_connections_of_one_outage_is_answered(void **state)
{
	struct fixture *f = *state;
	struct outcome outcomes[READS] = { 0 };
	int done = 0;

	for (int i = 0; i < READS; i++) {
		outcomes[i].total = &done;
		assert_true(submit(f, LANE_READ, &nap, "0.5", &outcomes[i]));
	}
	event_base_loop(f->base, EVLOOP_NONBLOCK);
	for (int i = 0; i < READS; i++) {
		int64_t start = clock_monotonic_ms();

		run_once("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
			" WHERE application_name = 'rollcall-server/read' ORDER BY backend_start LIMIT 1");
		while (clock_monotonic_ms() - start < 100)
			event_base_loop(f->base, EVLOOP_NONBLOCK);
	}
	spin(f, &done, READS);
	for (int i = 0; i < READS; i++)
		assert_int_equal(outcomes[i].status, JOB_OK);
}

static void
a_write_on_a_terminated_connection_is_lost_not_resent(void **state)
{
	struct fixture *f = *state;
	const char *id = "1", *seconds = "60";
	const struct statement statements[] = { { &put, &id }, { &write_nap, &seconds } };
	struct outcome outcome = { 0 };

	assert_true(lane_submit(f->lanes, LANE_WRITE, statements, 2, on_done, &outcome));
	while (strcmp(ask(f, LANE_READ, &count_naps, "rollcall-server/write").value, "1") != 0)
		continue;
	terminate("write");
	spin(f, &outcome.calls, 1);
	assert_int_equal(outcome.status, JOB_LOST);
	assert_int_equal(ask(f, LANE_READ, &nap, "0.2").status, JOB_OK);	/* all see it */
	assert_int_equal(ask(f, LANE_WRITE, &put, "2").status, JOB_OK);
	assert_string_equal(ask(f, LANE_READ, &count_things, NULL).value, "1");
}

static void
idle_connections_that_are_terminated_come_back(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++) {
		terminate("slow");
		assert_int_equal(ask(f, LANE_SLOW, &echo, "x").status, JOB_OK);
	}
}

static void
a_server_that_is_down_answers_within_a_second_and_one_that_returns_is_found(void **state)
{
	struct fixture *f = *state;
	struct outcome outcome;
	int64_t start;

	assert_true(cluster_stop());
	start = clock_monotonic_ms();
	assert_int_equal(ask(f, LANE_READ, &echo, "x").status, JOB_LOST);
	assert_true(clock_monotonic_ms() - start >= 900);
	assert_int_equal(ask(f, LANE_WRITE, &put, "1").status, JOB_LOST);
	assert_true(cluster_start());
	do
		outcome = ask(f, LANE_WRITE, &put, "2");
	while (outcome.status == JOB_LOST);
	assert_int_equal(outcome.status, JOB_OK);
	do
		outcome = ask(f, LANE_READ, &count_things, NULL);
	while (outcome.status == JOB_LOST);
	assert_string_equal(outcome.value, "1");
}

/* ---- Hosts ---- */

static void
names_are_resolved_and_dead_hosts_passed_over(void **state)
{
	char wheres[4][128];

	(void)state;
	snprintf(wheres[0], sizeof(wheres[0]), "host=localhost port=%d", port);
	snprintf(wheres[1], sizeof(wheres[1]), "host=127.0.0.1,localhost port=1,%d", port);
	snprintf(wheres[2], sizeof(wheres[2]), "hostaddr=127.0.0.1 port=%d", port);
	snprintf(wheres[3], sizeof(wheres[3]), "host=%s port=%d", directory, port);
	for (size_t i = 0; i < sizeof(wheres) / sizeof(wheres[0]); i++) {
		void *own = NULL;

		setup_with(&own, wheres[i]);
		assert_int_equal(ask(own, LANE_READ, &echo, "x").status, JOB_OK);
		teardown(&own);
	}
}

/* ---- Notifications ---- */

static int
notifications(PGconn *listener)
{
	PGnotify *notice;
	int count = 0;

	assert_int_equal(PQconsumeInput(listener), 1);
	while ((notice = PQnotifies(listener)) != NULL) {
		count++;
		PQfreemem(notice);
	}
	return count;
}

static void
notifications_follow_commits_and_are_coalesced(void **state)
{
	enum { COUNT = 100 };
	struct fixture *f = *state;
	struct outcome outcomes[COUNT] = { 0 };
	PGconn *listener = plain_connection();
	int done = 0, heard = 0;

	run(listener, "LISTEN rollcall_outbox");
	for (int i = 0; i < COUNT; i++) {
		char id[16];

		snprintf(id, sizeof(id), "%d", i);
		outcomes[i].total = &done;
		assert_true(submit(f, LANE_WRITE, &put_mail, id, &outcomes[i]));
	}
	spin(f, &done, COUNT);
	/* By the end of the nap the last is sent, soon after that heard. */
	do {
		assert_int_equal(ask(f, LANE_READ, &nap, "0.05").status, JOB_OK);
		heard += notifications(listener);
	} while (heard == 0 || heard != metric_get(f->page, METRIC_NOTIFICATIONS));
	assert_in_range(heard, 1, COUNT / 4);
	/* A write that failed tells nobody. */
	assert_int_equal(ask(f, LANE_WRITE, &put_mail, "1").status, JOB_CONSTRAINT);
	assert_int_equal(ask(f, LANE_READ, &nap, "0.05").status, JOB_OK);
	assert_int_equal(notifications(listener), 0);
	assert_int_equal(heard, metric_get(f->page, METRIC_NOTIFICATIONS));
	PQfinish(listener);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(ten_thousand_reads_each_get_their_own_row),
		TEST(a_failing_read_leaves_its_neighbours_alone),
		TEST(statements_of_a_job_commit_together_or_not_at_all),
		TEST(a_commit_that_fails_fails_the_job),
		TEST(null_parameters_are_sql_null),
		TEST(a_lock_that_is_held_answers_busy),
		TEST(a_query_that_cannot_be_prepared_is_an_error_and_harms_no_other),
		TEST(a_migration_that_changes_a_result_is_survived),
		TEST(every_session_has_our_settings),
		TEST(a_full_lane_refuses_and_freeing_completes_the_rest),
		TEST(writes_wait_for_their_turn),
		TEST(reads_on_a_terminated_connection_are_sent_again),
		TEST(a_read_that_loses_two_connections_of_one_outage_is_answered),
		TEST(a_write_on_a_terminated_connection_is_lost_not_resent),
		TEST(idle_connections_that_are_terminated_come_back),
		TEST(a_server_that_is_down_answers_within_a_second_and_one_that_returns_is_found),
		cmocka_unit_test(names_are_resolved_and_dead_hosts_passed_over),
		TEST(notifications_follow_commits_and_are_coalesced),
	};

	return cmocka_run_group_tests_name("lane", tests, group_setup, group_teardown);
}
