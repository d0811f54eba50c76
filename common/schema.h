/*
 * schema: migrations, embedded in the binary from sql/migrations.
 *
 * Applied in order under an advisory lock, each in its own transaction, with a
 * checksum. A migration that has landed is never edited: a changed checksum is
 * an error. Table rollcall.schema_migration (version, name, checksum,
 * applied_at, incompatible_below), which migration 0 makes: a migration that older
 * programs cannot live with says so by a first line `-- incompatible-below: N`
 * (programs whose newest migration is under N refuse to start).
 */
#ifndef ROLLCALL_SCHEMA_H
#define ROLLCALL_SCHEMA_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;
struct database;

struct migration {
	int version;		/* NNNN of its file name */
	const char *name;
	const char *sql;
};
extern const struct migration migrations[];
extern const int migration_count;

/* N of the first line `-- incompatible-below: N`; 0 when there is none. */
int migration_incompatible_below(const char *sql);

/* Months of the audit's partitions, this one counted: from the one before it to
 * the 24th after it. */
#define AUDIT_PARTITIONS_BEHIND 1
#define AUDIT_PARTITIONS_AHEAD 24

/* The name of the partition of the month `offset` months after that of `now`
 * (UTC), and where in time it begins. */
void audit_partition(int64_t now_s, int offset, char name[16], int64_t *begins_at_ms);

/* Brings the database up to date with the owner's connection, grants the
 * programs' role (the user of `program_url`) what it needs and no more, makes the
 * audit's partitions 24 months ahead and drops those that no organization keeps. With dry_run prints what it would do.
 * Prints one line for each step. */
bool schema_migrate(const char *owner_url, const char *program_url, bool dry_run);

/* False, logged, when one of the migrations that query_schema_migrations names is not the
 * one that this program knows by its number. NULL: none has landed. */
bool schema_check_landed(const PGresult *landed);

/* The versions that this program knows, as a PostgreSQL array: what query_schema_state
 * is asked with. */
void schema_known_versions(struct buffer *out);

enum schema_fit { SCHEMA_FITS, SCHEMA_OLDER, SCHEMA_INCOMPATIBLE, SCHEMA_UNREACHABLE };

/* Whether this program may run on a database of which query_schema_state says `state`.
 * `detail`, of at least 256 bytes, says which versions and what to do. */
enum schema_fit schema_judge(const PGresult *state, char *detail, size_t detail_size);
/* The same of a database that is asked first. */
enum schema_fit schema_check(struct database *database, char *detail, size_t detail_size);

#endif
