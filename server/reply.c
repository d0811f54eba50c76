/*
 * Rows to JSON, problems to JSON, pages with cursors.
 *
 * One writer for every query: text becomes a string, integers and numerics a number,
 * bool true or false, jsonb what it is, timestamptz RFC 3339 in UTC, arrays arrays,
 * NULL null.
 */
#include "reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encode.h"
#include "text.h"

/* Types as PostgreSQL numbers them (pg_type.dat); these never change. */
enum {
	OID_BOOL = 16, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23, OID_JSON = 114, OID_FLOAT8 = 701,
	OID_INT4_ARRAY = 1007, OID_TEXT_ARRAY = 1009, OID_TIMESTAMPTZ = 1184, OID_NUMERIC = 1700,
	OID_UUID_ARRAY = 2951, OID_JSONB = 3802,
};

#define PAGE_DEFAULT 50
#define PAGE_MAX 200

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

/* The elements of {a,"b c",NULL}: what PostgreSQL prints for a one-dimensional array. */
static void
write_array(struct buffer *out, const char *text, bool as_text)
{
	struct buffer item = BUFFER_INIT;
	const char *p = text + 1;

	buffer_putc(out, '[');
	while (*p != '}' && *p != '\0') {
		bool quoted = *p == '"';
		p += quoted;
		buffer_clear(&item);
		while (*p != '\0' && (quoted ? *p != '"' : *p != ',' && *p != '}')) {
			if (*p == '\\' && p[1] != '\0')
				p++;
			buffer_putc(&item, *p++);
		}
		p += quoted;
		json_write_separator(out);
		if (as_text)
			json_write_string(out, buffer_text(&item));
		else
			buffer_puts(out, buffer_text(&item));
		if (*p == ',')
			p++;
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
		if (strcmp(name, "cursor_key") == 0)
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

enum step
reply_row(struct request *rq, int status)
{
	const PGresult *rows = rq->results[rq->result_count - 1];

	if (PQntuples(rows) == 0)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	write_etag(rq, rows);
	buffer_clear(&rq->reply);
	reply_write_row(&rq->reply, rows, 0);
	return request_reply(rq, status, "application/json");
}

enum step reply_ok(struct request *rq) { return reply_row(rq, 200); }
enum step reply_created(struct request *rq) { return reply_row(rq, 201); }
enum step reply_accepted(struct request *rq) { return reply_row(rq, 202); }
enum step reply_no_content(struct request *rq) { return request_reply_empty(rq, 204); }

/* A cursor: the sort's letter, the key's length, key and id, as base64url. */
static void
write_cursor(struct buffer *out, char prefix, const char *key, const char *id)
{
	struct buffer plain = BUFFER_INIT;

	buffer_printf(&plain, "%c%s%s", prefix, id, key);
	char *text = malloc(BASE64URL_SIZE(plain.length));
	base64url_encode((const uint8_t *)plain.data, plain.length, text);
	json_write_string(out, text);
	free(text);
	buffer_free(&plain);
}

static bool
read_cursor(struct request *rq, const char *cursor, char prefix, bool has_key, struct page_wish *wish)
{
	const size_t bytes = strlen(cursor) * 3 / 4;
	char *plain = arena_take(rq->scratch, bytes + 1);
	struct uuid id;

	if (bytes < UUID_TEXT_SIZE || bytes > 4096 || !base64url_decode(cursor, (uint8_t *)plain, bytes)
		|| plain[0] != prefix || strlen(plain) != bytes || !utf8_is_valid(plain, bytes))
		return false;
	wish->after_id = arena_copy_n(rq->scratch, plain + 1, UUID_TEXT_SIZE - 1);
	wish->after_key = arena_copy(rq->scratch, plain + UUID_TEXT_SIZE);
	if (!uuid_parse(wish->after_id, &id))
		return false;
	return has_key || *wish->after_key == '\0';
}

void
reply_read_page(struct request *rq, char cursor_prefix, bool has_key, struct page_wish *wish)
{
	const char *limit = request_parameter(rq, "limit");
	const char *cursor = request_parameter(rq, "cursor");

	*wish = (struct page_wish){ .limit = PAGE_DEFAULT };
	rq->faults_in_query = true;
	if (limit != NULL) {
		char *end;
		long value = strtol(limit, &end, 10);
		if (*end != '\0' || *limit < '0' || *limit > '9' || value < 1 || value > PAGE_MAX)
			request_fault(rq, "limit", "invalid", "A limit is a number from 1 to 200.");
		else
			wish->limit = (int)value;
	}
	if (cursor != NULL && !read_cursor(rq, cursor, cursor_prefix, has_key, wish)) {
		request_fault(rq, "cursor", "invalid", "This is not a cursor of this list in this order.");
		wish->after_id = NULL;
	}
	if (wish->after_id == NULL)
		wish->after_key = NULL;
	wish->limit_text = arena_printf(rq->scratch, "%d", wish->limit + 1);
}

enum step
reply_page(struct request *rq, int limit, char cursor_prefix, const char *id_column)
{
	const PGresult *rows = rq->results[0];
	int count = PQntuples(rows);
	const bool has_more = count > limit;
	struct buffer *out = &rq->reply;

	if (has_more)
		count = limit;
	buffer_clear(out);
	buffer_puts(out, "{\"items\":[");
	for (int row = 0; row < count; row++) {
		json_write_separator(out);
		reply_write_row(out, rows, row);
	}
	buffer_puts(out, "],\"next_cursor\":");
	if (has_more) {
		int key = PQfnumber(rows, "cursor_key");
		write_cursor(out, cursor_prefix, key >= 0 ? PQgetvalue(rows, count - 1, key) : "",
			PQgetvalue(rows, count - 1, PQfnumber(rows, id_column)));
	} else {
		buffer_puts(out, "null");
	}
	if (rq->result_count > 1) {
		json_write_name(out, "total");
		buffer_puts(out, PQgetvalue(rq->results[1], 0, 0));
	}
	buffer_putc(out, '}');
	return request_reply(rq, 200, "application/json");
}

static void
write_faults(struct request *rq, struct buffer *out)
{
	json_write_name(out, "errors");
	buffer_putc(out, '[');
	for (int i = 0; i < rq->fault_count; i++) {
		const struct fault *fault = &rq->faults[i];
		json_write_separator(out);
		buffer_putc(out, '{');
		json_write_string_member(out, rq->faults_in_query ? "parameter" : "pointer", fault->pointer);
		json_write_string_member(out, "code", fault->code);
		json_write_string_member(out, "detail", fault->detail);
		buffer_putc(out, '}');
	}
	buffer_putc(out, ']');
}

enum step
request_problem_detail(struct request *rq, enum problem problem, const char *policy, const char *detail)
{
	const struct problem_text *text = problem_text(problem);
	struct buffer *out = &rq->reply;

	buffer_clear(out);
	buffer_putc(out, '{');
	json_write_string_member(out, "type", "about:blank");
	json_write_string_member(out, "title", text->title);
	json_write_int_member(out, "status", text->status);
	json_write_string_member(out, "detail", detail != NULL ? detail : text->detail);
	json_write_string_member(out, "code", text->code);
	if (policy != NULL)
		json_write_string_member(out, "policy", policy);
	if (rq->fault_count > 0)
		write_faults(rq, out);
	buffer_putc(out, '}');
	rq->is_cacheable = false;
	return request_reply(rq, text->status, "application/problem+json");
}

enum step
request_problem(struct request *rq, enum problem problem)
{
	return problem == PROBLEM_UNAVAILABLE ? request_problem_later(rq, problem, 1)
					      : request_problem_detail(rq, problem, NULL, NULL);
}

enum step
request_problem_later(struct request *rq, enum problem problem, int retry_after_s)
{
	request_header(rq, "Retry-After", arena_printf(rq->scratch, "%d", retry_after_s > 0 ? retry_after_s : 1));
	return request_problem_detail(rq, problem, NULL, NULL);
}

enum step
request_answer_faults(struct request *rq)
{
	if (rq->fault_count == 0)
		return STEP_NEXT;
	return request_problem(rq, rq->faults_in_query ? PROBLEM_INVALID_QUERY : PROBLEM_INVALID_BODY);
}
