/* parse_csv: tables as files have them, and what is no table; in this process, so that the sanitizers see all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "charset.h"
#include "memory.h"
#include "parse_csv.h"
#include "parse_file.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define B(literal) literal, sizeof(literal) - 1

/* "1[a|b]" a row. */
static bool
note_row(void *context, const struct parser_row *row)
{
	buffer_printf(context, "%u[", row->number);
	for (int i = 0; i < row->count; i++)
		buffer_printf(context, "%s%s", i > 0 ? "|" : "", row->cells[i].text);
	buffer_puts(context, "]");
	return true;
}

static void
forget_file(void *context, const struct parser_file *file)
{
	(void)context, (void)file;
}

/* In memory that ends where the file does. */
static struct parser_fault
parse(const char *bytes, size_t length, const char *charset, struct buffer *rows)
{
	uint8_t *exact = malloc(length > 0 ? length : 1);
	struct row_writer writer;

	memcpy(exact, bytes, length);
	row_writer_init(&writer, note_row, rows);
	assert_true(parse_file(exact, length, charset, forget_file, &writer) == !row_writer_has_failed(&writer));
	row_writer_free(&writer);
	free(exact);
	return writer.fault;
}

static const struct {
	const char *bytes;
	size_t length;
	const char *charset, *rows;
	struct parser_fault fault;
} cases[] = {
	{ B("a,b\n1,2\n"), NULL, "1[a|b]2[1|2]", { 0 } },
	{ B("a;b,c;d\r\n1;2;3"), NULL, "1[a|b,c|d]2[1|2|3]", { 0 } },
	{ B("\"a;b\"\tc\r1\t\"2\"\"\r\n3\"\r"), NULL, "1[a;b|c]2[1|2\"\r\n3]", { 0 } },
	{ B("\n\r\n\ra\n\n,\nb\n"), NULL, "4[a]7[b]", { 0 } },
	{ B("\xef\xbb\xbf\"a\", b "), NULL, "1[a| b ]", { 0 } },
	{ B("\xff\xfe" "a\0;\0\x3d\xd8\0\xde\n\0"), NULL, "1[a|\xf0\x9f\x98\x80]", { 0 } },
	{ B("\xfe\xff" "\0a\0;\x04\x1e"), NULL, "1[a|\xd0\x9e]", { 0 } },
	/* What Excel is told of the delimiter is no row, and is not counted: Excel does not show it either. */
	{ B("sep=;\r\na,b;c\r\n1;2\r\n"), NULL, "1[a,b|c]2[1|2]", { 0 } },
	{ B("SEP=\t\na;b\tc,d"), NULL, "1[a;b|c,d]", { 0 } },
	{ B("\xef\xbb\xbfsep=,\ra,b;c;d\r"), NULL, "1[a|b;c;d]", { 0 } },
	{ B("\xff\xfes\0e\0p\0=\0;\0\n\0a\0;\0b\0"), NULL, "1[a|b]", { 0 } },
	{ B("sep=;\n\na;b"), NULL, "2[a|b]", { 0 } },
	{ B("sep=;"), NULL, "", { PARSER_FAULT_EMPTY, 0, 0 } },
	{ B("sep=;,b\n1,2"), NULL, "1[sep=;|b]2[1|2]", { 0 } },
	{ B("sep=|\n1|2"), NULL, "1[sep=|]2[1|2]", { 0 } },
	{ B("a\nsep=;\n1"), NULL, "1[a]2[sep=;]3[1]", { 0 } },
	{ B("a\0b\0"), "utf-16le", "1[ab]", { 0 } },
	{ B("\xce\xeb\xe5\xed\xe0"), NULL, "1[\xd0\x9e\xd0\xbb\xd0\xb5\xd0\xbd\xd0\xb0]", { 0 } },
	{ B("J\xfcrgen"), NULL, "1[J\xc3\xbcrgen]", { 0 } },
	{ B("J\xfcrgen"), "WINDOWS-1251", "1[J\xd1\x8crgen]", { 0 } },
	{ B("a\nb\xff"), "utf-8", "1[a]", { PARSER_FAULT_BAD_TEXT, 2, 1 } },
	{ B("\xff\xfe" "a\0\n\0\x3d\xd8"), NULL, "1[a]", { PARSER_FAULT_BAD_TEXT, 2, 1 } },
	{ B("a,b\n1,\0"), NULL, "1[a|b]", { PARSER_FAULT_NUL, 2, 2 } },
	{ B("a\n\"b\nc\nd\n"), NULL, "1[a]", { PARSER_FAULT_QUOTE_UNCLOSED, 2, 1 } },
	{ B("a,\"b\"c\n"), NULL, "", { PARSER_FAULT_QUOTE_STRAY, 1, 2 } },
	{ B("a,b\"c\n"), NULL, "", { PARSER_FAULT_QUOTE_STRAY, 1, 2 } },
	{ B(""), NULL, "", { PARSER_FAULT_EMPTY, 0, 0 } },
	{ B(",,\n"), NULL, "", { PARSER_FAULT_EMPTY, 0, 0 } },
	{ B("a"), "latin-1", "", { PARSER_FAULT_CHARSET_UNKNOWN, 0, 0 } },
};

static void
tables_are_read_and_faults_have_a_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buffer rows = BUFFER_INIT;
		const struct parser_fault fault = parse(cases[i].bytes, cases[i].length, cases[i].charset, &rows);

		print_message("  case %zu\n", i);
		assert_string_equal(parser_fault_word(fault.kind), parser_fault_word(cases[i].fault.kind));
		assert_int_equal(fault.row, cases[i].fault.row);
		assert_int_equal(fault.column, cases[i].fault.column);
		assert_string_equal(buffer_text(&rows), cases[i].rows);
		buffer_free(&rows);
	}
}

/* A block ends anywhere: inside of a character, a quotation, between CR and LF. */
static void
where_a_block_ends_does_not_show(void **state)
{
	static const char row[] = "\"\xd0\xbe\"\"\r\n\",b\r\n";

	(void)state;
	for (size_t before = 16384 - 40; before < 16384 + 8; before++) {
		struct buffer file = BUFFER_INIT, rows = BUFFER_INIT, wanted = BUFFER_INIT;

		while (file.length < before)
			buffer_putc(&file, 'x');
		buffer_puts(&file, ",y\r\n");
		buffer_printf(&wanted, "1[%.*s|y]", (int)before, file.data);
		for (int i = 2; i < 8; i++) {
			buffer_puts(&file, row);
			buffer_printf(&wanted, "%d[\xd0\xbe\"\r\n|b]", i);
		}
		assert_int_equal(parse(file.data, file.length, NULL, &rows).kind, PARSER_FAULT_NONE);
		assert_string_equal(buffer_text(&rows), buffer_text(&wanted));
		buffer_free(&file);
		buffer_free(&rows);
		buffer_free(&wanted);
	}
}

static void
a_guess_says_how_sure_it_is(void **state)
{
	static const struct { const char *text; enum charset charset; int least, most; } guesses[] = {
		{ "\xcf\xf0\xe8\xe2\xb3\xf2 \xf1\xe2\xb3\xf2", CHARSET_WINDOWS_1251, 90, 99 },
		{ "Gr\xf6\xdf" "e Fran\xe7ois \xc5ngstr\xf6m", CHARSET_WINDOWS_1252, 80, 99 },
		{ "5 \xa7", CHARSET_WINDOWS_1251, 50, 50 },
		{ "\x98", CHARSET_WINDOWS_1252, 50, 99 },
		{ "\x81\xcf\xf0", CHARSET_WINDOWS_1251, 70, 99 },
		{ "ASCII", CHARSET_UTF_8, 100, 100 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(guesses); i++) {
		const struct charset_finding finding = charset_find((const uint8_t *)guesses[i].text, strlen(guesses[i].text), CHARSET_UNKNOWN);

		assert_int_equal(finding.charset, guesses[i].charset);
		assert_true(finding.is_guess == (guesses[i].charset != CHARSET_UTF_8));
		assert_in_range(finding.sure_percent, guesses[i].least, guesses[i].most);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_are_read_and_faults_have_a_place),
		cmocka_unit_test(where_a_block_ends_does_not_show),
		cmocka_unit_test(a_guess_says_how_sure_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
