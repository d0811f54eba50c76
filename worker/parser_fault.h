/*
 * parser_fault: what can be wrong with an uploaded file, as a table of words and
 * sentences that a client may be shown.
 */
#ifndef ROLLCALL_PARSER_FAULT_H
#define ROLLCALL_PARSER_FAULT_H

#include <stdint.h>

struct buffer;

/* The words are a contract: name(PARSER_FAULT_X), "x". */
enum parser_fault_kind {
	PARSER_FAULT_NONE,
	/* Any file. */
	PARSER_FAULT_EMPTY,
	PARSER_FAULT_TOO_LARGE,
	PARSER_FAULT_BINARY,
	PARSER_FAULT_OLD_WORKBOOK,
	PARSER_FAULT_CHARSET_UNKNOWN,
	PARSER_FAULT_TOO_MANY_ROWS,
	PARSER_FAULT_TOO_MANY_COLUMNS,
	PARSER_FAULT_CELL_TOO_LONG,
	PARSER_FAULT_NUL,
	/* CSV. */
	PARSER_FAULT_BAD_TEXT,
	PARSER_FAULT_QUOTE_STRAY,
	PARSER_FAULT_QUOTE_UNCLOSED,
	PARSER_FAULT_NO_LINE_END,
	/* XLSX. */
	PARSER_FAULT_ARCHIVE_BROKEN,
	PARSER_FAULT_ARCHIVE_PARTS,
	PARSER_FAULT_ARCHIVE_PATH,
	PARSER_FAULT_ARCHIVE_NESTED,
	PARSER_FAULT_ARCHIVE_METHOD,
	PARSER_FAULT_ENCRYPTED,
	PARSER_FAULT_INFLATES,
	PARSER_FAULT_NOT_A_WORKBOOK,
	PARSER_FAULT_WORKBOOK_BROKEN,
	PARSER_FAULT_XML,
	PARSER_FAULT_DOCTYPE,
	PARSER_FAULT_DEPTH,
	PARSER_FAULT_TOKEN_TOO_LONG,
	PARSER_FAULT_STRING_MISSING,
	/* The child. */
	PARSER_FAULT_MEMORY,
	PARSER_FAULT_DEADLINE,
	PARSER_FAULT_FORBIDDEN,
	PARSER_FAULT_DIED,
	PARSER_FAULT_LIED,
	PARSER_FAULT_NOT_STARTED,
	PARSER_FAULT_KILLED,
	PARSER_FAULT_STOPPED,
	PARSER_FAULT_COUNT
};

struct parser_fault {
	enum parser_fault_kind kind;
	uint32_t row, column;	/* from 1; 0: none in particular */
};

/* "quote_unclosed". */
const char *parser_fault_word(enum parser_fault_kind kind);
/* "Row 3, column 2: the quotation mark that opens here is never closed." */
void parser_fault_describe(const struct parser_fault *fault, struct buffer *out);

#endif
