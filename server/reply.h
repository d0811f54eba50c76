/*
 * reply: rows as JSON. A query's column names and types are the JSON that it
 * becomes (DESIGN.md §2.7); no handler copies fields.
 */
#ifndef ROLLCALL_REPLY_H
#define ROLLCALL_REPLY_H

#include "request.h"

/* Writes one row as an object. Columns named cursor_key and cursor_id are left out. */
void reply_write_row(struct buffer *out, const PGresult *rows, int row);
/* The same as a text in scratch. */
const char *reply_row_text(struct request *rq, const PGresult *rows, int row);
/* A timestamptz as PostgreSQL prints it, as RFC 3339 with its quotes:
 * "2026-11-22 02:33:12.5+00" to "2026-11-22T02:33:12.5Z" (connections speak UTC). */
void reply_write_timestamp(struct buffer *out, const char *text);
/* Location: where the answered row is; without a row: nothing. */
void reply_location(struct request *rq, const char *collection);
/* 201 with the one row of the last statement, its version as ETag (no row: 404), and texts beside
 * it that no row has: what is told this once. */
struct reply_extra { const char *name, *text; };	/* name NULL ends the list */
enum step reply_created_with(struct request *rq, const struct reply_extra *extras);
/* Steps for the commonest endings. */
enum step reply_ok(struct request *rq);
enum step reply_created(struct request *rq);
enum step reply_accepted(struct request *rq);
enum step reply_no_content(struct request *rq);

#endif
