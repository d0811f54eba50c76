/*
 * What lists have in common: reading their parameters, and pages with cursors.
 *
 * Every fault goes to the request. A cursor is opaque to clients; inside stand the
 * letter of the order, the id and the key of the last row, so that a page goes on behind
 * that row whatever was written meanwhile.
 */
#include "list.h"

#include <stdlib.h>
#include <string.h>

#include "client_text.h"
#include "encode.h"
#include "reply.h"
#include "text.h"

#define PAGE_DEFAULT 50
#define PAGE_MAX 200

const char *
list_read_words(struct request *rq, const char *parameter, const char *const *allowed)
{
	const char *text = request_parameter(rq, parameter);
	char *rest = text != NULL ? arena_copy(rq->scratch, text) : NULL;
	bool is_known = true;

	for (char *word; (word = strsep(&rest, ",")) != NULL;) {
		bool found = false;
		for (const char *const *one = allowed; *one != NULL; one++)
			found = found || strcmp(*one, word) == 0;
		is_known = is_known && found;
	}
	if (!is_known) {
		request_parameter_fault(rq, parameter, "invalid", "One or more of the known words, commas between them.");
		return NULL;
	}
	return text != NULL ? arena_printf(rq->scratch, "{%s}", text) : NULL;
}

bool
list_read_flag(struct request *rq, const char *parameter)
{
	const char *text = request_parameter(rq, parameter);

	if (text != NULL && strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		request_parameter_fault(rq, parameter, "invalid", "true or false.");
	return text != NULL && strcmp(text, "true") == 0;
}

const char *
list_read_id(struct request *rq, const char *parameter)
{
	const char *text = request_parameter(rq, parameter);
	struct uuid id;

	if (text != NULL && !uuid_parse(text, &id)) {
		request_parameter_fault(rq, parameter, "unknown_id", "There is nothing with this id.");
		return NULL;
	}
	return text;
}

const char *
list_read_time(struct request *rq, const char *parameter)
{
	const char *text = request_parameter(rq, parameter);

	if (text != NULL && !timestamp_is_valid(text)) {
		request_parameter_fault(rq, parameter, "invalid", "A moment like 2026-11-22T02:33:12Z.");
		return NULL;
	}
	return text;
}

/* % and _ mean themselves. */
const char *
list_read_search(struct request *rq, const char *parameter)
{
	const char *text = request_parameter(rq, parameter);
	struct buffer out = BUFFER_INIT;

	if (text == NULL || *text == '\0')
		return NULL;
	if (utf8_length(text) > 100)
		request_parameter_fault(rq, parameter, "too_long", "At most 100 characters.");
	buffer_putc(&out, '%');
	for (; *text != '\0'; text++) {
		if (*text == '%' || *text == '_' || *text == '\\')
			buffer_putc(&out, '\\');
		buffer_putc(&out, *text);
	}
	buffer_putc(&out, '%');
	return request_take_text(rq, &out);
}

static void
write_cursor(struct request *rq, char prefix, const char *key, const char *id)
{
	struct buffer plain = BUFFER_INIT;

	buffer_printf(&plain, "%c%s%s", prefix, id, key);
	char *text = arena_take(rq->scratch, BASE64URL_SIZE(plain.length));
	base64url_encode((const uint8_t *)plain.data, plain.length, text);
	json_write_string(&rq->reply, text);
	buffer_free(&plain);
}

static bool
read_cursor(struct request *rq, const char *cursor, char prefix, bool has_key, struct page_wish *wish)
{
	if (!cursor_fits(cursor))
		return false;
	char *plain = arena_take(rq->scratch, CURSOR_BYTES_MAX + 1), *id = arena_take(rq->scratch, UUID_TEXT_SIZE);
	const char *key = cursor_read(cursor, prefix, plain, id);
	if (key == NULL)
		return false;
	wish->after_id = id;
	wish->after_key = key;
	return has_key || *key == '\0';
}

void
list_read_page(struct request *rq, char cursor_prefix, bool has_key, struct page_wish *wish)
{
	const char *limit = request_parameter(rq, "limit");
	const char *cursor = request_parameter(rq, "cursor");

	*wish = (struct page_wish){ .limit = PAGE_DEFAULT, .cursor_prefix = cursor_prefix, .id_column = "id" };
	rq->faults_in_query = true;
	if (limit != NULL) {
		char *end;
		long value = strtol(limit, &end, 10);
		if (*end != '\0' || *limit < '0' || *limit > '9' || value < 1 || value > PAGE_MAX)
			request_parameter_fault(rq, "limit", "invalid", "A limit is a number from 1 to 200.");
		else
			wish->limit = (int)value;
	}
	if (cursor != NULL && !read_cursor(rq, cursor, cursor_prefix, has_key, wish)) {
		request_parameter_fault(rq, "cursor", "invalid", "This is not a cursor of this list in this order.");
		wish->after_id = NULL;
	}
	if (wish->after_id == NULL)
		wish->after_key = NULL;
	wish->limit_text = arena_printf(rq->scratch, "%d", wish->limit + 1);
	wish->wants_count = list_read_flag(rq, "count");
	wish->wants_count_text = wish->wants_count ? "true" : "false";
}

void
list_check_number_key(struct request *rq, const struct page_wish *wish)
{
	const char *digits = wish->after_key != NULL && *wish->after_key == '-' ? wish->after_key + 1 : wish->after_key;

	if (digits != NULL && (*digits == '\0' || strlen(digits) > 18 || strspn(digits, "0123456789") != strlen(digits)))
		request_fault(rq, "cursor", "invalid", "This is not a cursor of this list in this order.");
}

enum step
list_reply_page(struct request *rq, int limit, char cursor_prefix, const char *id_column)
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
		write_cursor(rq, cursor_prefix, key >= 0 ? PQgetvalue(rows, count - 1, key) : "",
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

struct page_wish *
list_begin(struct request *rq, char cursor_prefix, bool has_key)
{
	struct page_wish *page = arena_take(rq->scratch, sizeof(*page));

	rq->data = page;
	list_read_page(rq, cursor_prefix, has_key, page);
	return page;
}

enum step
list_ask(struct request *rq, const struct statement page_and_count[2])
{
	const struct page_wish *page = rq->data;

	if (rq->fault_count > 0)
		return request_answer_faults(rq);
	return request_queries(rq, LANE_SLOW, page_and_count, page->wants_count ? 2 : 1);
}

enum step
list_reply(struct request *rq)
{
	const struct page_wish *page = rq->data;

	return list_reply_page(rq, page->limit, page->cursor_prefix, page->id_column);
}

enum step
list_ask_of_one(struct request *rq, enum lane lane, const struct statement page_and_count[2])
{
	if (rq->fault_count > 0)
		return request_answer_faults(rq);
	return request_queries(rq, lane, page_and_count, 2);
}

enum step
list_reply_of_one(struct request *rq)
{
	const struct page_wish *page = rq->data;

	if (request_rows(rq, 1) == 0)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	if (!page->wants_count) {
		PQclear(rq->results[1]);
		rq->results[1] = NULL;
		rq->result_count = 1;
	}
	return list_reply(rq);
}
