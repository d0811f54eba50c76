/* user_columns: which header means which column, and that none means two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <string.h>

#include "buffer.h"
#include "user_columns.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
assert_means(const char *header, const struct user_column *expected)
{
	const struct user_column *found = user_column_of_header(header);

	if (found != expected)
		fail_msg("\"%s\" means %s, and not %s", header, found != NULL ? found->key : "nothing",
			expected != NULL ? expected->key : "nothing");
}

static void
every_header_leads_to_its_own_column(void **state)
{
	(void)state;
	/* The first that knows a header is found: one that two columns knew would lead one of
	 * them astray. */
	for (int i = 0; i < USER_COLUMN_COUNT; i++) {
		const struct user_column *column = &user_columns[i];

		assert_int_equal(column->id, i);
		assert_ptr_equal(user_column_find(column->key), column);
		assert_means(column->key, column);
		assert_means(user_column_label(column, "en"), column);
		assert_means(user_column_label(column, "uk"), column);
		assert_means(user_column_label(column, "ru"), column);
		for (const char *const *header = column->headers; *header != NULL; header++)
			assert_means(*header, column);
	}
}

static void
headers_are_known_however_they_are_written(void **state)
{
	static const struct {
		const char *header, *key;
	} cases[] = {
		{ "E-MAIL", "email" }, { "  e mail ", "email" }, { "Email*", "email" }, { "E-mail *:", "email" },
		{ "\xef\xbb\xbf" "email", "email" }, { "ЕЛЕКТРОННА ПОШТА", "email" }, { "Эл.почта", "email" },
		{ "эл. почта", "email" }, { "Е-пошта", "email" }, { "E-пошта", "email" }, { "адреса е-пошти", "email" }, { "Електронна\xc2\xa0пошта", "email" },
		{ "Ім'я", "first_name" }, { "ІМ’Я", "first_name" }, { "імʼя", "first_name" }, { "Ім`я", "first_name" },
		{ "Имя", "first_name" }, { "Given Name", "first_name" }, { "first-name", "first_name" },
		{ "ПРІЗВИЩЕ", "last_name" }, { "Surname", "last_name" }, { "Учётная запись", "username" },
		{ "Тел.", "phone" }, { "№ телефону:", "phone" }, { "Job\nTitle", "position" },
		/* As a Mac writes them: a letter and its mark apart. */
		{ "Мобильный", "phone" }, { "Мобильны\xd0\xb8\xcc\x86", "phone" },
		{ "name", NULL }, { "ПІБ", NULL }, { "", NULL }, { " * ", NULL }, { "attributes.hub", NULL },
		{ "Favourite colour", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		assert_means(cases[i].header, cases[i].key != NULL ? user_column_find(cases[i].key) : NULL);
	assert_null(user_column_find("nothing"));
	assert_string_equal(user_column_label(user_column_find("role"), NULL), "Role");
}

static void
a_folded_header_folds_no_further(void **state)
{
	static const char *const headers[] = { " Ім’я *", "__a--b__", "Ё", "a*b:c * -", "attributes.hub_code" };
	static const char *const folded[] = { "ім'я", "a b", "е", "a*b:c", "attributes hub code" };

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(headers); i++) {
		struct buffer once = BUFFER_INIT, twice = BUFFER_INIT;

		user_column_fold(headers[i], &once);
		user_column_fold(buffer_text(&once), &twice);
		assert_string_equal(buffer_text(&once), folded[i]);
		assert_string_equal(buffer_text(&twice), folded[i]);
		buffer_free(&once);
		buffer_free(&twice);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_header_leads_to_its_own_column),
		cmocka_unit_test(headers_are_known_however_they_are_written),
		cmocka_unit_test(a_folded_header_folds_no_further),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
