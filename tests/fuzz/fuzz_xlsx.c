/*
 * Fuzzes worker/parse_xlsx.c and what it stands on (libFuzzer; `make fuzz-xlsx`).
 *
 * Checksums and compression stand in a fuzzer's way. So an input is one of two things:
 * an archive, as it is; or, when it does not begin as one, the texts of a workbook's
 * parts, separated by lines of "%%", which are packed here.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "parse_xlsx.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void
must(bool claim)
{
	if (!claim)
		abort();
}

static bool
check_row(void *context, const struct parser_row *row)
{
	uint32_t *last = context;

	must(row->number > *last && row->number <= PARSER_ROWS_MAX);
	must(row->count >= 1 && row->count <= PARSER_COLUMNS_MAX);
	for (int i = 0; i < row->count; i++) {
		const struct parser_cell *cell = &row->cells[i];

		must(cell->value <= PARSER_NO_VALUE && cell->length <= PARSER_CELL_BYTES_MAX);
		must(strlen(cell->text) == cell->length && utf8_is_valid(cell->text, cell->length));
	}
	*last = row->number;
	return true;
}

static void
parse(const uint8_t *bytes, size_t length)
{
	struct row_writer writer;
	uint32_t last = 0;

	row_writer_init(&writer, check_row, &last);
	must(parse_xlsx(bytes, length, &writer) == (writer.fault.kind == PARSER_FAULT_NONE));
	must(writer.fault.kind < PARSER_FAULT_MEMORY);
	row_writer_free(&writer);
}

/* Where a part ends: at "\n%%\n", or with the input. */
static size_t
part_length(const uint8_t *bytes, size_t length)
{
	const uint8_t *end = memmem(bytes, length, "\n%%\n", 4);

	return end != NULL ? (size_t)(end - bytes) : length;
}

static void
pack_parts(zip_t *zip, const uint8_t *bytes, size_t length)
{
	static const char *const names[] = {
		"xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml",
		"xl/_rels/workbook.xml.rels", "xl/workbook.xml", "_rels/.rels",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const size_t part = part_length(bytes, length), used = part + 4 < length ? part + 4 : length;
		const zip_int64_t index = zip_file_add(zip, names[i], zip_source_buffer(zip, bytes, part, 0), 0);

		zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_STORE, 0);
		bytes += used;
		length -= used;
	}
}

static void
parse_packed(const uint8_t *bytes, size_t length)
{
	zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, NULL);
	zip_t *zip = zip_open_from_source(source, ZIP_TRUNCATE, NULL);
	zip_stat_t stat;
	uint8_t *packed;

	zip_source_keep(source);
	pack_parts(zip, bytes, length);
	must(zip_close(zip) == 0 && zip_source_stat(source, &stat) == 0);
	packed = malloc(stat.size);
	must(packed != NULL && zip_source_open(source) == 0);
	must(zip_source_read(source, packed, stat.size) == (zip_int64_t)stat.size);
	zip_source_close(source);
	zip_source_free(source);
	parse(packed, stat.size);
	free(packed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	if (length >= 2 && memcmp(bytes, "PK", 2) == 0)
		parse(bytes, length);
	else
		parse_packed(bytes, length);
	return 0;
}
