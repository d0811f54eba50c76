/*
 * Rows of the database to rows of a sheet. The query names its columns by the keys of the
 * table of columns, and has the fields' values as one array in the order of the keys.
 */
#include "user_sheet.h"

#include <assert.h>
#include <string.h>

#include "buffer.h"
#include "field.h"
#include "pgarray.h"
#include "sheet.h"
#include "subject.h"
#include "user_columns.h"

static bool
is_last(const struct user_column *column)
{
	return column->id == COLUMN_ID || column->id == COLUMN_VERSION;
}

static bool
folds_to(const char *label, const char *folded)
{
	struct buffer out = BUFFER_INIT;

	user_column_fold(label, &out);
	const bool is_same = strcmp(buffer_text(&out), folded) == 0;
	buffer_free(&out);
	return is_same;
}

/* Whether it means this field to who reads the header, and nothing else. */
static bool
label_is_clear(const struct field_set *fields, size_t index)
{
	const char *label = fields->fields[index].label;
	struct buffer folded = BUFFER_INIT;
	bool is_clear;

	if (label == NULL || user_column_of_header(label) != NULL)
		return false;
	user_column_fold(label, &folded);
	is_clear = folded.length > 0;
	for (size_t i = 0; i < fields->count && is_clear; i++) {
		if (i != index && fields->fields[i].label != NULL)
			is_clear = !folds_to(fields->fields[i].label, buffer_text(&folded));
	}
	buffer_free(&folded);
	return is_clear;
}

void
user_sheet_field_header(struct buffer *out, const struct field_set *fields, size_t index)
{
	if (label_is_clear(fields, index))
		buffer_puts(out, fields->fields[index].label);
	else
		buffer_printf(out, USER_COLUMN_ATTRIBUTE "%s", fields->fields[index].key);
}

static void
write_labels(struct sheet *sheet, const char *language, bool of_last)
{
	for (int i = 0; i < USER_COLUMN_COUNT; i++) {
		if (user_columns[i].is_exported && is_last(&user_columns[i]) == of_last)
			sheet_write_text(sheet, user_column_label(&user_columns[i], language));
	}
}

void
user_sheet_write_headers(struct sheet *sheet, const struct field_set *fields, const char *language)
{
	struct buffer header = BUFFER_INIT;

	write_labels(sheet, language, false);
	for (size_t i = 0; i < fields->count; i++) {
		buffer_clear(&header);
		user_sheet_field_header(&header, fields, i);
		sheet_write_text(sheet, buffer_text(&header));
	}
	write_labels(sheet, language, true);
	sheet_end_row(sheet);
	buffer_free(&header);
}

void
user_sheet_keys(struct buffer *out, const struct field_set *fields)
{
	buffer_putc(out, '{');
	for (size_t i = 0; i < fields->count; i++)
		buffer_printf(out, "%s%s", i > 0 ? "," : "", fields->fields[i].key);	/* [a-z0-9_] */
	buffer_putc(out, '}');
}

static void
write_values(struct sheet *sheet, const PGresult *rows, int row, bool of_last)
{
	for (int i = 0; i < USER_COLUMN_COUNT; i++) {
		const struct user_column *column = &user_columns[i];

		if (!column->is_exported || is_last(column) != of_last)
			continue;
		if (column->id == COLUMN_VERSION)
			sheet_write_number(sheet, row_text(rows, row, column->key));
		else
			sheet_write_text(sheet, row_text(rows, row, column->key));
	}
}

static void
write_attributes(struct sheet *sheet, const struct field_set *fields, const char *values)
{
	struct buffer value = BUFFER_INIT;
	bool is_null, is_there;

	for (size_t i = 0; i < fields->count; i++) {
		is_there = pgarray_next(&values, &value, &is_null);
		assert(is_there && "the query has one for each key");
		if (fields->fields[i].type == FIELD_NUMBER)
			sheet_write_number(sheet, is_null ? NULL : buffer_text(&value));
		else
			sheet_write_text(sheet, is_null ? NULL : buffer_text(&value));
	}
	buffer_free(&value);
}

void
user_sheet_write_rows(struct sheet *sheet, const struct field_set *fields, const PGresult *rows)
{
	for (int row = 0; row < PQntuples(rows); row++) {
		write_values(sheet, rows, row, false);
		write_attributes(sheet, fields, row_text(rows, row, "attributes"));
		write_values(sheet, rows, row, true);
		sheet_end_row(sheet);
	}
}
