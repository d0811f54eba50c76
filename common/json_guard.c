/*
 * json_guard: a strict reader of JSON (RFC 8259) that keeps nothing.
 *
 * It walks the text once, by recursive descent that ends at JSON_DEPTH_MAX, and
 * stops at the first fault. All that it remembers is the names of the objects that
 * are open, to see one that is given twice; names are compared unescaped.
 * A text that ends too early reads as NUL bytes, which nothing accepts.
 */
#include "json_guard.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "json.h"
#include "memory.h"
#include "utf8.h"

/* Every whole number of 18 digits fits into 64 bits. */
#define NUMBER_DIGITS_MAX 18
#define NUMBER_BYTES_MAX (NUMBER_DIGITS_MAX + 4)	/* two signs, a point, an e */

struct scan {
	const char *next, *end;
	const char *reason;	/* NULL as long as all is well; the first fault */
	int depth;
	/* Names of the open objects, outermost first; each object owns the tail that it
	 * began. */
	const char **names;
	size_t name_count, name_capacity;
	struct buffer name;	/* the one being read, unescaped */
	struct arena *arena;	/* holds the names */
};

static bool
fail(struct scan *scan, const char *reason)
{
	if (scan->reason == NULL)
		scan->reason = reason;
	return false;
}

static char
peek(const struct scan *scan)
{
	return scan->next < scan->end ? *scan->next : '\0';
}

static bool
take(struct scan *scan, char c)
{
	if (scan->next == scan->end || *scan->next != c)
		return false;
	scan->next++;
	return true;
}

static void
skip_blanks(struct scan *scan)
{
	while (take(scan, ' ') || take(scan, '\t') || take(scan, '\n') || take(scan, '\r'))
		continue;
}

/* Where something else was to stand: tells the usual mistakes apart. */
static bool
fail_unexpected(struct scan *scan)
{
	if (scan->next == scan->end)
		return fail(scan, "ends too early");
	if (*scan->next == '\'')
		return fail(scan, "single quotes instead of double quotes");
	if (*scan->next == '\0')
		return fail(scan, "NUL character");
	return fail(scan, "not valid JSON");
}

/* ---- Numbers ---- */

static int
take_digits(struct scan *scan)
{
	int count = 0;

	for (; peek(scan) >= '0' && peek(scan) <= '9'; scan->next++)
		if (count <= NUMBER_DIGITS_MAX)
			count++;
	return count;
}

static bool
is_finite(const char *text, size_t length)
{
	char copy[NUMBER_BYTES_MAX + 1];

	assert(length < sizeof(copy));
	memcpy(copy, text, length);
	copy[length] = '\0';
	return isfinite(strtod(copy, NULL));
}

static bool
scan_number(struct scan *scan)
{
	const char *start = scan->next;
	int digits, fraction = 0, exponent = 0;

	take(scan, '-');
	digits = take(scan, '0') ? 1 : take_digits(scan);
	if (digits == 0)
		return fail_unexpected(scan);
	if (peek(scan) >= '0' && peek(scan) <= '9')
		return fail(scan, "number with a leading zero");
	if (take(scan, '.') && (fraction = take_digits(scan)) == 0)
		return fail(scan, "number without digits after its point");
	if (take(scan, 'e') || take(scan, 'E')) {
		if (!take(scan, '+'))
			take(scan, '-');
		if ((exponent = take_digits(scan)) == 0)
			return fail(scan, "number without digits in its exponent");
	}
	if (digits + fraction + exponent > NUMBER_DIGITS_MAX)
		return fail(scan, "number of more than 18 digits");
	if (!is_finite(start, (size_t)(scan->next - start)))
		return fail(scan, "number out of range");
	return true;
}

/* ---- Strings ---- */

static bool
take_hex4(struct scan *scan, uint32_t *unit)
{
	*unit = 0;
	for (int i = 0; i < 4; i++) {
		char c = peek(scan);

		if (c >= '0' && c <= '9')
			*unit = *unit << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*unit = *unit << 4 | (uint32_t)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			*unit = *unit << 4 | (uint32_t)(c - 'A' + 10);
		else
			return fail(scan, "\\u without four hexadecimal digits");
		scan->next++;
	}
	return true;
}

/* What follows \u: one unit, or two that make a pair. */
static bool
take_unicode_escape(struct scan *scan, uint32_t *code_point)
{
	uint32_t low;

	if (!take_hex4(scan, code_point))
		return false;
	if (*code_point == 0)
		return fail(scan, "NUL character");
	if (*code_point < 0xd800 || *code_point > 0xdfff)
		return true;
	if (*code_point > 0xdbff || !take(scan, '\\') || !take(scan, 'u'))
		return fail(scan, "lone surrogate");
	if (!take_hex4(scan, &low))
		return false;
	if (low < 0xdc00 || low > 0xdfff)
		return fail(scan, "lone surrogate");
	*code_point = 0x10000 + ((*code_point - 0xd800) << 10) + (low - 0xdc00);
	return true;
}

static bool
take_escape(struct scan *scan, uint32_t *code_point)
{
	static const char letters[] = "\"\\/bfnrt";
	static const char meanings[] = "\"\\/\b\f\n\r\t";
	char c = peek(scan);
	const char *letter;

	if (take(scan, 'u'))
		return take_unicode_escape(scan, code_point);
	letter = c != '\0' ? strchr(letters, c) : NULL;
	if (letter == NULL)
		return fail(scan, "unknown escape in a string");
	*code_point = (uint32_t)meanings[letter - letters];
	scan->next++;
	return true;
}

static bool
take_character(struct scan *scan, uint32_t *code_point)
{
	size_t length;

	if (take(scan, '\\'))
		return take_escape(scan, code_point);
	length = utf8_decode(scan->next, (size_t)(scan->end - scan->next), code_point);
	if (length == 0)
		return fail(scan, "not valid UTF-8");
	if (*code_point < 0x20)
		return fail(scan, "control character in a string");
	scan->next += length;
	return true;
}

/* `unescaped` is NULL for a value: those json-c unescapes. */
static bool
scan_string(struct scan *scan, struct buffer *unescaped)
{
	uint32_t code_point;
	char bytes[4];

	if (!take(scan, '"'))
		return fail_unexpected(scan);
	while (!take(scan, '"')) {
		if (scan->next == scan->end)
			return fail(scan, "ends too early");
		if (!take_character(scan, &code_point))
			return false;
		if (unescaped != NULL)
			buffer_append(unescaped, bytes, utf8_encode(code_point, bytes));
	}
	return true;
}

/* ---- Objects and arrays ---- */

static bool scan_value(struct scan *scan);

static bool
scan_name(struct scan *scan)
{
	buffer_clear(&scan->name);
	if (!scan_string(scan, &scan->name))
		return false;
	if (scan->name_count == scan->name_capacity) {
		scan->name_capacity = scan->name_capacity > 0 ? scan->name_capacity * 2 : 16;
		scan->names = xrealloc(scan->names, scan->name_capacity * sizeof(*scan->names));
	}
	scan->names[scan->name_count++] =
		arena_copy_n(scan->arena, buffer_text(&scan->name), scan->name.length);
	skip_blanks(scan);
	return take(scan, ':') || fail_unexpected(scan);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorting keeps a hostile body of a hundred thousand names cheap. */
static bool
names_are_distinct(const char **names, size_t count)
{
	if (count > 1)
		qsort(names, count, sizeof(*names), compare_names);
	for (size_t i = 1; i < count; i++)
		if (strcmp(names[i - 1], names[i]) == 0)
			return false;
	return true;
}

static bool
scan_members(struct scan *scan)
{
	skip_blanks(scan);
	if (take(scan, '}'))
		return true;
	for (;;) {
		skip_blanks(scan);
		if (!scan_name(scan) || !scan_value(scan))
			return false;
		skip_blanks(scan);
		if (take(scan, '}'))
			return true;
		if (!take(scan, ','))
			return fail_unexpected(scan);
	}
}

static bool
scan_object(struct scan *scan)
{
	size_t first = scan->name_count;

	if (!scan_members(scan))
		return false;
	if (scan->name_count > first &&
	    !names_are_distinct(scan->names + first, scan->name_count - first))
		return fail(scan, "duplicate member");
	scan->name_count = first;
	return true;
}

static bool
scan_array(struct scan *scan)
{
	skip_blanks(scan);
	if (take(scan, ']'))
		return true;
	for (;;) {
		if (!scan_value(scan))
			return false;
		skip_blanks(scan);
		if (take(scan, ']'))
			return true;
		if (!take(scan, ','))
			return fail_unexpected(scan);
	}
}

static bool
scan_word(struct scan *scan, const char *word)
{
	for (; *word != '\0'; word++)
		if (!take(scan, *word))
			return fail_unexpected(scan);
	return true;
}

static bool
scan_nested(struct scan *scan, bool (*scan_inner)(struct scan *))
{
	bool is_valid;

	if (scan->depth == JSON_DEPTH_MAX)
		return fail(scan, "nested too deeply");
	scan->next++;	/* the bracket */
	scan->depth++;
	is_valid = scan_inner(scan);
	scan->depth--;
	return is_valid;
}

static bool
scan_value(struct scan *scan)
{
	skip_blanks(scan);
	switch (peek(scan)) {
	case '{':
		return scan_nested(scan, scan_object);
	case '[':
		return scan_nested(scan, scan_array);
	case '"':
		return scan_string(scan, NULL);
	case 't':
		return scan_word(scan, "true");
	case 'f':
		return scan_word(scan, "false");
	case 'n':
		return scan_word(scan, "null");
	default:
		return scan_number(scan);
	}
}

static bool
scan_text(struct scan *scan)
{
	skip_blanks(scan);
	if (scan->next == scan->end)
		return fail(scan, "empty");
	if (*scan->next != '{' && *scan->next != '[')
		return fail(scan, "not an object or an array");
	if (!scan_value(scan))
		return false;
	skip_blanks(scan);
	return scan->next == scan->end || fail(scan, "text after the end");
}

const char *
json_fault(const char *bytes, size_t length)
{
	struct scan scan = { .next = bytes, .end = bytes + length, .arena = arena_create() };

	scan_text(&scan);
	free(scan.names);
	buffer_free(&scan.name);
	arena_free(&scan.arena);
	return scan.reason;
}
