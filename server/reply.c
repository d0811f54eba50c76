/*
 * Rows to JSON.
 *
 * One writer for every query: text becomes a string, integers and numerics a number,
 * bool true or false, jsonb what it is, timestamptz RFC 3339 in UTC, arrays arrays,
 * NULL null.
 */
#include "reply.h"

#include <stdio.h>
#include <string.h>

#include "idempotency.h"
#include "pgarray.h"

/* Types as PostgreSQL numbers them (pg_type.dat); these never change. */
enum {
	OID_BOOL = 16, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23, OID_JSON = 114, OID_CIDR_ARRAY = 651, OID_FLOAT8 = 701,
	OID_INT4_ARRAY = 1007, OID_TEXT_ARRAY = 1009, OID_TIMESTAMPTZ = 1184, OID_NUMERIC = 1700,
	OID_UUID_ARRAY = 2951, OID_JSONB = 3802,
};

void
reply_write_timestamp(struct buffer *out, const char *text)
{
	char rfc3339[64];

	snprintf(rfc3339, sizeof(rfc3339), "%s", text);
	char *space = strchr(rfc3339, ' ');
	char *offset = strrchr(rfc3339, '+');
	if (space != NULL)
		*space = 'T';
	if (offset != NULL && strcmp(offset, "+00") == 0)
		memcpy(offset, "Z", 2);
	json_write_string(out, rfc3339);
}

static void
write_array(struct buffer *out, const char *text, bool as_text)
{
	struct buffer item = BUFFER_INIT;
	bool is_null;

	buffer_putc(out, '[');
	while (pgarray_next(&text, &item, &is_null)) {
		json_write_separator(out);
		if (is_null)
			buffer_puts(out, "null");
		else if (as_text)
			json_write_string(out, buffer_text(&item));
		else
			buffer_puts(out, buffer_text(&item));
	}
	buffer_putc(out, ']');
	buffer_free(&item);
}

static void
write_value(struct buffer *out, const PGresult *rows, int row, int column)
{
	const char *text = PQgetvalue(rows, row, column);

	if (PQgetisnull(rows, row, column)) {
		buffer_puts(out, "null");
		return;
	}
	switch (PQftype(rows, column)) {
	case OID_BOOL:
		buffer_puts(out, text[0] == 't' ? "true" : "false");
		break;
	case OID_INT2:
	case OID_INT4:
	case OID_INT8:
	case OID_FLOAT8:
	case OID_NUMERIC:
	case OID_JSON:
	case OID_JSONB:
		buffer_append(out, text, (size_t)PQgetlength(rows, row, column));
		break;
	case OID_TIMESTAMPTZ:
		reply_write_timestamp(out, text);
		break;
	case OID_TEXT_ARRAY:
	case OID_UUID_ARRAY:
	case OID_CIDR_ARRAY:
		write_array(out, text, true);
		break;
	case OID_INT4_ARRAY:
		write_array(out, text, false);
		break;
	default:
		json_write_string(out, text);
	}
}

void
reply_write_row(struct buffer *out, const PGresult *rows, int row)
{
	buffer_putc(out, '{');
	for (int column = 0; column < PQnfields(rows); column++) {
		const char *name = PQfname(rows, column);
		if (strcmp(name, "cursor_key") == 0 || strcmp(name, "cursor_id") == 0)
			continue;
		json_write_name(out, name);
		write_value(out, rows, row, column);
	}
	buffer_putc(out, '}');
}

static void
write_etag(struct request *rq, const PGresult *rows)
{
	int version = PQfnumber(rows, "version");
	char etag[32];

	if (version < 0 || PQgetisnull(rows, 0, version))
		return;
	snprintf(etag, sizeof(etag), "\"%s\"", PQgetvalue(rows, 0, version));
	request_header(rq, "ETag", etag);
}

/* A column of the row that is answered: of the last statement; NULL for SQL NULL or without a row. */
static const char *
reply_column(const struct request *rq, const char *name)
{
	return request_value(rq, rq->result_count - 1, name);
}

static enum step
reply_row_with(struct request *rq, int status, const struct reply_extra *extras)
{
	const PGresult *rows = rq->results[rq->result_count - 1];

	if (PQntuples(rows) == 0 && idempotency_repeats(rq))
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL, "This was done already, and what it was done to is gone since.");
	if (PQntuples(rows) == 0)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	write_etag(rq, rows);
	buffer_clear(&rq->reply);
	reply_write_row(&rq->reply, rows, 0);
	rq->reply.length--;	/* reopen the object */
	for (; extras->name != NULL; extras++)
		json_write_string_member(&rq->reply, extras->name, extras->text);
	buffer_putc(&rq->reply, '}');
	return request_reply(rq, status, "application/json");
}

void
reply_location(struct request *rq, const char *collection)
{
	const char *id = reply_column(rq, "id");

	if (id != NULL)
		request_header(rq, "Location", arena_printf(rq->scratch, "%s/%s", collection, id));
}

/* Answers the one row of the last statement, with its version as ETag; no row: 404. */
static enum step
reply_row(struct request *rq, int status)
{
	return reply_row_with(rq, status, &(const struct reply_extra){ 0 });
}

enum step
reply_created_with(struct request *rq, const struct reply_extra *extras)
{
	return reply_row_with(rq, 201, extras);
}

enum step reply_ok(struct request *rq) { return reply_row(rq, 200); }
enum step reply_created(struct request *rq) { return reply_row(rq, 201); }
enum step reply_accepted(struct request *rq) { return reply_row(rq, 202); }
enum step reply_no_content(struct request *rq) { return request_reply_empty(rq, 204); }

const char *
reply_row_text(struct request *rq, const PGresult *rows, int row)
{
	struct buffer out = BUFFER_INIT;

	reply_write_row(&out, rows, row);
	return request_take_text(rq, &out);
}
