/*
 * parse_csv: libcsv, and what it leaves to us.
 *
 * libcsv knows quotes and line ends. It does not know charsets, delimiters and limits,
 * and it trims: blanks are told to be no blanks. It gives blank lines too, so that rows
 * are counted as a spreadsheet counts them; the LF of a CRLF is such a blank line,
 * and is no row. Nor is the line "sep=;" in front, by which people tell Excel the delimiter.
 */
#include "parse_csv.h"

#include <string.h>
#include <strings.h>

#include <csv.h>

#include "charset.h"

enum { BLOCK_BYTES = 16384, ENDLESS_BYTES = 1 << 20 };

static const char delimiters[] = ",;\t";

struct reading {
	struct row_writer *writer;
	struct csv_parser csv;
	uint32_t row;		/* of the entry that is being read */
	bool is_begun;
	int ended_by;		/* what ended the entry before, if nothing came since */
};

static int
is_no_space(unsigned char byte)
{
	(void)byte;
	return 0;
}

static void
take_field(void *bytes, size_t length, void *context)
{
	struct reading *reading = context;

	if (!reading->is_begun)
		row_writer_begin(reading->writer, reading->row);
	reading->is_begun = true;
	row_writer_cell(reading->writer, bytes, length, PARSER_TEXT);
}

static void
take_end(int byte, void *context)
{
	struct reading *reading = context;

	if (!reading->is_begun && byte == CSV_LF && reading->ended_by == CSV_CR) {
		reading->ended_by = 0;
		return;
	}
	if (reading->is_begun)
		row_writer_end(reading->writer);
	reading->is_begun = false;
	reading->ended_by = byte;
	reading->row++;
}

/* Where the cell is that libcsv is at. */
static bool
fail_here(struct reading *reading, enum parser_fault_kind kind)
{
	return row_writer_fail(reading->writer, kind, reading->row,
		reading->is_begun ? (uint32_t)reading->writer->count + 1 : 1);
}

/* A long cell is a missing quotation mark, or no table at all. */
static bool
has_endless_line(const struct charset_reader *text)
{
	const size_t left = (size_t)(text->end - text->at);

	return left >= ENDLESS_BYTES && memchr(text->at, '\n', ENDLESS_BYTES) == NULL
		&& memchr(text->at, '\r', ENDLESS_BYTES) == NULL;
}

static bool
read_block(struct reading *reading, const struct charset_reader *text, const char *block, size_t length)
{
	if (csv_parse(&reading->csv, block, length, take_field, take_end, reading) != length
		&& !row_writer_has_failed(reading->writer))
		return fail_here(reading, csv_error(&reading->csv) == CSV_ENOMEM ? PARSER_FAULT_MEMORY : PARSER_FAULT_QUOTE_STRAY);
	if (!row_writer_has_failed(reading->writer) && reading->csv.entry_pos > PARSER_CELL_BYTES_MAX)
		return fail_here(reading, !reading->csv.quoted && has_endless_line(text)
			? PARSER_FAULT_NO_LINE_END : PARSER_FAULT_CELL_TOO_LONG);
	return !row_writer_has_failed(reading->writer);
}

/* How long the line "sep=;" is with its end; 0: the text does not begin with one. */
static size_t
separator_line(const char *text, size_t length)
{
	static const char word[] = "sep=";
	const size_t said = sizeof word - 1;
	size_t end = said + 1;

	if (length < end || strncasecmp(text, word, said) != 0 || strchr(delimiters, text[said]) == NULL)
		return 0;
	if (end < length && text[end] != '\r' && text[end] != '\n')
		return 0;
	end += end < length && text[end] == '\r';
	end += end < length && text[end] == '\n';
	return end;
}

static bool
read_text(struct reading *reading, struct charset_reader *text)
{
	char block[BLOCK_BYTES];
	enum charset_stop stop;
	size_t length, skipped;

	stop = charset_read(text, block, sizeof block, &length);
	skipped = separator_line(block, length);
	if (!read_block(reading, text, block + skipped, length - skipped))
		return false;
	while (stop == CHARSET_FULL) {
		stop = charset_read(text, block, sizeof block, &length);
		if (!read_block(reading, text, block, length))
			return false;
	}
	if (stop != CHARSET_END)
		return fail_here(reading, stop == CHARSET_NUL ? PARSER_FAULT_NUL : PARSER_FAULT_BAD_TEXT);
	if (csv_fini(&reading->csv, take_field, take_end, reading) != 0)
		return fail_here(reading, PARSER_FAULT_QUOTE_UNCLOSED);
	if (reading->writer->handed_on == 0)
		row_writer_fail(reading->writer, PARSER_FAULT_EMPTY, 0, 0);
	return !row_writer_has_failed(reading->writer);
}

/* The one that is said; or that the first line has most of, outside of quotation marks. */
static char
find_delimiter(struct charset_reader text)
{
	char block[BLOCK_BYTES];
	int counts[3] = { 0 }, best = 0;
	bool is_quoted = false, has_begun = false;
	size_t length;

	(void)charset_read(&text, block, sizeof block, &length);
	if (separator_line(block, length) > 0)
		return block[strlen("sep=")];
	for (size_t i = 0; i < length; i++) {
		const char *delimiter = strchr(delimiters, block[i]);

		is_quoted ^= block[i] == '"';
		if (!is_quoted && (block[i] == '\n' || block[i] == '\r')) {
			if (has_begun)
				break;
			continue;
		}
		has_begun = true;
		if (!is_quoted && delimiter != NULL)
			counts[delimiter - delimiters]++;
	}
	for (int i = 1; i < 3; i++)
		if (counts[i] > counts[best])
			best = i;
	return delimiters[best];
}

static struct charset_reader
open_text(const uint8_t *bytes, size_t length, const struct charset_finding *finding)
{
	return (struct charset_reader){
		.charset = finding->charset, .at = bytes + finding->mark_bytes, .end = bytes + length,
	};
}

bool
parse_csv_find(const uint8_t *bytes, size_t length, const char *charset, struct parser_file *file,
	struct row_writer *writer)
{
	const enum charset wanted = charset != NULL ? charset_by_name(charset) : CHARSET_UNKNOWN;
	struct charset_finding finding;

	if (charset != NULL && wanted == CHARSET_UNKNOWN)
		return row_writer_fail(writer, PARSER_FAULT_CHARSET_UNKNOWN, 0, 0);
	finding = charset_find(bytes, length, wanted);
	*file = (struct parser_file){
		.format = PARSER_CSV, .charset = charset_name(finding.charset), .is_guess = finding.is_guess,
		.sure_percent = finding.sure_percent,
		.delimiter = find_delimiter(open_text(bytes, length, &finding)),
	};
	return true;
}

bool
parse_csv(const uint8_t *bytes, size_t length, const struct parser_file *file, struct row_writer *writer)
{
	const struct charset_finding finding = charset_find(bytes, length, charset_by_name(file->charset));
	struct charset_reader text = open_text(bytes, length, &finding);
	struct reading reading = { .writer = writer, .row = 1 };
	bool is_read;

	if (csv_init(&reading.csv, CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL) != 0)
		return row_writer_fail(writer, PARSER_FAULT_MEMORY, 0, 0);
	csv_set_delim(&reading.csv, (unsigned char)file->delimiter);
	csv_set_space_func(&reading.csv, is_no_space);
	is_read = read_text(&reading, &text);
	csv_free(&reading.csv);
	return is_read;
}
