/*
 * parser_fault: the table of what can be wrong with an uploaded file.
 *
 * A child says only which row of the table, and where in the file: the words are
 * always ours, whatever a hostile file made of the child.
 */
#include "parser_fault.h"

#include <assert.h>
#include <ctype.h>

#include "buffer.h"

static const struct {
	const char *word, *sentence;
} faults[PARSER_FAULT_COUNT] = {
	[PARSER_FAULT_NONE] = { "none", "Nothing is wrong." },
	[PARSER_FAULT_EMPTY] = { "empty", "There are no rows in the file." },
	[PARSER_FAULT_TOO_LARGE] = { "too_large", "The file is larger than 32 MiB." },
	[PARSER_FAULT_BINARY] = { "binary", "This is neither a CSV file nor an XLSX workbook, whatever its name says." },
	[PARSER_FAULT_OLD_WORKBOOK] = { "old_workbook", "This is a workbook of the old kind (.xls), or one with a password: save it as .xlsx without a password." },
	[PARSER_FAULT_CHARSET_UNKNOWN] = { "charset_unknown", "The charset is none of utf-8, utf-16le, utf-16be, windows-1251 and windows-1252." },
	[PARSER_FAULT_TOO_MANY_ROWS] = { "too_many_rows", "There are more than 1,000,000 rows." },
	[PARSER_FAULT_TOO_MANY_COLUMNS] = { "too_many_columns", "There are more than 256 columns." },
	[PARSER_FAULT_CELL_TOO_LONG] = { "cell_too_long", "The cell is longer than 32 kB; in a CSV file, a quotation mark may be missing." },
	[PARSER_FAULT_NUL] = { "nul", "There is a NUL byte, which no text has." },
	[PARSER_FAULT_BAD_TEXT] = { "bad_text", "There are bytes that are no text in the file's charset." },
	[PARSER_FAULT_QUOTE_STRAY] = { "quote_stray", "A quotation mark stands inside the cell: quote the whole cell, and double the marks in it." },
	[PARSER_FAULT_QUOTE_UNCLOSED] = { "quote_unclosed", "The quotation mark that opens the cell is never closed." },
	[PARSER_FAULT_NO_LINE_END] = { "no_line_end", "The line does not end: this is not a table." },
	[PARSER_FAULT_ARCHIVE_BROKEN] = { "archive_broken", "The workbook is damaged or cut off: its archive cannot be read." },
	[PARSER_FAULT_ARCHIVE_PARTS] = { "archive_parts", "The workbook's archive has more than 256 parts." },
	[PARSER_FAULT_ARCHIVE_PATH] = { "archive_path", "The workbook names a part outside of its archive." },
	[PARSER_FAULT_ARCHIVE_NESTED] = { "archive_nested", "There is an archive inside the archive: unpack it, and upload the workbook itself." },
	[PARSER_FAULT_ARCHIVE_METHOD] = { "archive_method", "The workbook's archive is compressed in a way that workbooks do not use." },
	[PARSER_FAULT_ENCRYPTED] = { "encrypted", "The workbook's archive is encrypted." },
	[PARSER_FAULT_INFLATES] = { "inflates", "Unpacked, the workbook is larger than 256 MiB." },
	[PARSER_FAULT_NOT_A_WORKBOOK] = { "not_a_workbook", "The archive is no XLSX workbook." },
	[PARSER_FAULT_WORKBOOK_BROKEN] = { "workbook_broken", "The workbook contradicts itself: save it anew." },
	[PARSER_FAULT_XML] = { "xml", "The workbook's XML is malformed." },
	[PARSER_FAULT_DOCTYPE] = { "doctype", "The workbook's XML declares a document type or entities, which no workbook needs." },
	[PARSER_FAULT_DEPTH] = { "depth", "The workbook's XML is nested more than 64 deep." },
	[PARSER_FAULT_TOKEN_TOO_LONG] = { "token_too_long", "The workbook's XML holds a tag or comment longer than 1 MiB." },
	[PARSER_FAULT_STRING_MISSING] = { "string_missing", "The cell refers to a text that the workbook does not hold." },
	[PARSER_FAULT_MEMORY] = { "memory", "Reading the file takes more memory than a file may." },
	[PARSER_FAULT_DEADLINE] = { "deadline", "Reading the file takes longer than a file may." },
	[PARSER_FAULT_FORBIDDEN] = { "forbidden", "The file made its reader try what is forbidden: it was stopped." },
	[PARSER_FAULT_DIED] = { "died", "The file's reader broke down over it." },
	[PARSER_FAULT_LIED] = { "lied", "The file's reader answered nonsense: it was stopped." },
	[PARSER_FAULT_NOT_STARTED] = { "not_started", "The file's reader could not be started." },
	[PARSER_FAULT_STOPPED] = { "stopped", "Reading was stopped." },
};

const char *
parser_fault_word(enum parser_fault_kind kind)
{
	assert(kind < PARSER_FAULT_COUNT);
	return faults[kind].word;
}

void
parser_fault_describe(const struct parser_fault *fault, struct buffer *out)
{
	const char *sentence = faults[fault->kind].sentence;

	assert(fault->kind < PARSER_FAULT_COUNT);
	if (fault->row > 0)
		buffer_printf(out, "Row %u", fault->row);
	if (fault->row > 0 && fault->column > 0)
		buffer_printf(out, ", column %u", fault->column);
	if (fault->row > 0)
		buffer_printf(out, ": %c%s", tolower((unsigned char)sentence[0]), sentence + 1);
	else
		buffer_puts(out, sentence);
}
