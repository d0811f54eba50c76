/*
 * parse_xlsx: walks a sheet and turns its cells into texts.
 *
 * A sheet lists only the cells that hold something, or look like something: rows and
 * columns are where their names say, in between are empty cells, and what is only
 * coloured is no cell at all. What stands out of order is refused.
 */
#include "parse_xlsx.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "xlsx_archive.h"
#include "xlsx_book.h"
#include "xlsx_strings.h"
#include "xlsx_value.h"

enum { SHEET_COLUMNS_MAX = 16384, SHEET_ROWS_MAX = 1048576 };

enum cell_type { CELL_NUMBER, CELL_SHARED, CELL_INLINE, CELL_TEXT, CELL_TRUTH, CELL_FAULT, CELL_DAY };

struct reading {
	const struct xlsx_book *book;
	const struct xlsx_strings *strings;
	struct row_writer *writer;
	bool is_in_data, is_in_row, is_in_cell;
	bool takes_text;
	bool has_formula;
	int phonetic;
	uint32_t row, column;		/* where the walk is */
	enum cell_type type;
	enum xlsx_format format;
	struct xlsx_text text;
};

static void
fail(struct reading *reading, enum parser_fault_kind kind)
{
	row_writer_fail(reading->writer, kind, reading->row, reading->column);
}

/* Where the excess begins, however far out the cell lies. */
static void
fail_too_wide(struct reading *reading)
{
	row_writer_fail(reading->writer, PARSER_FAULT_TOO_MANY_COLUMNS, reading->row, PARSER_COLUMNS_MAX + 1);
}

static void
start_row(struct reading *reading, const char **attributes)
{
	const char *name = xlsx_attribute(attributes, "r");
	const unsigned long number = name != NULL ? strtoul(name, NULL, 10) : reading->row + 1ul;

	reading->column = 0;
	if (reading->is_in_row || number <= reading->row || number > SHEET_ROWS_MAX) {
		fail(reading, PARSER_FAULT_WORKBOOK_BROKEN);
		return;
	}
	reading->row = (uint32_t)number;
	reading->is_in_row = row_writer_begin(reading->writer, reading->row);
}

/* "BC12": 55; past every sheet's last column it counts no further. */
static uint32_t
column_of(const char *name)
{
	uint32_t column = 0;

	for (; *name >= 'A' && *name <= 'Z' && column <= SHEET_COLUMNS_MAX; name++)
		column = column * 26 + (uint32_t)(*name - 'A') + 1;
	return column;
}

static enum cell_type
type_of(const char *word)
{
	static const struct {
		const char *word;
		enum cell_type type;
	} types[] = {
		{ "s", CELL_SHARED }, { "inlineStr", CELL_INLINE }, { "str", CELL_TEXT },
		{ "b", CELL_TRUTH }, { "e", CELL_FAULT }, { "d", CELL_DAY },
	};

	for (size_t i = 0; word != NULL && i < sizeof types / sizeof *types; i++)
		if (strcmp(word, types[i].word) == 0)
			return types[i].type;
	return CELL_NUMBER;
}

static void
start_cell(struct reading *reading, const char **attributes)
{
	const char *name = xlsx_attribute(attributes, "r"), *style = xlsx_attribute(attributes, "s");
	const uint32_t column = name != NULL ? column_of(name) : reading->column + 1;
	const unsigned long format = style != NULL ? strtoul(style, NULL, 10) : 0;

	if (column <= reading->column || reading->is_in_cell) {
		fail(reading, PARSER_FAULT_WORKBOOK_BROKEN);
		return;
	}
	reading->column = column;
	if (column > SHEET_COLUMNS_MAX) {
		fail_too_wide(reading);
		return;
	}
	reading->is_in_cell = true;
	reading->has_formula = false;
	reading->type = type_of(xlsx_attribute(attributes, "t"));
	reading->format = format < reading->book->formats_count
		? (enum xlsx_format)reading->book->formats[format] : XLSX_PLAIN;
	xlsx_text_clear(&reading->text);
}

static void
take_start(void *context, const char *name, const char **attributes)
{
	struct reading *reading = context;

	if (strcmp(name, "sheetData") == 0)
		reading->is_in_data = true;
	else if (!reading->is_in_data)
		return;
	else if (strcmp(name, "row") == 0)
		start_row(reading, attributes);
	else if (strcmp(name, "c") == 0 && reading->is_in_row)
		start_cell(reading, attributes);
	else if (strcmp(name, "f") == 0)
		reading->has_formula = true;
	else if (strcmp(name, "rPh") == 0)
		reading->phonetic++;
	else if (strcmp(name, "v") == 0)
		reading->takes_text = reading->is_in_cell && reading->type != CELL_INLINE;
	else if (strcmp(name, "t") == 0)
		reading->takes_text = reading->is_in_cell && reading->type == CELL_INLINE && reading->phonetic == 0;
}

/* What is written for the column, with empty cells up to it. */
static void
write_cell(struct reading *reading, const char *text, size_t length, enum parser_value value)
{
	if (reading->column > PARSER_COLUMNS_MAX) {
		fail_too_wide(reading);
		return;
	}
	while ((uint32_t)reading->writer->count + 1 < reading->column)
		if (!row_writer_cell(reading->writer, "", 0, PARSER_TEXT))
			return;
	row_writer_cell(reading->writer, text, length, value);
}

static void
write_shared(struct reading *reading)
{
	const char *text;
	size_t length;

	switch (xlsx_strings_find(reading->strings, reading->text.bytes, &text, &length)) {
	case XLSX_STRING_FOUND:
		if (length > 0)
			write_cell(reading, text, length, PARSER_TEXT);
		return;
	case XLSX_STRING_TOO_LONG:
		fail(reading, PARSER_FAULT_CELL_TOO_LONG);
		return;
	default:
		fail(reading, PARSER_FAULT_STRING_MISSING);
	}
}

static void
write_number(struct reading *reading)
{
	char shown[XLSX_NUMBER_BYTES];
	bool is_shown = reading->format != XLSX_PLAIN
		&& xlsx_date_text(reading->text.bytes, reading->format, reading->book->is_1904, shown);

	is_shown = is_shown || xlsx_number_text(reading->text.bytes, shown);
	if (is_shown)
		write_cell(reading, shown, strlen(shown), PARSER_TEXT);
	else
		write_cell(reading, reading->text.bytes, reading->text.length, PARSER_TEXT);
}

static void
end_cell(struct reading *reading)
{
	struct xlsx_text *text = &reading->text;
	const char *truth;

	reading->is_in_cell = false;
	if (text->is_too_long) {
		fail(reading, PARSER_FAULT_CELL_TOO_LONG);
		return;
	}
	xlsx_text_finish(text);
	if (text->length == 0) {
		if (reading->has_formula && reading->type != CELL_TEXT)
			write_cell(reading, "", 0, PARSER_NO_VALUE);
		return;
	}
	switch (reading->type) {
	case CELL_SHARED:
		write_shared(reading);
		return;
	case CELL_NUMBER:
		write_number(reading);
		return;
	case CELL_TRUTH:
		truth = strcmp(text->bytes, "0") == 0 ? "false" : "true";
		write_cell(reading, truth, strlen(truth), PARSER_TEXT);
		return;
	default:
		write_cell(reading, text->bytes, text->length, reading->type == CELL_FAULT ? PARSER_ERROR : PARSER_TEXT);
	}
}

static void
take_end(void *context, const char *name)
{
	struct reading *reading = context;

	if (strcmp(name, "sheetData") == 0) {
		reading->is_in_data = false;
	} else if (strcmp(name, "c") == 0 && reading->is_in_cell) {
		end_cell(reading);
	} else if (strcmp(name, "row") == 0 && reading->is_in_row) {
		reading->is_in_row = false;
		row_writer_end(reading->writer);
	} else if (strcmp(name, "rPh") == 0 && reading->is_in_data) {
		reading->phonetic--;
	} else if (strcmp(name, "v") == 0 || strcmp(name, "t") == 0) {
		reading->takes_text = false;
	}
}

static void
take_text(void *context, const char *bytes, size_t length)
{
	struct reading *reading = context;

	if (reading->takes_text)
		xlsx_text_add(&reading->text, bytes, length);
}

static bool
read_sheet(struct xlsx_archive *archive, const struct xlsx_book *book, const struct xlsx_strings *strings,
	struct row_writer *writer)
{
	static const struct xlsx_handlers handlers = { take_start, take_end, take_text };
	struct reading *reading = xcalloc(1, sizeof *reading);
	bool is_read;

	reading->book = book;
	reading->strings = strings;
	reading->writer = writer;
	is_read = xlsx_archive_read(archive, book->sheet, &handlers, reading);
	free(reading);
	if (is_read && writer->handed_on == 0)
		return row_writer_fail(writer, PARSER_FAULT_EMPTY, 0, 0);
	return is_read;
}

bool
parse_xlsx(const uint8_t *bytes, size_t length, struct row_writer *writer)
{
	struct xlsx_archive *archive = xlsx_archive_open(bytes, length, writer);
	struct xlsx_strings strings = { .bytes = NULL };
	struct xlsx_book book = { .formats = NULL };
	bool is_read;

	if (archive == NULL)
		return false;
	is_read = xlsx_book_read(&book, archive, writer)
		&& xlsx_strings_read(&strings, archive, book.strings, writer)
		&& read_sheet(archive, &book, &strings, writer);
	xlsx_strings_free(&strings);
	xlsx_book_free(&book);
	xlsx_archive_free(&archive);
	return is_read;
}
