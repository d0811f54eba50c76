/*
 * Fuzzes worker/parse_csv.c (libFuzzer; `make fuzz-csv`).
 *
 * Beside what the sanitizers see: rows come in order and within the limits, every text
 * is UTF-8, and the same bytes give the same rows whoever names the charset. The first
 * byte says in which charset the rest is.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "charset.h"
#include "parse_csv.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void
must(bool claim)
{
	if (!claim)
		abort();
}

struct seen {
	uint32_t last, rows;
	size_t text;
};

static bool
check_row(void *context, const struct parser_row *row)
{
	struct seen *seen = context;

	must(row->number > seen->last && row->number <= PARSER_ROWS_MAX);
	must(row->count >= 1 && row->count <= PARSER_COLUMNS_MAX);
	for (int i = 0; i < row->count; i++) {
		const struct parser_cell *cell = &row->cells[i];

		must(cell->value == PARSER_TEXT && cell->length <= PARSER_CELL_BYTES_MAX);
		must(strlen(cell->text) == cell->length && utf8_is_valid(cell->text, cell->length));
		seen->text += cell->length;
	}
	seen->last = row->number;
	seen->rows++;
	return true;
}

static struct parser_fault
parse(const uint8_t *bytes, size_t length, const char *charset, struct parser_file *file, struct seen *seen)
{
	struct row_writer writer;

	row_writer_init(&writer, check_row, seen);
	if (parse_csv_find(bytes, length, charset, file, &writer))
		must(parse_csv(bytes, length, file, &writer) == (writer.fault.kind == PARSER_FAULT_NONE));
	must(writer.handed_on == seen->rows);
	row_writer_free(&writer);
	return writer.fault;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	const enum charset charset = length > 0 ? (enum charset)(bytes[0] % CHARSET_COUNT) : CHARSET_UNKNOWN;
	struct seen once = { 0 }, again = { 0 };
	struct parser_file file, same;
	struct parser_fault fault, same_fault;

	if (length == 0)
		return 0;
	fault = parse(bytes + 1, length - 1, charset != CHARSET_UNKNOWN ? charset_name(charset) : NULL, &file, &once);
	same_fault = parse(bytes + 1, length - 1, file.charset, &same, &again);
	must(memcmp(&fault, &same_fault, sizeof fault) == 0 && memcmp(&once, &again, sizeof once) == 0);
	must(file.delimiter == same.delimiter && file.sure_percent >= 50 && file.sure_percent <= 100);
	return 0;
}
