/*
 * parser_fault: the table of what can be wrong with an uploaded file.
 *
 * A child says only which row of the table, and where in the file: the words are
 * always ours, whatever a hostile file made of the child. Each says what to do about it.
 */
#include "parser_fault.h"

#include <assert.h>
#include <ctype.h>

#include "buffer.h"

static const struct {
	const char *word, *sentence;
} faults[PARSER_FAULT_COUNT] = {
	[PARSER_FAULT_NONE] = { "none", "Nothing is wrong." },
	[PARSER_FAULT_EMPTY] = { "empty", "There are no rows in the file: the first names the columns, and each one below it is a user." },
	[PARSER_FAULT_TOO_LARGE] = { "too_large", "The file is larger than 32 MiB: split it." },
	[PARSER_FAULT_BINARY] = { "binary", "This is neither a CSV file nor an XLSX workbook, whatever its name says: save the table as one of them." },
	[PARSER_FAULT_OLD_WORKBOOK] = { "old_workbook", "This is a workbook of the old kind (.xls), or one with a password: save it as .xlsx without a password." },
	[PARSER_FAULT_CHARSET_UNKNOWN] = { "charset_unknown", "The charset is none of utf-8, utf-16le, utf-16be, windows-1251 and windows-1252." },
	[PARSER_FAULT_TOO_MANY_ROWS] = { "too_many_rows", "There are more than 1,000,000 rows: split the file." },
	[PARSER_FAULT_TOO_MANY_COLUMNS] = { "too_many_columns", "There are more than 256 columns: leave those in that are about users." },
	[PARSER_FAULT_CELL_TOO_LONG] = { "cell_too_long", "The cell is longer than 32 kB: shorten it; in a CSV file, a quotation mark may be missing." },
	[PARSER_FAULT_NUL] = { "nul", "There is a NUL byte, which no text has: save the table anew." },
	[PARSER_FAULT_BAD_TEXT] = { "bad_text", "There are bytes that are no text in the file's charset: name another charset, or save the file as UTF-8." },
	[PARSER_FAULT_QUOTE_STRAY] = { "quote_stray", "A quotation mark stands inside the cell: quote the whole cell, and double the marks in it." },
	[PARSER_FAULT_QUOTE_UNCLOSED] = { "quote_unclosed", "The quotation mark that opens the cell is never closed: close it behind the cell." },
	[PARSER_FAULT_NO_LINE_END] = { "no_line_end", "The line does not end: this is not a table. Write each user into a line of his own." },
	[PARSER_FAULT_ARCHIVE_BROKEN] = { "archive_broken", "The workbook is damaged or cut off, its archive cannot be read: upload it again, or save it anew." },
	[PARSER_FAULT_ARCHIVE_PARTS] = { "archive_parts", "The workbook's archive has more than 256 parts: copy the table into a new workbook." },
	[PARSER_FAULT_ARCHIVE_PATH] = { "archive_path", "The workbook names a part outside of its archive: copy the table into a new workbook." },
	[PARSER_FAULT_ARCHIVE_NESTED] = { "archive_nested", "There is an archive inside the archive: unpack it, and upload the workbook itself." },
	[PARSER_FAULT_ARCHIVE_METHOD] = { "archive_method", "The workbook's archive is compressed in a way that workbooks do not use: save it anew as .xlsx." },
	[PARSER_FAULT_ENCRYPTED] = { "encrypted", "The workbook's archive is encrypted: save it without a password." },
	[PARSER_FAULT_INFLATES] = { "inflates", "Unpacked, the workbook is larger than 256 MiB: copy the table into a new workbook, or split it." },
	[PARSER_FAULT_NOT_A_WORKBOOK] = { "not_a_workbook", "The archive is no XLSX workbook: save the table as .xlsx or .csv." },
	[PARSER_FAULT_WORKBOOK_BROKEN] = { "workbook_broken", "The workbook contradicts itself: save it anew." },
	[PARSER_FAULT_XML] = { "xml", "The workbook's XML is malformed: save it anew." },
	[PARSER_FAULT_DOCTYPE] = { "doctype", "The workbook's XML declares a document type or entities, which no workbook needs: save it anew." },
	[PARSER_FAULT_DEPTH] = { "depth", "The workbook's XML is nested more than 64 deep: save it anew." },
	[PARSER_FAULT_TOKEN_TOO_LONG] = { "token_too_long", "The workbook's XML holds a tag or comment longer than 1 MiB: save it anew." },
	[PARSER_FAULT_STRING_MISSING] = { "string_missing", "The cell refers to a text that the workbook does not hold: save it anew." },
	[PARSER_FAULT_MEMORY] = { "memory", "Reading the file takes more memory than a file may: split it." },
	[PARSER_FAULT_DEADLINE] = { "deadline", "Reading the file takes longer than a file may: split it." },
	[PARSER_FAULT_FORBIDDEN] = { "forbidden", "The file made its reader try what is forbidden, and was stopped: copy the table into a new file." },
	[PARSER_FAULT_DIED] = { "died", "The file's reader broke down over it: copy the table into a new file." },
	[PARSER_FAULT_LIED] = { "lied", "The file's reader answered nonsense, and was stopped: copy the table into a new file." },
	[PARSER_FAULT_NOT_STARTED] = { "not_started", "The file's reader could not be started." },
	[PARSER_FAULT_KILLED] = { "killed", "The file's reader was killed." },
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
