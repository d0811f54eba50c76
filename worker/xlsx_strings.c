/*
 * xlsx_strings: reads sharedStrings.xml.
 *
 * One piece of memory for all texts and one for where they end, because there may be a
 * million. A text that no cell may hold is a fault of the cell that uses it, which has
 * a row and a column; one that nothing uses may be as long as it likes.
 */
#include "xlsx_strings.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "xlsx_value.h"

enum { BYTES_MAX = 96 * 1024 * 1024, COUNT_MAX = 4 * 1024 * 1024 };

#define TOO_LONG 0x80000000u

struct reading {
	struct xlsx_strings *strings;
	struct row_writer *writer;
	struct xlsx_text text;
	bool is_in_text;
	int phonetic;		/* depth in what says how the text is pronounced */
};

static void
add(struct reading *reading)
{
	struct xlsx_strings *strings = reading->strings;

	xlsx_text_finish(&reading->text);
	if (reading->text.is_too_long)
		reading->text.length = 0;
	if (strings->count == COUNT_MAX || strings->length + reading->text.length > BYTES_MAX) {
		row_writer_fail(reading->writer, PARSER_FAULT_MEMORY, 0, 0);
		return;
	}
	/* The first may be empty. */
	if (strings->bytes == NULL || strings->length + reading->text.length > strings->capacity) {
		strings->capacity = strings->capacity + strings->capacity / 2 + PARSER_CELL_BYTES_MAX;
		strings->bytes = xrealloc(strings->bytes, strings->capacity);
	}
	if (strings->count == strings->ends_capacity) {
		strings->ends_capacity = strings->ends_capacity + strings->ends_capacity / 2 + 1024;
		strings->ends = xrealloc(strings->ends, strings->ends_capacity * sizeof *strings->ends);
	}
	memcpy(strings->bytes + strings->length, reading->text.bytes, reading->text.length);
	strings->length += reading->text.length;
	strings->ends[strings->count++] = (uint32_t)strings->length | (reading->text.is_too_long ? TOO_LONG : 0);
}

static void
take_start(void *context, const char *name, const char **attributes)
{
	struct reading *reading = context;

	(void)attributes;
	if (strcmp(name, "si") == 0)
		xlsx_text_clear(&reading->text);
	else if (strcmp(name, "rPh") == 0)
		reading->phonetic++;
	else if (strcmp(name, "t") == 0)
		reading->is_in_text = reading->phonetic == 0;
}

static void
take_end(void *context, const char *name)
{
	struct reading *reading = context;

	if (strcmp(name, "si") == 0)
		add(reading);
	else if (strcmp(name, "rPh") == 0)
		reading->phonetic--;
	else if (strcmp(name, "t") == 0)
		reading->is_in_text = false;
}

static void
take_text(void *context, const char *bytes, size_t length)
{
	struct reading *reading = context;

	if (reading->is_in_text)
		xlsx_text_add(&reading->text, bytes, length);
}

bool
xlsx_strings_read(struct xlsx_strings *strings, struct xlsx_archive *archive, const char *part,
	struct row_writer *writer)
{
	static const struct xlsx_handlers handlers = { take_start, take_end, take_text };
	struct reading *reading;
	bool is_read;

	*strings = (struct xlsx_strings){ .bytes = NULL };
	if (!xlsx_archive_has(archive, part))
		return true;
	reading = xcalloc(1, sizeof *reading);
	reading->strings = strings;
	reading->writer = writer;
	is_read = xlsx_archive_read(archive, part, &handlers, reading);
	free(reading);
	return is_read;
}

void
xlsx_strings_free(struct xlsx_strings *strings)
{
	free(strings->bytes);
	free(strings->ends);
	*strings = (struct xlsx_strings){ .bytes = NULL };
}

enum xlsx_string
xlsx_strings_find(const struct xlsx_strings *strings, const char *index, const char **text, size_t *length)
{
	char *end;
	const unsigned long at = isdigit((unsigned char)*index) ? strtoul(index, &end, 10) : strings->count;
	size_t begin;

	if (at >= strings->count || *end != '\0')
		return XLSX_STRING_MISSING;
	if ((strings->ends[at] & TOO_LONG) != 0)
		return XLSX_STRING_TOO_LONG;
	begin = at > 0 ? strings->ends[at - 1] & ~TOO_LONG : 0;
	*text = strings->bytes + begin;
	*length = strings->ends[at] - begin;
	return XLSX_STRING_FOUND;
}
