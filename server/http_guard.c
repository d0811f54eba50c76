/*
 * http_guard: see the header. The rules are those of RFC 9112 (framing, target,
 * Host) and RFC 9110 (tokens, field values), always in their strict reading.
 * How a body is cut into chunks is looked at in http_chunks.c.
 */
#include "http_guard.h"

#include <string.h>
#include <strings.h>

#include "encode.h"
#include "utf8.h"

/* 18 digits fit in 63 bits; the size itself is checked where it is read. */
#define LENGTH_DIGITS_MAX 18
/* Of the name of a header: this line's is another. Greater than any length of it. */
#define NO_MATCH UINT8_MAX

/* Headers whose first line is what counts for one reader and whose last for
 * another. Twice is a fault, also where both say the same. */
enum once { ONCE_HOST, ONCE_LENGTH, ONCE_ENCODING, ONCE_NAMED };

static const char *const once_names[] = {
	[ONCE_HOST] = "Host",
	[ONCE_LENGTH] = "Content-Length",
	[ONCE_ENCODING] = "Transfer-Encoding",
	[ONCE_NAMED] = "Authorization",
	"Content-Type", "Cookie", "Idempotency-Key", "If-Match", "Origin",
};
#define ONCE_COUNT (sizeof(once_names) / sizeof(once_names[0]))

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alphanumeric(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_token_char(char c)
{
	return is_alphanumeric(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

bool
http_guard_is_token(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++)
		if (!is_token_char(*text))
			return false;
	return true;
}

bool
http_guard_list_has(const char *list, const char *token)
{
	while (*(list += strspn(list, ", \t")) != '\0') {
		const size_t length = strcspn(list, ", \t");

		if (length == strlen(token) && strncasecmp(list, token, length) == 0)
			return true;
		list += length;
	}
	return false;
}

bool
http_guard_value_is_clean(const char *value)
{
	bool is_ascii = true;
	const char *at;

	for (at = value; *at != '\0'; at++) {
		unsigned char c = (unsigned char)*at;

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
		if (c >= 0x80)
			is_ascii = false;
	}
	return is_ascii || utf8_is_valid(value, (size_t)(at - value));
}

/* Whether this line is that of Transfer-Encoding, as far as it has come. */
static void
match_encoding(struct http_head_scan *scan, char c)
{
	static const char name[] = "transfer-encoding:";
	const char small = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;

	if (scan->matched == NO_MATCH || small != name[scan->matched])
		scan->matched = NO_MATCH;
	else if (++scan->matched == sizeof(name) - 1)
		scan->is_chunked = true;
}

static void
feed_byte(struct http_head_scan *scan, char c)
{
	if (c == '\0') {
		scan->fault = "the head holds a NUL byte";
	} else if (c == '\n') {
		if (!scan->follows_cr)
			scan->fault = "a line does not end in CR LF";
		scan->has_ended = !scan->is_in_line;
		scan->is_past_first_line = true;
		scan->is_in_line = false;
		scan->matched = 0;
	} else if (c != '\r') {
		if (!scan->is_in_line && scan->is_past_first_line && (c == ' ' || c == '\t'))
			scan->fault = "a header is folded over several lines";
		scan->is_in_line = true;
		match_encoding(scan, c);
	}
	scan->follows_cr = c == '\r';
}

size_t
http_head_scan_feed(struct http_head_scan *scan, const char *bytes, size_t length)
{
	size_t taken = 0;

	while (taken < length && !scan->has_ended && scan->fault == NULL)
		feed_byte(scan, bytes[taken++]);
	return scan->fault != NULL ? length : taken;
}

/* uri-host [ ":" port ] (RFC 9110 §7.2), by its characters only. */
static bool
is_host(const char *value)
{
	for (; *value != '\0'; value++)
		if (!is_alphanumeric(*value) && strchr("-._~!$&'()*+,;=%:[]", *value) == NULL)
			return false;
	return true;
}

static const char *
length_fault(const char *value, bool *is_zero)
{
	size_t digits = strspn(value, "0123456789");

	*is_zero = strspn(value, "0") == digits;
	return digits == 0 || digits > LENGTH_DIGITS_MAX || value[digits] != '\0'
		? "Content-Length is not a number" : NULL;
}

static const char *
once_fault(struct http_guard *guard, size_t which, const char *value)
{
	const char *fault = NULL;
	bool is_zero = true;

	if (guard->once_seen & 1u << which)
		return "a header that may appear once appears again";
	guard->once_seen |= 1u << which;

	switch (which) {
	case ONCE_HOST:
		fault = is_host(value) ? NULL : "Host is not a host";
		break;
	case ONCE_LENGTH:
		fault = length_fault(value, &is_zero);
		guard->has_body |= !is_zero;
		break;
	case ONCE_ENCODING:
		fault = strcasecmp(value, "chunked") == 0 ? NULL
			: "Transfer-Encoding is other than chunked";
		guard->has_body = true;
		break;
	}
	return fault;
}

void
http_guard_add_header(struct http_guard *guard, const char *name, const char *value)
{
	if (guard->fault != NULL)
		return;
	if (++guard->header_count > HTTP_GUARD_HEADERS_MAX) {
		guard->fault = "there are too many headers";
	} else if (!http_guard_is_token(name)) {
		guard->fault = "a header's name is not a token";
	} else if (*value == ' ' || *value == '\t') {
		/* evhttp strips blanks but leaves tabs, which others strip too. */
		guard->fault = "a header's value begins with a blank";
	} else if (!http_guard_value_is_clean(value)) {
		guard->fault = "a header's value holds control characters or is not UTF-8";
	} else {
		for (size_t i = 0; i < ONCE_COUNT; i++)
			if (strcasecmp(name, once_names[i]) == 0)
				guard->fault = once_fault(guard, i, value);
	}
}

const char *
http_guard_verdict(const struct http_guard *guard, int major, int minor, bool is_head)
{
	bool has_length = guard->once_seen & 1u << ONCE_LENGTH;
	bool has_encoding = guard->once_seen & 1u << ONCE_ENCODING;

	if (major != 1 || (minor != 0 && minor != 1))
		return "the version is neither HTTP/1.0 nor HTTP/1.1";
	if (guard->fault != NULL)
		return guard->fault;
	if (has_length && has_encoding)
		return "Content-Length and Transfer-Encoding contradict each other";
	if (has_encoding && minor == 0)
		return "HTTP/1.0 knows no Transfer-Encoding";
	if (minor == 1 && !(guard->once_seen & 1u << ONCE_HOST))
		return "Host is missing";
	/* evhttp reads no body behind HEAD: it would be taken for the next request. */
	if (is_head && guard->has_body)
		return "a HEAD request has a body";
	return NULL;
}

/* Every byte printable ASCII, every % followed by two hex digits. */
static const char *
spelling_fault(const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c <= 0x20 || c >= 0x7f)
			return "the target holds bytes that must be percent-encoded";
		if (c == '#')
			return "the target has a fragment";
		/* Here, because the query stays as it is. */
		if (c == '%' && strspn(text + 1, "0123456789ABCDEFabcdef") < 2)
			return "a percent sign is not followed by two hex digits";
	}
	return NULL;
}

/* C0, DEL, and C1, which is C2 80 to C2 9F in UTF-8. */
static bool
has_control_character(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c == 0x7f)
			return true;
		if (c == 0xc2 && (unsigned char)text[i + 1] < 0xa0)
			return true;
	}
	return false;
}

const char *
http_guard_split_target(char *target, const char **path, const char **query)
{
	const char *fault;
	char *mark;
	size_t length;

	/* Origin form only: we are nobody's proxy. "//host/path" reads as a host. */
	if (target[0] != '/' || target[1] == '/')
		return "the target is not a path";
	fault = spelling_fault(target);
	if (fault != NULL)
		return fault;

	mark = strchr(target, '?');
	if (mark != NULL)
		*mark++ = '\0';
	if (!percent_decode(target, &length) || has_control_character(target, length) ||
		!utf8_is_valid(target, length))
		return "the path holds control characters or is not UTF-8";
	*path = target;
	*query = mark;
	return NULL;
}

size_t
http_guard_encoded_slash(const char *target)
{
	for (size_t at = 0; *target != '\0' && *target != '?'; at++, target++) {
		if (*target != '%')
			continue;
		if (target[1] == '2' && (target[2] | 0x20) == 'f')
			return at;
		if (target[1] == '\0' || target[2] == '\0')
			break;
		target += 2;
	}
	return SIZE_MAX;
}
