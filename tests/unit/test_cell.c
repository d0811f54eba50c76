/* cell: what could be a formula is text, and comes back as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <string.h>

#include "buffer.h"
#include "cell.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
what_begins_like_a_formula_gets_an_apostrophe(void **state)
{
	static const struct {
		const char *text, *neutralised;
	} cases[] = {
		{ "=1+1", "'=1+1" }, { "+380441234567", "'+380441234567" }, { "-1", "'-1" }, { "@SUM(A1)", "'@SUM(A1)" },
		{ "\t=1", "'\t=1" }, { "\r=1", "'\r=1" }, { "\n=1", "'\n=1" }, { "\tname", "'\tname" },
		{ "  =1", "'  =1" }, { "\xc2\xa0=1", "'\xc2\xa0=1" }, { "＝1", "'＝1" }, { "＠a", "'＠a" },
		{ "'=1", "''=1" }, { "' '=1", "'' '=1" }, { "'+38", "''+38" },
		{ "", "" }, { "'", "'" }, { "''", "''" }, { "Олена", "Олена" }, { "a=1", "a=1" }, { "'name", "'name" },
		{ "  name", "  name" }, { "1-1", "1-1" }, { "d'Arc", "d'Arc" }, { "a\n=1", "a\n=1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct buffer out = BUFFER_INIT;

		cell_neutralise(&out, cases[i].text);
		assert_string_equal(buffer_text(&out), cases[i].neutralised);
		assert_string_equal(cell_restore(buffer_text(&out)), cases[i].text);
		buffer_free(&out);
	}
}

/* All texts of up to five characters of what matters. */
static void
every_text_comes_back(void **state)
{
	static const char alphabet[] = "=+'- \ta";
	const size_t count = sizeof(alphabet) - 1;
	char text[6];

	(void)state;
	for (size_t number = 0; number < count * count * count * count * count; number++) {
		struct buffer out = BUFFER_INIT;
		size_t rest = number, length = 0;

		for (; rest > 0; rest /= count)
			text[length++] = alphabet[rest % count];
		text[length] = '\0';
		cell_neutralise(&out, text);
		assert_string_equal(cell_restore(buffer_text(&out)), text);
		buffer_free(&out);
	}
}

static void
an_apostrophe_of_somebody_else_stays(void **state)
{
	static const char *const texts[] = { "'", "''", "'name", "'Хата", "name'", "' name" };

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
		assert_ptr_equal(cell_restore(texts[i]), texts[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_begins_like_a_formula_gets_an_apostrophe),
		cmocka_unit_test(every_text_comes_back),
		cmocka_unit_test(an_apostrophe_of_somebody_else_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
