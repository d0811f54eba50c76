/*
 * parse_xlsx: what a cell shows, and archives that end anywhere; in this process, so
 * that the sanitizers see all. Whole workbooks are tests/worker/test_parser.py's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "buffer.h"
#include "parse_xlsx.h"
#include "xlsx_value.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define OFFICE "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

static void
numbers_come_out_as_the_digits_that_went_in(void **state)
{
	static const struct { const char *stored, *shown; } numbers[] = {
		{ "0", "0" }, { "-0.0", "0" }, { "380501234567", "380501234567" }, { "3.80501234567E+11", "380501234567" },
		{ "1e2", "100" }, { "1.5e1", "15" }, { "15E-1", "1.5" }, { "1E-3", "0.001" }, { "-2.50", "-2.5" },
		{ "0.1000000000000000055", "0.1" }, { "123456.78999999999", "123456.79" }, { "9.9999999999999999", "10" },
		{ "99999999999999999", "99999999999999999" }, { "1E28", "10000000000000000000000000000" },
		{ ".5", "0.5" }, { "5.", "5" }, { "0.00000000000000000000000000010", "0.0000000000000000000000000001" },
		{ "1E29", NULL }, { "1E-29", NULL }, { "", NULL }, { "-", NULL }, { ".", NULL }, { "1e", NULL }, { "1e+", NULL }, { "1 ", NULL },
		{ "0x10", NULL }, { "1.2.3", NULL }, { "inf", NULL }, { "nan", NULL }, { "1E99999999999999999999", NULL },
		{ "1234567890123456789012345678901234567890123456789", NULL }, { "0.0000000000000000000000000000001E-28", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(numbers); i++) {
		char shown[XLSX_NUMBER_BYTES];

		assert_true(xlsx_number_text(numbers[i].stored, shown) == (numbers[i].shown != NULL));
		if (numbers[i].shown != NULL)
			assert_string_equal(shown, numbers[i].shown);
	}
}

static void
formats_say_what_is_a_day(void **state)
{
	static const struct { const char *code; enum xlsx_format format; } formats[] = {
		{ "General", XLSX_PLAIN }, { "0.00", XLSX_PLAIN }, { "#,##0.00\\ \"d\"", XLSX_PLAIN }, { "@", XLSX_PLAIN },
		{ "0.00E+00", XLSX_PLAIN }, { "[$-419]d mmmm yyyy;@", XLSX_DATE }, { "yyyy\\-mm\\-dd", XLSX_DATE }, { "mmm", XLSX_DATE },
		{ "h:mm", XLSX_TIME }, { "[h]:mm:ss", XLSX_TIME }, { "mm:ss", XLSX_TIME }, { "dd/mm/yy hh:mm", XLSX_DATE_TIME },
		{ "[Red]-0;0", XLSX_PLAIN }, { "\\", XLSX_PLAIN }, { "", XLSX_PLAIN }, { "0;yyyy", XLSX_PLAIN },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(formats); i++) {
		print_message("  %s\n", formats[i].code);
		assert_int_equal(xlsx_format_of(formats[i].code), formats[i].format);
	}
}

/* Every day of the calendar, by counting on. */
static void
days_follow_one_another(void **state)
{
	static const int months[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year = 1900, month = 3, day = 1;

	(void)state;
	for (int serial = 61; serial <= 2958465; serial++) {
		const bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
		char stored[16], shown[XLSX_NUMBER_BYTES], wanted[64];

		if (serial % 7 == 0 || day > 27 || day == 1) {
			snprintf(stored, sizeof stored, "%d", serial);
			snprintf(wanted, sizeof wanted, "%04d-%02d-%02d", year, month, day);
			assert_true(xlsx_date_text(stored, XLSX_DATE, false, shown));
			assert_string_equal(shown, wanted);
		}
		if (++day > months[month - 1] + (month == 2 && is_leap)) {
			day = 1;
			month = month % 12 + 1;
			year += month == 1;
		}
	}
	assert_int_equal(year, 10000);
}

static void
escapes_stand_for_what_xml_cannot_hold(void **state)
{
	static const struct { const char *stored, *shown; } texts[] = {
		{ "a_x000D_b", "a\rb" }, { "_x005F_x000D_", "_x000D_" }, { "_x041E_", "\xd0\x9e" }, { "_x0000_", "_x0000_" },
		{ "_xD83D_", "_xD83D_" }, { "_x00", "_x00" }, { "_x000d", "_x000d" }, { "_xgggg_", "_xgggg_" }, { "_", "_" },
	};
	struct xlsx_text *text = calloc(1, sizeof *text);

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		xlsx_text_clear(text);
		xlsx_text_add(text, texts[i].stored, strlen(texts[i].stored));
		xlsx_text_finish(text);
		assert_string_equal(text->bytes, texts[i].shown);
		assert_int_equal(text->length, strlen(texts[i].shown));
	}
	free(text);
}

static void
add_part(zip_t *zip, const char *name, const char *text)
{
	assert_true(zip_file_add(zip, name, zip_source_buffer(zip, text, strlen(text), 0), 0) >= 0);
}

/* One cell that says "hello", as a file. */
static uint8_t *
make_workbook(size_t *length)
{
	zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, NULL);
	zip_t *zip = zip_open_from_source(source, ZIP_TRUNCATE, NULL);
	zip_stat_t stat;
	uint8_t *bytes;

	zip_source_keep(source);
	add_part(zip, "_rels/.rels", "<R><Relationship Id='a' Type='" OFFICE "/officeDocument' Target='xl/workbook.xml'/></R>");
	add_part(zip, "xl/workbook.xml", "<w><sheets><sheet id='s'/></sheets></w>");
	add_part(zip, "xl/_rels/workbook.xml.rels", "<R><Relationship Id='s' Type='" OFFICE "/worksheet' Target='sheet.xml'/></R>");
	add_part(zip, "xl/sheet.xml", "<w><sheetData><row><c t='inlineStr'><is><t>hello</t></is></c></row></sheetData></w>");
	assert_int_equal(zip_close(zip), 0);
	assert_int_equal(zip_source_stat(source, &stat), 0);
	*length = (size_t)stat.size;
	bytes = malloc(*length);
	zip_source_open(source);
	assert_int_equal(zip_source_read(source, bytes, *length), *length);
	zip_source_close(source);
	zip_source_free(source);
	return bytes;
}

static bool
expect_hello(void *context, const struct parser_row *row)
{
	assert_int_equal(row->count, 1);
	assert_string_equal(row->cells[0].text, "hello");
	++*(int *)context;
	return true;
}

static void
no_beginning_of_a_workbook_is_one(void **state)
{
	size_t length;
	uint8_t *whole = make_workbook(&length);

	(void)state;
	for (size_t kept = 1; kept <= length; kept++) {
		uint8_t *exact = malloc(kept > 0 ? kept : 1);
		struct row_writer writer;
		int rows = 0;

		memcpy(exact, whole, kept);
		row_writer_init(&writer, expect_hello, &rows);
		assert_true(parse_xlsx(exact, kept, &writer) == (kept == length));
		assert_int_equal(rows, kept == length);
		if (kept < length)
			assert_string_equal(parser_fault_word(writer.fault.kind), "archive_broken");
		row_writer_free(&writer);
		free(exact);
	}
	free(whole);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_come_out_as_the_digits_that_went_in),
		cmocka_unit_test(formats_say_what_is_a_day),
		cmocka_unit_test(days_follow_one_another),
		cmocka_unit_test(escapes_stand_for_what_xml_cannot_hold),
		cmocka_unit_test(no_beginning_of_a_workbook_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
