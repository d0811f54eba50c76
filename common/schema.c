/*
 * schema: what brings a database to the shape that this program expects.
 *
 * Owns the order of it: the lock, the migrations, the partitions of the audit, the
 * grants. Each step finds out what is missing and does only that, so it may run
 * again at any time and after any interruption. The SQL stands in sql/queries
 * (what to ask, and statements that PostgreSQL itself words) and sql/migrations.
 */
#include "schema.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "buffer.h"
#include "database.h"
#include "log.h"
#include "memory.h"
#include "queries.h"
#include "token.h"
#include "uuid.h"


struct migrator {
	struct database *database;
	const char *role;	/* of the programs; NULL: the owner's own */
	bool dry_run;
};

/* Digits of our own or of an integer column. */
static int
number(const char *text)
{
	return (int)strtol(text, NULL, 10);
}

int
migration_incompatible_below(const char *sql)
{
	static const char mark[] = "-- incompatible-below: ";

	return strncmp(sql, mark, strlen(mark)) == 0 ? number(sql + strlen(mark)) : 0;
}

void
audit_partition(int64_t now_s, int offset, char name[16], int64_t *begins_at_ms)
{
	time_t now = (time_t)now_s;
	struct tm month;

	gmtime_r(&now, &month);
	month.tm_mon += offset;
	month.tm_mday = 1;
	month.tm_hour = month.tm_min = month.tm_sec = 0;
	*begins_at_ms = (int64_t)timegm(&month) * 1000;	/* carries over into years */
	strftime(name, 16, "audit_%Y_%m", &month);
}

/* The rows of a query, or NULL when it failed, which is in the log by then. */
static PGresult *
ask(struct database *database, const struct query *query, const char *const *params)
{
	return database_run(database, query, params).rows;
}

static bool
ask_bool(struct database *database, const struct query *query, const char *const *params, bool *answer)
{
	PGresult *rows = ask(database, query, params);

	if (rows == NULL)
		return false;
	*answer = strcmp(PQgetvalue(rows, 0, 0), "t") == 0;
	PQclear(rows);
	return true;
}

static bool
tell(struct database *database, const struct query *query, const char *const *params)
{
	PGresult *rows = ask(database, query, params);

	PQclear(rows);
	return rows != NULL;
}

/* The line that an error points at, into `line`; NULL when it points nowhere. */
static const char *
line_of(const PGresult *error, const char *sql, char line[16])
{
	const char *position = PQresultErrorField(error, PG_DIAG_STATEMENT_POSITION);
	int count = 1;

	if (position == NULL)
		return NULL;
	for (int left = number(position); left > 1 && *sql != '\0'; left--)
		count += *sql++ == '\n';
	snprintf(line, 16, "%d", count);
	return line;
}

/* Text of our own or of PostgreSQL's making, never of a user's: the error may be
 * shown as it is. */
static bool
execute(struct migrator *migrator, const char *what, const char *sql)
{
	PGconn *connection = database_connection(migrator->database);
	PGresult *result;
	char line[16];
	bool ok;

	if (connection == NULL)
		return false;
	result = PQexec(connection, sql);
	ok = PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK;
	if (!ok)
		log_error("could not migrate", "step", what,
			"sqlstate", PQresultErrorField(result, PG_DIAG_SQLSTATE), "line", line_of(result, sql, line),
			"reason", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), NULL);
	PQclear(result);
	return ok;
}

/* Waits for another migrating program. The lock ends with the connection. */
static bool
lock(struct migrator *migrator)
{
	bool is_locked;

	if (!ask_bool(migrator->database, &query_schema_lock_try, NULL, &is_locked))
		return false;
	if (!is_locked) {
		puts("waiting for another migration to end");
		fflush(stdout);
		if (!tell(migrator->database, &query_schema_lock_wait, NULL))
			return false;
	}
	return tell(migrator->database, &query_schema_session_prepare, NULL);
}

static const struct migration *
migration_find(int version)
{
	for (int i = 0; i < migration_count; i++)
		if (migrations[i].version == version)
			return &migrations[i];
	return NULL;
}

/* A program older than the database finds migrations that it does not know: that
 * is not its business. One that it knows otherwise is an error. */
bool
schema_check_landed(const PGresult *landed)
{
	bool ok = true;

	for (int row = 0; row < PQntuples(landed); row++) {
		const struct migration *migration = migration_find(number(PQgetvalue(landed, row, 0)));
		char checksum[TOKEN_HASH_SIZE];

		if (migration == NULL)
			continue;
		token_hash(migration->sql, checksum);
		if (strcmp(checksum, PQgetvalue(landed, row, 2)) != 0) {
			log_error("could not migrate: a migration was edited after it had landed",
				"version", PQgetvalue(landed, row, 0), "name", migration->name, NULL);
			ok = false;
		}
	}
	return ok;
}

static bool
has_landed(const PGresult *landed, int version)
{
	for (int row = 0; row < PQntuples(landed); row++)
		if (number(PQgetvalue(landed, row, 0)) == version)
			return true;
	return false;
}

static bool
record(struct migrator *migrator, const struct migration *migration)
{
	char version[16], incompatible_below[16], checksum[TOKEN_HASH_SIZE];
	const char *const params[] = { version, migration->name, checksum, incompatible_below };

	snprintf(version, sizeof(version), "%d", migration->version);
	snprintf(incompatible_below, sizeof(incompatible_below), "%d",
		migration_incompatible_below(migration->sql));
	token_hash(migration->sql, checksum);
	return tell(migrator->database, &query_schema_migration_record, params);
}

/* The migration and its record land together; otherwise the connection's end
 * takes both back. */
static bool
apply(struct migrator *migrator, const struct migration *migration)
{
	if (!execute(migrator, "begin", "BEGIN")
		|| !execute(migrator, migration->name, migration->sql)
		|| !record(migrator, migration)
		|| !execute(migrator, "commit", "COMMIT"))
		return false;
	printf("applied migration %04d %s\n", migration->version, migration->name);
	return true;
}

static bool
migrate_tables(struct migrator *migrator)
{
	PGresult *landed = NULL;
	bool ok, exists;

	if (!ask_bool(migrator->database, &query_schema_exists, NULL, &exists))
		return false;
	if (exists && (landed = ask(migrator->database, &query_schema_migrations, NULL)) == NULL)
		return false;
	ok = schema_check_landed(landed);
	for (int i = 0; ok && i < migration_count; i++) {
		if (has_landed(landed, migrations[i].version))
			continue;
		if (migrator->dry_run)
			printf("would apply migration %04d %s\n", migrations[i].version, migrations[i].name);
		else
			ok = apply(migrator, &migrations[i]);
	}
	PQclear(landed);
	return ok;
}

static void
append_item(struct buffer *list, const char *item)
{
	buffer_putc(list, list->length == 0 ? '{' : ',');
	buffer_puts(list, item);
}

/* Names and bounds of all partitions that should exist, as PostgreSQL arrays. */
static void
list_partitions(struct buffer *names, struct buffer *lows, struct buffer *highs)
{
	char name[16], id[UUID_TEXT_SIZE];
	int64_t now_s = (int64_t)time(NULL), begins_at_ms;

	for (int offset = -AUDIT_PARTITIONS_BEHIND; offset <= AUDIT_PARTITIONS_AHEAD + 1; offset++) {
		struct uuid bound;

		audit_partition(now_s, offset, name, &begins_at_ms);
		bound = uuid_at(begins_at_ms);
		uuid_format(&bound, id);
		if (offset <= AUDIT_PARTITIONS_AHEAD) {
			append_item(names, name);
			append_item(lows, id);
		}
		if (offset > -AUDIT_PARTITIONS_BEHIND)
			append_item(highs, id);
	}
	buffer_putc(names, '}');
	buffer_putc(lows, '}');
	buffer_putc(highs, '}');
}

/* Runs the statements of a result, column `column`; prints nothing. */
static bool
execute_rows(struct migrator *migrator, const char *what, const PGresult *rows, int column)
{
	bool ok = true;

	for (int row = 0; ok && !migrator->dry_run && row < PQntuples(rows); row++)
		ok = execute(migrator, what, PQgetvalue(rows, row, column));
	return ok;
}

static bool
migrate_audit_partitions(struct migrator *migrator)
{
	struct buffer names = BUFFER_INIT, lows = BUFFER_INIT, highs = BUFFER_INIT;
	PGresult *missing;
	bool ok = false;

	list_partitions(&names, &lows, &highs);
	missing = ask(migrator->database, &query_schema_audit_partitions, (const char *const[]){
		buffer_text(&names), buffer_text(&lows), buffer_text(&highs) });
	if (missing != NULL) {
		int count = PQntuples(missing);

		ok = execute_rows(migrator, "audit partitions", missing, 1);
		if (ok && count > 0)
			printf("%s %d partition%s of the audit, %s to %s\n", migrator->dry_run ? "would make" : "made",
				count, count == 1 ? "" : "s", PQgetvalue(missing, 0, 0), PQgetvalue(missing, count - 1, 0));
	}
	PQclear(missing);
	buffer_free(&names);
	buffer_free(&lows);
	buffer_free(&highs);
	return ok;
}

/* What nobody's audit_retention keeps any more. Only the owner can: the programs may not
 * delete from the audit. */
static bool
migrate_audit_retention(struct migrator *migrator)
{
	PGresult *expired;
	bool exists, ok;

	if (!ask_bool(migrator->database, &query_schema_audit_exists, NULL, &exists))
		return false;
	if (!exists)	/* a dry run on an empty database */
		return true;
	expired = ask(migrator->database, &query_schema_audit_expired, NULL);
	if (expired == NULL)
		return false;
	const int count = PQntuples(expired);
	ok = execute_rows(migrator, "audit retention", expired, 1);
	if (ok && count > 0)
		printf("%s %d partition%s of the audit that no organization keeps, %s to %s\n",
			migrator->dry_run ? "would drop" : "dropped", count, count == 1 ? "" : "s",
			PQgetvalue(expired, 0, 0), PQgetvalue(expired, count - 1, 0));
	PQclear(expired);
	return ok;
}

/* All grants at once, so that no program ever runs between a REVOKE and its GRANT. */
static bool
migrate_grants(struct migrator *migrator)
{
	const char *const params[] = { migrator->role };
	PGresult *statements;
	bool exists, ok;

	if (migrator->role == NULL) {
		puts("warning: the programs use the owner's role; nothing is granted, and nothing is kept from them");
		return true;
	}
	if (!ask_bool(migrator->database, &query_schema_role_exists, params, &exists))
		return false;
	if (!exists) {
		log_error("could not grant: the programs' role does not exist; deploy/roles.sql makes it",
			"role", migrator->role, NULL);
		return false;
	}
	statements = ask(migrator->database, &query_schema_grants, params);
	if (statements == NULL)
		return false;
	ok = migrator->dry_run || (execute(migrator, "begin", "BEGIN")
		&& execute_rows(migrator, "grants", statements, 0) && execute(migrator, "commit", "COMMIT"));
	if (ok && PQntuples(statements) > 0)
		printf("%s role %s what it needs (%d statements)\n", migrator->dry_run ? "would grant" : "granted",
			migrator->role, PQntuples(statements));
	PQclear(statements);
	return ok;
}

/* The user of a connection string, or what libpq takes where it names none; NULL
 * when it is malformed. The caller frees it. */
static char *
user_of(const char *url)
{
	PQconninfoOption *parts = PQconninfoParse(url, NULL), *defaults = PQconndefaults();
	const char *user = NULL;
	char *copy;

	for (const PQconninfoOption *part = defaults; part != NULL && part->keyword != NULL; part++)
		if (strcmp(part->keyword, "user") == 0)
			user = part->val;
	for (const PQconninfoOption *part = parts; part != NULL && part->keyword != NULL; part++)
		if (strcmp(part->keyword, "user") == 0 && part->val != NULL)
			user = part->val;
	copy = parts != NULL && user != NULL ? xstrdup(user) : NULL;
	PQconninfoFree(parts);
	PQconninfoFree(defaults);
	return copy;
}

bool
schema_migrate(const char *owner_url, const char *program_url, bool dry_run)
{
	char *owner = user_of(owner_url), *role = user_of(program_url);
	struct migrator migrator = { .dry_run = dry_run };
	bool ok = false;

	if (owner == NULL || role == NULL) {
		log_error("could not migrate: a connection string is malformed", NULL);
		goto out;
	}
	migrator.role = strcmp(owner, role) == 0 ? NULL : role;
	migrator.database = database_create(owner_url, "rollcall-migrate", 0);
	ok = (dry_run || lock(&migrator))
		&& migrate_tables(&migrator)
		&& migrate_audit_partitions(&migrator)
		&& migrate_audit_retention(&migrator)
		&& migrate_grants(&migrator);
	if (ok && !dry_run)
		printf("the schema has all migrations up to %d\n", migrations[migration_count - 1].version);
	fflush(stdout);
out:
	database_free(&migrator.database);
	free(owner);
	free(role);
	return ok;
}

void
schema_known_versions(struct buffer *out)
{
	for (int i = 0; i < migration_count; i++)
		buffer_printf(out, "%c%d", i == 0 ? '{' : ',', migrations[i].version);
	buffer_putc(out, '}');
}

enum schema_fit
schema_judge(const PGresult *state, char *detail, size_t detail_size)
{
	int version = number(PQgetvalue(state, 0, PQfnumber(state, "version")));
	int incompatible_below = number(PQgetvalue(state, 0, PQfnumber(state, "incompatible_below")));
	int missing = number(PQgetvalue(state, 0, PQfnumber(state, "missing")));
	int newest = migrations[migration_count - 1].version;

	if (missing > 0) {
		snprintf(detail, detail_size, "the schema is at version %d and lacks %d of the migrations up to %d "
			"that this program needs: run `rollcall-server migrate`", version, missing, newest);
		return SCHEMA_OLDER;
	}
	if (incompatible_below > newest) {
		snprintf(detail, detail_size, "the schema is at version %d, which programs that know only %d cannot "
			"run on: install a release that knows at least %d", version, newest, incompatible_below);
		return SCHEMA_INCOMPATIBLE;
	}
	snprintf(detail, detail_size, "the schema is at version %d, this program knows %d", version, newest);
	return SCHEMA_FITS;
}

enum schema_fit
schema_check(struct database *database, char *detail, size_t detail_size)
{
	struct buffer versions = BUFFER_INIT;
	enum schema_fit fit = SCHEMA_UNREACHABLE;
	PGresult *state = NULL;
	bool exists = false;

	assert(detail_size >= 256);
	snprintf(detail, detail_size, "the database cannot be reached, or does not let this role read "
		"rollcall.schema_migration");
	if (!ask_bool(database, &query_schema_exists, NULL, &exists))
		goto out;
	if (!exists) {
		snprintf(detail, detail_size, "the database is empty: run `rollcall-server migrate`");
		fit = SCHEMA_OLDER;
		goto out;
	}
	schema_known_versions(&versions);
	state = ask(database, &query_schema_state, (const char *const[]){ buffer_text(&versions) });
	if (state != NULL)
		fit = schema_judge(state, detail, detail_size);
out:
	PQclear(state);
	buffer_free(&versions);
	return fit;
}
