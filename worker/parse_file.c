/*
 * parse_file: decides by the first bytes. Names and declared types are not asked: they
 * are wrong too often, and a stranger chooses them.
 */
#include "parse_file.h"

#include <string.h>

#include "charset.h"
#include "parse_csv.h"
#include "parse_xlsx.h"

enum { SAMPLE_BYTES = 4096, CONTROLS_MAX_PERCENT = 5 };

static bool
begins_with(const uint8_t *bytes, size_t length, const char *magic, size_t magic_length)
{
	return length >= magic_length && memcmp(bytes, magic, magic_length) == 0;
}

#define BEGINS_WITH(literal) begins_with(bytes, length, literal, sizeof(literal) - 1)

/* Many control characters; in UTF-16 they are half of everything. */
static bool
is_binary(const uint8_t *bytes, size_t length, const char *charset)
{
	const struct charset_finding finding = charset_find(bytes, length < 2 ? length : 2,
		charset != NULL ? charset_by_name(charset) : CHARSET_UNKNOWN);
	size_t controls = 0;

	if (BEGINS_WITH("%PDF-"))
		return true;
	if (finding.charset == CHARSET_UTF_16LE || finding.charset == CHARSET_UTF_16BE)
		return false;
	if (length > SAMPLE_BYTES)
		length = SAMPLE_BYTES;
	for (size_t i = 0; i < length; i++)
		controls += (bytes[i] < 0x20 && bytes[i] != '\t' && bytes[i] != '\r' && bytes[i] != '\n') || bytes[i] == 0x7f;
	/* One in a tiny file is a mistake in a text. */
	return controls > 2 && controls * 100 > length * CONTROLS_MAX_PERCENT;
}

bool
parse_file(const uint8_t *bytes, size_t length, const char *charset, parse_file_found *found,
	struct row_writer *writer)
{
	struct parser_file file = { .format = PARSER_XLSX, .charset = charset_name(CHARSET_UTF_8), .sure_percent = 100 };

	if (BEGINS_WITH("PK\3\4") || BEGINS_WITH("PK\5\6")) {
		found(writer->context, &file);
		return parse_xlsx(bytes, length, writer);
	}
	if (BEGINS_WITH("\xd0\xcf\x11\xe0"))
		return row_writer_fail(writer, PARSER_FAULT_OLD_WORKBOOK, 0, 0);
	if (is_binary(bytes, length, charset))
		return row_writer_fail(writer, PARSER_FAULT_BINARY, 0, 0);
	if (!parse_csv_find(bytes, length, charset, &file, writer))
		return false;
	found(writer->context, &file);
	return parse_csv(bytes, length, &file, writer);
}
