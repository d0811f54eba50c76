/*
 * PostgreSQL: can it be reached, is it what we need, are we in it what we should be.
 *
 * The first question is asked by a connection of its own, which takes a standby too: so that
 * one can be told from a database that is not there.
 */
#include <libpq-fe.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "buffer.h"
#include "clock.h"
#include "config.h"
#include "conninfo.h"
#include "database.h"
#include "doctor_priv.h"
#include "queries.h"
#include "schema.h"
#include "subject.h"

#define STATEMENT_TIMEOUT_MS 10000
#define OLDEST_VERSION 150000
#define CLOCK_WARN_MS 1000
#define CLOCK_FAIL_MS 60000
#define MAIL_DUE_WARN_S 300
#define MAIL_DUE_FAIL_S 3600
#define JOB_WARN_S 3600
#define NAMED_KEYS 10		/* as many as the query names */

struct patient {
	struct findings *findings;
	const struct config *config;
	const struct doctor_scale *scale;
	struct database *database;
};

static PGresult *
ask(const struct patient *patient, const struct query *query, const char *const *params, const char *check)
{
	struct database_result answer = database_run(patient->database, query, params);

	if (answer.status != DATABASE_OK)
		findings_add(patient->findings, FINDING_FAIL, check, "See the database's log; `rollcall-server migrate` mends rights and tables.",
			"The database did not answer this question (SQLSTATE %s).", answer.sqlstate[0] != '\0' ? answer.sqlstate : "unknown");
	return answer.rows;
}

static bool
look_at_connection(const struct patient *patient)
{
	static const char *const keywords[] = { "connect_timeout", "dbname", "application_name", "target_session_attrs", NULL };
	const char *const values[] = { "5", patient->config->database_url, "rollcall-doctor", "any", NULL };
	PGconn *connection = PQconnectdbParams(keywords, values, 1);
	const bool is_up = PQstatus(connection) == CONNECTION_OK;
	const char *standby = is_up ? PQparameterStatus(connection, "in_hot_standby") : NULL;
	const bool is_standby = standby != NULL && strcmp(standby, "on") == 0;

	/* libpq's words name hosts, roles and databases, never the password. */
	if (!is_up)
		findings_add(patient->findings, FINDING_FAIL, "database.reachable",
			"Check ROLLCALL_DATABASE_URL, pg_hba.conf, and the way between; deploy/roles.sql makes role and database.",
			"The database cannot be reached: %s", PQerrorMessage(connection));
	PQfinish(connection);	/* there may be room for one */
	if (!is_up)
		return false;
	if (is_standby)
		findings_add(patient->findings, FINDING_FAIL, "database.primary",
			"Name the primary in ROLLCALL_DATABASE_URL, or all hosts, separated by commas: the one that takes writes is found.",
			"The database is a standby: nothing can be written there.");
	else if (!database_connect(patient->database))
		findings_add(patient->findings, FINDING_FAIL, "database.primary",
			"Look at default_transaction_read_only of server, database and role.",
			"The database lets nobody write.");
	else
		return true;
	return false;
}

/* One of several hosts, by itself. Whatever it is, it can be a primary some day. */
static bool
host_answers(const struct patient *patient, const struct host *host)
{
	static const char *const keywords[] = { "connect_timeout", "dbname", "application_name", "target_session_attrs", "host", "hostaddr", "port", NULL };
	const char *const values[] = { "5", patient->config->database_url, "rollcall-doctor", "any", host->name, host->address, host->port, NULL };
	PGconn *connection = PQconnectdbParams(keywords, values, 1);
	const bool answers = PQstatus(connection) == CONNECTION_OK;

	if (!answers)
		findings_add(patient->findings, FINDING_WARN, "database.hosts",
			"Bring it back, or take it out of ROLLCALL_DATABASE_URL: when the primary fails, it is one less that can take its place.",
			"One of the hosts in ROLLCALL_DATABASE_URL does not answer: %s", PQerrorMessage(connection));
	PQfinish(connection);
	return answers;
}

static void
look_at_hosts(const struct patient *patient)
{
	struct conninfo *info = conninfo_create(patient->config->database_url);
	const struct host_list *list = conninfo_hosts(info);
	int answering = 0;

	for (int i = 0; i < list->count && list->count > 1; i++)
		answering += host_answers(patient, &list->hosts[i]);
	if (list->count > 1 && answering == list->count)
		findings_add(patient->findings, FINDING_OK, "database.hosts", NULL, "All %d hosts of the database answer.", list->count);
	conninfo_free(&info);
}

static void
look_at_clock(const struct patient *patient, long long theirs_ms, long long before_ms, long long after_ms)
{
	const long long apart_ms = llabs(theirs_ms - (before_ms + after_ms) / 2) - (after_ms - before_ms) / 2;
	const enum finding_level level = apart_ms > CLOCK_FAIL_MS ? FINDING_FAIL : apart_ms > CLOCK_WARN_MS ? FINDING_WARN : FINDING_OK;

	findings_add(patient->findings, level, "clock.database",
		level != FINDING_OK ? "Let a time server keep the clocks of both machines." : NULL,
		"This machine's clock and the database's are %lld ms apart%s.", apart_ms > 0 ? apart_ms : 0,
		level != FINDING_OK ? ": ids are made by ours, deadlines by theirs" : "");
}

/* Who writes sslmode=disable has thought of it. */
static bool
is_meant_to_be_open(const char *url)
{
	PQconninfoOption *options = PQconninfoParse(url, NULL);
	bool is_meant = false;

	for (const PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++)
		is_meant |= strcmp(option->keyword, "sslmode") == 0 && option->val != NULL && strcmp(option->val, "disable") == 0;
	PQconninfoFree(options);
	return is_meant;
}

static void
look_at_privacy(const struct patient *patient, bool is_private)
{
	const bool is_meant = !is_private && is_meant_to_be_open(patient->config->database_url);

	findings_add(patient->findings, is_private || is_meant ? FINDING_OK : FINDING_WARN, "database.private",
		is_private || is_meant ? NULL : "Add sslmode=verify-full to ROLLCALL_DATABASE_URL; or sslmode=disable, where the network between is yours alone.",
		is_private ? "The connection stays on this machine, or is encrypted."
			: is_meant ? "The connection to the database is not encrypted, as sslmode=disable wants it."
				: "The connection to the database is not encrypted.");
}

static void
look_at_kind(const struct patient *patient, const PGresult *server)
{
	struct findings *findings = patient->findings;
	const bool is_old = row_int(server, 0, "version") < OLDEST_VERSION;
	const bool is_utf8 = strcmp(row_text(server, 0, "encoding"), "UTF8") == 0;
	const bool is_durable = row_is_true(server, 0, "is_durable"), waits = row_is_true(server, 0, "waits_for_disk");
	const bool is_private = row_is_true(server, 0, "is_local") || row_is_true(server, 0, "is_encrypted");

	findings_add(findings, is_old ? FINDING_FAIL : FINDING_OK, "database.version",
		is_old ? "Upgrade to PostgreSQL 15 or newer." : NULL, "PostgreSQL %s.", row_text(server, 0, "version_words"));
	findings_add(findings, is_utf8 ? FINDING_OK : FINDING_FAIL, "database.encoding",
		is_utf8 ? NULL : "Dump it, make it anew with ENCODING 'UTF8' (deploy/roles.sql does), and restore it.",
		"The database's encoding is %s.", row_text(server, 0, "encoding"));
	findings_add(findings, !is_durable ? FINDING_FAIL : waits ? FINDING_OK : FINDING_WARN, "database.durable",
		!is_durable ? "Switch fsync and full_page_writes on." : waits ? NULL : "Switch synchronous_commit on, or live with it.",
		!is_durable ? "fsync or full_page_writes is off: a power failure can cost the database."
			: waits ? "What is committed is on disk."
				: "synchronous_commit is off: a crash loses what was answered in the last moments before it.");
	look_at_privacy(patient, is_private);
}

/* ---- Connections. */

static int
share(int connections, int processes)
{
	return (connections / processes > 0 ? connections / processes : 1) * processes;
}

/* The least of what server, database and role leave to us beside others. */
static int
room_for_us(const PGresult *server, const PGresult *used)
{
	static const char *const limits[][2] = {
		{ "connections", "others" }, { "database_connections", "others_here" }, { "role_connections", "others_of_role" },
	};
	long room = LONG_MAX;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		const long left = row_int(server, 0, limits[i][0]) - row_int(used, 0, limits[i][1]);

		if (row_text(server, 0, limits[i][0]) != NULL && left < room)
			room = left;
	}
	return (int)room;
}

static void
look_at_connections(const struct patient *patient, const PGresult *server)
{
	const struct config *config = patient->config;
	const int of_server = share(config->db_read, config->processes) + share(config->db_write, config->processes)
		+ share(config->db_slow, config->processes);
	const int of_worker = 1 + config->senders + config->jobs * JOB_CONNECTIONS;
	const int wanted = patient->scale->servers * of_server + patient->scale->workers * of_worker;
	PGresult *used = ask(patient, &query_doctor_connections, NULL, "database.connections");

	if (used == NULL)
		return;
	const int room = room_for_us(server, used);
	findings_add(patient->findings, wanted > room ? FINDING_FAIL : wanted * 10 > room * 9 ? FINDING_WARN : FINDING_OK, "database.connections",
		wanted * 10 > room * 9 ? "Raise max_connections (or the limit of the role or the database), or lower ROLLCALL_DB_READ, _WRITE and _SLOW." : NULL,
		"%d server(s) with %d and %d worker(s) with %d connections take %d; there is room for %d beside what others take. (--servers N and --workers N say how many there are.)",
		patient->scale->servers, of_server, patient->scale->workers, of_worker, wanted, room);
	const long workers = row_int(used, 0, "workers");
	findings_add(patient->findings, workers > 0 ? FINDING_OK : FINDING_WARN, "worker.connected",
		workers > 0 ? NULL : "Start rollcall-worker: without one no mail is sent, no link lapses, no import runs.",
		workers > 0 ? "A worker is connected (%ld connections)." : "No worker is connected (%ld connections).", workers);
	PQclear(used);
}

/* ---- Schema and rights. */

static bool
look_at_schema(const struct patient *patient)
{
	struct findings *findings = patient->findings;
	char detail[512];
	const bool fits = schema_check(patient->database, detail, sizeof(detail)) == SCHEMA_FITS;

	findings_add(findings, fits ? FINDING_OK : FINDING_FAIL, "schema.version", fits ? NULL : "Run `rollcall-server migrate` of this release, or install the release that the database needs.",
		"%s.", detail);
	if (!fits)
		return false;
	PGresult *landed = ask(patient, &query_schema_migrations, NULL, "schema.checksums");
	const bool is_ours = landed != NULL && schema_check_landed(landed);
	if (landed != NULL)
		findings_add(findings, is_ours ? FINDING_OK : FINDING_FAIL, "schema.checksums",
			is_ours ? NULL : "Find out who changed it: this program and that schema come from different sources.",
			is_ours ? "Each migration is the one that this program brings." : "A migration is not the one that this program brings.");
	PQclear(landed);
	return true;
}

static void
look_at_extensions(const struct patient *patient)
{
	PGresult *rows = ask(patient, &query_doctor_extensions, NULL, "schema.extensions");

	if (rows == NULL)
		return;
	const char *missing = row_text(rows, 0, "missing");
	findings_add(patient->findings, missing == NULL ? FINDING_OK : FINDING_FAIL, "schema.extensions",
		missing == NULL ? NULL : "Install PostgreSQL's contrib package and run CREATE EXTENSION as the owner.",
		missing == NULL ? "All extensions are there%s." : "These extensions are missing: %s.", missing == NULL ? "" : missing);
	PQclear(rows);
}

static void
look_at_partitions(const struct patient *patient)
{
	PGresult *rows = ask(patient, &query_audit_months_ahead, NULL, "audit.partitions");

	if (rows == NULL)
		return;
	const long months = row_int(rows, 0, "months");
	findings_add(patient->findings, months < 1 ? FINDING_FAIL : months < 3 ? FINDING_WARN : FINDING_OK, "audit.partitions",
		months < 3 ? "Run `rollcall-server migrate`: it makes them for 24 months. Once a month, from a timer, is a good habit." : NULL,
		"The audit has partitions for %ld months ahead%s.", months, months < 3 ? "; without one nothing can be written any more" : "");
	PQclear(rows);
}

static void
look_at_grants(const struct patient *patient, const char *role)
{
	PGresult *rows = ask(patient, &query_schema_grants, (const char *const[]){ role }, "role.grants");

	if (rows == NULL)
		return;
	const int wrong = PQntuples(rows);
	findings_add(patient->findings, wrong == 0 ? FINDING_OK : FINDING_FAIL, "role.grants",
		wrong == 0 ? NULL : "Run `rollcall-server migrate`: it grants what is missing, and takes back what is too much.",
		wrong == 0 ? "The programs' role may do what it needs, and no more." : "The rights of the programs' role are not as they should be; the first step to mend them: %s",
		wrong == 0 ? "" : row_text(rows, 0, "statement"));
	PQclear(rows);
}

static void
look_at_role(const struct patient *patient)
{
	static const char todo[] = "Let deploy/roles.sql make two roles; ROLLCALL_DATABASE_URL names the programs', ROLLCALL_MIGRATE_DATABASE_URL the owner's.";
	struct findings *findings = patient->findings;
	PGresult *rows = ask(patient, &query_doctor_role, NULL, "role.power");

	if (rows == NULL)
		return;
	const char *truncates = row_text(rows, 0, "truncates");
	const bool is_owner = row_int(rows, 0, "owned") > 0 || row_is_true(rows, 0, "creates");
	if (row_is_true(rows, 0, "is_superuser"))
		findings_add(findings, FINDING_FAIL, "role.power", todo, "The programs run as a superuser: a fault in them is a fault of the whole database server.");
	else if (row_is_true(rows, 0, "is_powerful"))
		findings_add(findings, FINDING_WARN, "role.power", todo, "The programs' role may make roles or databases, replicate, or pass by row security.");
	else
		findings_add(findings, FINDING_OK, "role.power", NULL, "The programs' role is no superuser, and nothing like it.");
	findings_add(findings, is_owner ? FINDING_FAIL : FINDING_OK, "role.owner", is_owner ? todo : NULL,
		is_owner ? "The programs run as the owner of the tables, or may make some: nothing is kept from them." : "The programs' role owns nothing.");
	findings_add(findings, truncates != NULL ? FINDING_FAIL : FINDING_OK, "role.truncate", truncates != NULL ? todo : NULL,
		truncates != NULL ? "The programs could empty these tables at a stroke: %s." : "The programs can TRUNCATE nothing%s.", truncates != NULL ? truncates : "");
	findings_add(findings, row_is_true(rows, 0, "edits_audit") ? FINDING_FAIL : FINDING_OK, "audit.append_only",
		row_is_true(rows, 0, "edits_audit") ? todo : NULL,
		row_is_true(rows, 0, "edits_audit") ? "The programs could change or delete what the audit says." : "The audit is append-only for the programs.");
	if (!is_owner)
		look_at_grants(patient, row_text(rows, 0, "role"));
	PQclear(rows);
}

/* ---- What waits. */

static void
look_at_outbox(const struct patient *patient)
{
	PGresult *rows = ask(patient, &query_outbox_depth, NULL, "outbox.age");

	if (rows == NULL)
		return;
	const long due_s = row_int(rows, 0, "due_oldest_s");
	findings_add(patient->findings, due_s > MAIL_DUE_FAIL_S ? FINDING_FAIL : due_s > MAIL_DUE_WARN_S ? FINDING_WARN : FINDING_OK, "outbox.age",
		due_s > MAIL_DUE_WARN_S ? "Is a worker running? Does its log say that the relay refuses it? `rollcall-worker doctor` asks the relay." : NULL,
		"%ld mails wait; the first of them has been due for %ld s.", row_int(rows, 0, "queued"), due_s);
	PQclear(rows);
}

static void
look_at_jobs(const struct patient *patient)
{
	PGresult *rows = ask(patient, &query_job_depth, NULL, "jobs.age");

	if (rows == NULL)
		return;
	const bool is_late = row_int(rows, 0, "queued") > 0 && row_int(rows, 0, "oldest_s") > JOB_WARN_S;
	findings_add(patient->findings, is_late ? FINDING_WARN : FINDING_OK, "jobs.age",
		is_late ? "Let a worker have more job children (ROLLCALL_JOBS), or run another worker; 0 of them run no job." : NULL,
		"%ld jobs wait; the oldest is %ld s old.", row_int(rows, 0, "queued"), row_int(rows, 0, "oldest_s"));
	PQclear(rows);
}

static void
look_at_time_zones(const struct patient *patient)
{
	PGresult *rows = ask(patient, &query_doctor_time_zones, NULL, "database.time_zones");

	if (rows == NULL)
		return;
	const long unknown = row_int(rows, 0, "unknown");
	findings_add(patient->findings, unknown > 0 ? FINDING_FAIL : FINDING_OK, "database.time_zones",
		unknown > 0 ? "Update the time zones of the database's machine (Debian: package tzdata)." : NULL,
		unknown > 0 ? "%ld organizations have a time zone that the database does not know: their dates cannot be told." : "The database knows the time zone of every organization (%ld unknown).", unknown);
	PQclear(rows);
}

static void
look_at_keys(const struct patient *patient)
{
	PGresult *rows = ask(patient, &query_doctor_expiring_keys, NULL, "keys.expiry");

	if (rows == NULL)
		return;
	const long keys = row_int(rows, 0, "keys");
	const char *names = row_text(rows, 0, "names");
	if (keys == 0)
		findings_add(patient->findings, FINDING_OK, "keys.expiry", NULL, "No key that is in use expires within 14 days.");
	else
		findings_add(patient->findings, FINDING_WARN, "keys.expiry",
			"Give each a later expires_at, or make another one beside it and change over (deploy/API-KEYS.md).",
			"%ld key%s in use expire%s within 14 days: %s%s.", keys, keys == 1 ? "" : "s", keys == 1 ? "s" : "", names,
			keys > NAMED_KEYS ? ", and others" : "");
	PQclear(rows);
}

static long long
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
examine(const struct patient *patient)
{
	if (!look_at_connection(patient))
		return;
	const long long before_ms = now_ms();
	PGresult *server = ask(patient, &query_doctor_server, NULL, "database.reachable");
	const long long after_ms = now_ms();

	if (server == NULL)
		return;
	findings_add(patient->findings, FINDING_OK, "database.reachable", NULL, "The database answers, and takes writes.");
	look_at_hosts(patient);
	look_at_kind(patient, server);
	look_at_clock(patient, strtoll(row_text(server, 0, "now_ms"), NULL, 10), before_ms, after_ms);
	look_at_connections(patient, server);
	PQclear(server);
	if (!look_at_schema(patient))
		return;
	look_at_extensions(patient);
	look_at_role(patient);
	look_at_partitions(patient);
	look_at_outbox(patient);
	look_at_jobs(patient);
	look_at_time_zones(patient);
	look_at_keys(patient);
}

void
doctor_look_at_database(struct findings *findings, const struct config *config, const struct doctor_scale *scale)
{
	struct patient patient = { findings, config, scale,
		database_create(config->database_url, "rollcall-doctor", STATEMENT_TIMEOUT_MS) };

	examine(&patient);
	database_free(&patient.database);
}
