/*
 * Accept-Language in the spellings that browsers and careless clients send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "language.h"

static void
the_best_known_language_is_taken(void **state)
{
	static const struct {
		const char *header, *language;
	} cases[] = {
		{ NULL, NULL }, { "", NULL }, { "*", NULL }, { "fr, de;q=0.5", NULL },
		{ "uk", "uk" }, { "UK-ua", "uk" }, { "ru-RU,ru;q=0.9,en;q=0.8", "ru" },
		{ "fr-FR, en;q=0.7, uk ; q=0.8 ", "uk" }, { "en;q=0.5,ru;q=0.500", "en" },
		{ "en;q=0", NULL }, { "en;q=0.001", "en" }, { "en;q=1.000, uk;q=1", "en" },
		{ "en;q=2, uk;q=0.1", "uk" }, { "en;q=abc, uk;q=0.1", "uk" }, { "en;q=0.1234", NULL },
		{ "english", NULL }, { "e", NULL }, { ",,,uk,,", "uk" }, { ";q=1", NULL }, { "uk;", "uk" },
	};

	(void)state;
	for (size_t at = 0; at < sizeof cases / sizeof cases[0]; at++) {
		const char *found = language_accepted(cases[at].header);

		print_message("  %s\n", cases[at].header != NULL ? cases[at].header : "(none)");
		if (cases[at].language == NULL)
			assert_null(found);
		else
			assert_string_equal(found, cases[at].language);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best_known_language_is_taken),
	};

	return cmocka_run_group_tests_name("language", tests, NULL, NULL);
}
