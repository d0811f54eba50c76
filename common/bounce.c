/*
 * bounce: finds the report in a message, and in the report what we want to know.
 *
 * Always true: not more than DEPTH_MAX multiparts are entered one inside of the other, and not
 * more than PARTS_MAX parts are looked at in all.
 */
#include "bounce.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mime.h"
#include "mime_coding.h"
#include "utf8.h"

enum { DEPTH_MAX = 8, PARTS_MAX = 100, TYPE_SIZE = 64 };

struct search {
	int parts_left;
	bool has_other_report;	/* a read receipt, a complaint */
};

/* What a report is made of; pieces of `status` and `returned` once they were found. */
struct report {
	bool has_status, has_mail_id;
	struct bounce *bounce;
};

static bool
is_type(const char *type, const char *one, const char *other)
{
	return strcmp(type, one) == 0 || strcmp(type, other) == 0;
}

/* ---- Which mail it was. */

/* The first <...> that begins with an id of ours. */
static bool
find_id(const char *value, char id[UUID_TEXT_SIZE])
{
	for (const char *open = strchr(value, '<'); open != NULL; open = strchr(open + 1, '<')) {
		char text[UUID_TEXT_SIZE];
		struct uuid uuid;

		/* Not further than an id is long: a value may be nothing but brackets. */
		if (strnlen(open, UUID_TEXT_SIZE + 1) <= UUID_TEXT_SIZE || open[UUID_TEXT_SIZE] != '@')
			continue;
		memcpy(text, open + 1, UUID_TEXT_SIZE - 1);
		text[UUID_TEXT_SIZE - 1] = '\0';
		if (uuid_parse(text, &uuid)) {
			uuid_format(&uuid, id);
			return true;
		}
	}
	return false;
}

static bool
find_id_in(struct mime_piece headers, const char *name, char id[UUID_TEXT_SIZE])
{
	struct buffer value = BUFFER_INIT;
	bool found = mime_header(headers, name, &value) && find_id(buffer_text(&value), id);

	buffer_free(&value);
	return found;
}

static void
read_returned(const struct mime_part *part, struct report *report)
{
	struct buffer text = BUFFER_INIT;
	struct mime_part message;

	mime_part_decode(part, &text);
	message = mime_part_read((struct mime_piece){ buffer_text(&text), text.length });
	/* Some begin with an empty line. */
	if (message.headers.length == 0)
		message = mime_part_read(message.body);
	report->has_mail_id = find_id_in(message.headers, "Message-ID", report->bounce->mail_id);
	buffer_free(&text);
}

/* ---- What became of it. */

static enum bounce_action
action_of(const char *word)
{
	if (strncasecmp(word, "failed", 6) == 0)
		return BOUNCE_FAILED;
	return strncasecmp(word, "delayed", 7) == 0 ? BOUNCE_DELAYED : BOUNCE_ARRIVED;
}

/* Class, subject, detail: three numbers of at most three digits. */
static void
read_status(const char *value, char status[16])
{
	size_t digits = 0, numbers = 1, length = 0;

	for (; length < 11 && numbers <= 3; length++) {
		if (value[length] >= '0' && value[length] <= '9' && digits < 3)
			digits++;
		else if (value[length] == '.' && digits > 0 && numbers++ < 3)
			digits = 0;
		else
			break;
	}
	if (numbers != 3 || digits == 0)
		length = 0;
	memcpy(status, value, length);
	status[length] = '\0';
}

static void
copy_diagnostic(char diagnostic[256], const char *text)
{
	const char *end = text + strlen(text);
	size_t length = 0;

	while (text < end) {
		uint32_t code_point = 0;
		size_t bytes = utf8_decode(text, (size_t)(end - text), &code_point);
		const bool is_shown = bytes > 0 && code_point >= ' ' && (code_point < 0x7f || code_point > 0x9f);

		bytes = bytes > 0 ? bytes : 1;
		if (length + bytes >= 256)
			break;
		memcpy(diagnostic + length, is_shown ? text : "????", is_shown ? bytes : 1);
		length += is_shown ? bytes : 1;
		text += bytes;
	}
	diagnostic[length] = '\0';
}

/* "smtp; 550 5.1.1 no such user": the type of the code is for programs. */
static void
read_diagnostic(struct mime_piece fields, struct bounce *bounce)
{
	struct buffer value = BUFFER_INIT, words = BUFFER_INIT;
	const char *text = "";

	if (mime_header(fields, "Diagnostic-Code", &value)) {
		const char *type_end = strchr(buffer_text(&value), ';');

		text = type_end != NULL ? type_end + 1 : buffer_text(&value);
		mime_decode_words(text + strspn(text, " "), &words);
	} else if (mime_header(fields, "Status", &value)) {
		buffer_puts(&words, buffer_text(&value));
	}
	copy_diagnostic(bounce->diagnostic, words.length > 0 ? buffer_text(&words) : "the report gives no reason");
	buffer_free(&value);
	buffer_free(&words);
}

/* One group of fields: the message's, which has no action, or a recipient's. */
static void
read_fields(struct mime_piece fields, struct report *report)
{
	struct bounce *bounce = report->bounce;
	struct buffer value = BUFFER_INIT;

	if (mime_header(fields, "Action", &value)) {
		const enum bounce_action action = action_of(buffer_text(&value));

		if (!report->has_status || action < bounce->action) {
			report->has_status = true;
			bounce->action = action;
			(void)mime_header(fields, "Status", &value);
			read_status(buffer_text(&value), bounce->status);
			read_diagnostic(fields, bounce);
		}
	}
	buffer_free(&value);
}

static void
read_delivery_status(const struct mime_part *part, struct report *report)
{
	struct buffer text = BUFFER_INIT;
	struct mime_part group;

	mime_part_decode(part, &text);
	group.body = (struct mime_piece){ buffer_text(&text), text.length };
	while (group.body.length > 0) {
		group = mime_part_read(group.body);
		read_fields(group.headers, report);
	}
	buffer_free(&text);
}

/* ---- Where it stands. */

static void
read_report(const struct mime_part *multipart, struct search *search, struct report *report)
{
	struct mime_parts parts;
	struct mime_part part;
	char type[TYPE_SIZE];

	if (!mime_parts_begin(multipart, &parts))
		return;
	while (mime_parts_next(&parts, &part) && search->parts_left-- > 0) {
		mime_part_type(&part, type, sizeof type);
		if (is_type(type, "message/delivery-status", "message/global-delivery-status"))
			read_delivery_status(&part, report);
		else if (!report->has_mail_id && (is_type(type, "message/rfc822", "text/rfc822-headers")
			|| is_type(type, "message/global", "message/global-headers")))
			read_returned(&part, report);
	}
}

/* As RFC 6522 names it; who leaves the type of the report out means one about delivery. */
static bool
is_delivery_report(const struct mime_part *part, struct search *search)
{
	struct buffer value = BUFFER_INIT, kind = BUFFER_INIT;
	char type[TYPE_SIZE];
	bool is_report, is_about_delivery;

	(void)mime_header(part->headers, "Content-Type", &value);
	mime_type(&value, type, sizeof type);
	is_report = strcmp(type, "multipart/report") == 0;
	is_about_delivery = is_report && (!mime_parameter(&value, "report-type", &kind)
		|| strcasecmp(buffer_text(&kind), "delivery-status") == 0);
	search->has_other_report |= is_report && !is_about_delivery;
	buffer_free(&value);
	buffer_free(&kind);
	return is_about_delivery;
}

/* The message itself, or inside of what a list or a virus scanner has put around it. */
static bool
find_report(const struct mime_part *part, int depth, struct search *search, struct mime_part *found)
{
	struct mime_parts parts;
	struct mime_part inner;

	if (is_delivery_report(part, search)) {
		*found = *part;
		return true;
	}
	if (depth >= DEPTH_MAX || !mime_parts_begin(part, &parts))
		return false;
	while (mime_parts_next(&parts, &inner) && search->parts_left-- > 0)
		if (find_report(&inner, depth + 1, search, found))
			return true;
	return false;
}

const char *
bounce_read(const char *text, size_t length, struct bounce *bounce)
{
	struct search search = { .parts_left = PARTS_MAX };
	struct report report = { .bounce = bounce };
	struct mime_part message, found;

	*bounce = (struct bounce){ 0 };
	if (length > BOUNCE_MAX_BYTES)
		return "A delivery report is at most 1 MiB long.";
	message = mime_part_read((struct mime_piece){ text, length });
	if (!find_report(&message, 0, &search, &found))
		return search.has_other_report
			? "This is a report, but not about a delivery: a read receipt or a complaint."
			: "This is no delivery report: there is no part of type multipart/report in it (RFC 3464).";
	read_report(&found, &search, &report);
	if (!report.has_status)
		return "The report has no part of type message/delivery-status in which an Action stands.";
	if (!report.has_mail_id && !find_id_in(message.headers, "In-Reply-To", bounce->mail_id)
		&& !find_id_in(message.headers, "References", bounce->mail_id))
		return "The report names no Message-ID of ours: neither in the headers that it returns nor in In-Reply-To or References.";
	return NULL;
}
