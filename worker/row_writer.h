/*
 * row_writer: one row of cells at a time, within the limits of parser.h, for both
 * formats.
 *
 * The first fault is kept and stops everything: after it each call returns false and
 * does nothing. A row is handed on when it ends, if there is anything in it.
 */
#ifndef ROLLCALL_ROW_WRITER_H
#define ROLLCALL_ROW_WRITER_H

#include "parser.h"

/* Of all rows together: one long text may be shared by all cells of a small workbook. */
#define ROW_WRITER_TEXT_MAX ((size_t)256 * 1024 * 1024)

struct row_writer {
	parser_take *take;
	void *context;
	struct parser_fault fault;
	uint32_t number;	/* of the row that is being written; 0: none yet */
	uint32_t handed_on;	/* rows */
	size_t total;		/* bytes of text in all rows so far */
	int count;		/* cells of it so far */
	bool has_content;
	char *text;		/* of all its cells, each closed by NUL */
	size_t length, capacity;
	struct parser_cell cells[PARSER_COLUMNS_MAX];
};

void row_writer_init(struct row_writer *writer, parser_take *take, void *context);
void row_writer_free(struct row_writer *writer);
/* Faults: the number is too high. */
bool row_writer_begin(struct row_writer *writer, uint32_t number);
/* Faults: too many, too long, too much in all, NUL. */
bool row_writer_cell(struct row_writer *writer, const char *text, size_t length, enum parser_value value);
bool row_writer_end(struct row_writer *writer);
/* Keeps the fault, unless there is one; false. `column` 0: none. */
bool row_writer_fail(struct row_writer *writer, enum parser_fault_kind kind, uint32_t row, uint32_t column);

static inline bool
row_writer_has_failed(const struct row_writer *writer)
{
	return writer->fault.kind != PARSER_FAULT_NONE;
}

#endif
