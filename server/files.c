/*
 * Files that go out: their names, those that travel in the program, and those that lie in the
 * database in parts.
 *
 * How long such a file is is known before its first byte. A part that is missing, because
 * its time was over in between, breaks the answer.
 */
#include "files.h"

#include <stdlib.h>
#include <string.h>

#include "embedded_file.h"
#include "encode.h"
#include "entity_tag.h"
#include "subject.h"

char
file_read_delimiter(struct request *rq)
{
	static const struct {
		const char *word;
		char delimiter;
	} delimiters[] = { { "comma", ',' }, { "semicolon", ';' }, { "tab", '\t' } };
	const char *word = request_parameter(rq, "delimiter");

	for (size_t i = 0; word != NULL && i < sizeof(delimiters) / sizeof(delimiters[0]); i++) {
		if (strcmp(delimiters[i].word, word) == 0)
			return delimiters[i].delimiter;
	}
	if (word != NULL)
		request_parameter_fault(rq, "delimiter", "invalid", "comma, semicolon or tab.");
	return ',';
}

bool
file_wants_xlsx(struct request *rq)
{
	const char *format = request_parameter(rq, "format");

	if (format != NULL && strcmp(format, "csv") != 0 && strcmp(format, "xlsx") != 0)
		request_parameter_fault(rq, "format", "invalid", "csv or xlsx.");
	return format != NULL && strcmp(format, "xlsx") == 0;
}

/* attr-char of RFC 8187 §3.2.1, of those that no file system minds. */
static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

/* RFC 6266: one name for everybody, and the real one for who reads UTF-8. */
void
file_reply_name(struct request *rq, const char *name)
{
	struct buffer header = BUFFER_INIT;

	buffer_puts(&header, "attachment; filename=\"");
	for (const char *at = name; *at != '\0'; at++)
		buffer_putc(&header, is_plain(*at) || *at == ' ' ? *at : '_');
	buffer_puts(&header, "\"; filename*=UTF-8''");
	for (const char *at = name; *at != '\0'; at++) {
		if (is_plain(*at))
			buffer_putc(&header, *at);
		else
			buffer_printf(&header, "%%%02X", (unsigned)(unsigned char)*at);
	}
	request_header(rq, "Content-Disposition", buffer_text(&header));
	buffer_free(&header);
}

enum step
file_reply_embedded(struct request *rq, const struct embedded_file *file, const char *content_type)
{
	const char *known = request_known_tags(rq);
	/* Without its quotes. */
	const char *tag = arena_copy_n(rq->scratch, file->etag + 1, strlen(file->etag) - 2);

	rq->is_cacheable = true;
	request_header(rq, "Cache-Control", "no-cache");
	request_header(rq, "ETag", file->etag);
	if (known != NULL && entity_tags_hold(known, tag))
		return request_reply_empty(rq, 304);
	buffer_clear(&rq->reply);
	buffer_append(&rq->reply, file->bytes, (size_t)file->length);
	return request_reply(rq, 200, content_type);
}

/* ---- Parts. */

struct parts {
	const char *file_id, *content_type;
	long count, next;
};

static enum step
part_load(struct request *rq)
{
	const struct parts *parts = rq->data;
	char number[24];

	snprintf(number, sizeof(number), "%ld", parts->next);
	return request_query(rq, LANE_SLOW, &query_file_part_get, (const char *const[]){ rq->org_id, parts->file_id, number });
}

static enum step
part_write(struct request *rq)
{
	struct parts *parts = rq->data;
	const char *hex = request_rows(rq, 0) > 0 ? request_column(rq, "bytes") : NULL;
	const size_t length = hex != NULL ? strlen(hex) / 2 : 0;
	uint8_t *bytes = xmalloc(length + 1);
	const bool is_whole = hex != NULL && hex_decode(hex, bytes, length);

	if (is_whole)
		buffer_append(&rq->reply, (const char *)bytes, length);
	free(bytes);
	if (!is_whole)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	return ++parts->next < parts->count ? request_stream(rq, parts->content_type)
		: request_stream_last(rq, parts->content_type);
}

static request_step *const part_steps[] = { part_load, part_write, NULL };

enum step
file_stream(struct request *rq, const char *content_type)
{
	struct parts *parts = arena_take(rq->scratch, sizeof(*parts));

	*parts = (struct parts){
		.file_id = arena_copy(rq->scratch, request_column(rq, "file_id")), .content_type = content_type,
		.count = row_int(rq->result, 0, "parts"),
	};
	if (parts->count == 0)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	rq->data = parts;
	file_reply_name(rq, request_column(rq, "file_name"));
	/* Known to the byte: the client sees how far it is, and whether something is missing. */
	request_header(rq, "Content-Length", request_column(rq, "size"));
	return request_continue(rq, part_steps);
}
