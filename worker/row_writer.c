/*
 * row_writer: collects the cells of a row and hands it on.
 *
 * The texts of a row lie behind one another in memory that grows and stays, so a cell
 * knows where its text begins only when the row ends: until then `text` is unset.
 */
#include "row_writer.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

void
row_writer_init(struct row_writer *writer, parser_take *take, void *context)
{
	*writer = (struct row_writer){ .take = take, .context = context };
}

void
row_writer_free(struct row_writer *writer)
{
	free(writer->text);
	writer->text = NULL;
}

bool
row_writer_fail(struct row_writer *writer, enum parser_fault_kind kind, uint32_t row, uint32_t column)
{
	if (!row_writer_has_failed(writer))
		writer->fault = (struct parser_fault){ .kind = kind, .row = row, .column = column };
	return false;
}

bool
row_writer_begin(struct row_writer *writer, uint32_t number)
{
	if (row_writer_has_failed(writer))
		return false;
	if (number > PARSER_ROWS_MAX)
		return row_writer_fail(writer, PARSER_FAULT_TOO_MANY_ROWS, number, 0);
	writer->number = number;
	writer->count = 0;
	writer->length = 0;
	writer->has_content = false;
	return true;
}

bool
row_writer_cell(struct row_writer *writer, const char *text, size_t length, enum parser_value value)
{
	const uint32_t column = (uint32_t)writer->count + 1;
	struct parser_cell *cell;

	if (row_writer_has_failed(writer))
		return false;
	if (column > PARSER_COLUMNS_MAX)
		return row_writer_fail(writer, PARSER_FAULT_TOO_MANY_COLUMNS, writer->number, column);
	if (length > PARSER_CELL_BYTES_MAX)
		return row_writer_fail(writer, PARSER_FAULT_CELL_TOO_LONG, writer->number, column);
	if ((writer->total += length) > ROW_WRITER_TEXT_MAX)
		return row_writer_fail(writer, PARSER_FAULT_INFLATES, writer->number, column);
	if (length > 0 && memchr(text, '\0', length) != NULL)
		return row_writer_fail(writer, PARSER_FAULT_NUL, writer->number, column);
	if (writer->length + length + 1 > writer->capacity) {
		writer->capacity = 2 * (writer->length + length + 1);
		writer->text = xrealloc(writer->text, writer->capacity);
	}
	if (length > 0)
		memcpy(writer->text + writer->length, text, length);
	writer->text[writer->length + length] = '\0';
	writer->length += length + 1;
	cell = &writer->cells[writer->count++];
	*cell = (struct parser_cell){ .length = (uint32_t)length, .value = value };
	writer->has_content |= length > 0 || value != PARSER_TEXT;
	return true;
}

bool
row_writer_end(struct row_writer *writer)
{
	const char *text = writer->text;

	if (row_writer_has_failed(writer))
		return false;
	if (!writer->has_content)
		return true;
	for (int i = 0; i < writer->count; i++) {
		writer->cells[i].text = text;
		text += writer->cells[i].length + 1;
	}
	writer->handed_on++;
	if (!writer->take(writer->context, &(struct parser_row){
		.number = writer->number, .count = writer->count, .cells = writer->cells }))
		return row_writer_fail(writer, PARSER_FAULT_STOPPED, 0, 0);
	return true;
}
