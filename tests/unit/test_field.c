/* field: what may stand in a field, from JSON and from a cell, and what a role requires. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "buffer.h"
#include "field.h"
#include "json.h"
#include "memory.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define X10(text) text text text text text text text text text text
#define ROLE_A "01a2013b-450f-709a-bfcd-5c2ba941b014"
#define ROLE_B "01a2013b-450f-709a-bfcd-5c2ba941b015"

static const char definitions[] =
	"[{\"key\": \"badge\", \"type\": \"text\", \"options\": [], \"pattern\": \"[А-ЯІЇЄҐ]{2}-\\\\d{4}\", \"required_for_roles\": [\"" ROLE_A "\"]},"
	" {\"key\": \"born\", \"type\": \"date\", \"options\": [], \"pattern\": null, \"required_for_roles\": []},"
	" {\"key\": \"driver\", \"type\": \"boolean\", \"options\": [], \"pattern\": null, \"required_for_roles\": []},"
	" {\"key\": \"hub\", \"label\": \"Хаб\", \"type\": \"choice\", \"options\": [\"Kyiv\", \"Львів\", \"\\\"quoted\\\"\"], \"pattern\": null,"
	"  \"required_for_roles\": [\"" ROLE_A "\", \"" ROLE_B "\"]},"
	" {\"key\": \"note\", \"type\": \"text\", \"options\": [], \"pattern\": null, \"required_for_roles\": []},"
	" {\"key\": \"salary\", \"type\": \"number\", \"options\": [], \"pattern\": null, \"required_for_roles\": []}]";

struct world {
	struct arena *arena;
	struct field_set set;
};

static int
make_world(void **state)
{
	static struct world world;

	world.arena = arena_create();
	field_set_read(&world.set, world.arena, definitions);
	*state = &world;
	return 0;
}

static int
drop_world(void **state)
{
	struct world *world = *state;

	arena_free(&world->arena);
	return 0;
}

static void
definitions_are_read(void **state)
{
	struct world *world = *state;
	struct field *hub = field_find(&world->set, "hub");
	struct field_set none;

	assert_int_equal(world->set.count, 6);
	assert_string_equal(hub->label, "Хаб");
	assert_int_equal(hub->type, FIELD_CHOICE);
	assert_string_equal(hub->options[1], "Львів");
	assert_string_equal(hub->options[2], "\"quoted\"");
	assert_null(hub->options[3]);
	assert_null(hub->pattern);
	assert_null(field_find(&world->set, "born")->label);
	assert_null(field_find(&world->set, "Hub"));
	assert_null(field_find(&world->set, ""));
	field_set_read(&none, world->arena, "[]");
	assert_int_equal(none.count, 0);
	assert_null(field_find(&none, "hub"));
}

static void
a_key_is_a_word(void **state)
{
	static const char *const good[] = { "a", "hub", "hub_2", "a_", X10("abcdef") "abc" };
	static const char *const bad[] = { "", "A", "Hub", "2hub", "_hub", "hub-2", "hub 2", "hub.", "хаб", "hub\n", X10("abcdef") "abcd" };

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(field_key_is_valid(good[i]));
	for (size_t i = 0; i < COUNT(bad); i++)
		if (field_key_is_valid(bad[i]))
			fail_msg("\"%s\" was taken", bad[i]);
}

#define THOUSAND X10(X10(X10("ж")))

static void
a_value_is_held_against_its_field(void **state)
{
	static const struct {
		const char *key, *json, *code;	/* code NULL: taken */
	} cases[] = {
		{ "note", "\"x\"", NULL }, { "note", "\"two\\nlines\\tand a tab\"", NULL }, { "note", "\"" THOUSAND "\"", NULL },
		{ "note", "\"" THOUSAND "x\"", "too_long" }, { "note", "\"\"", "invalid" }, { "note", "\" \\n\\t \"", "invalid" },
		{ "note", "\"a\\u0007b\"", "invalid" }, { "note", "\"a\\u007fb\"", "invalid" }, { "note", "5", "wrong_type" },
		{ "note", "true", "wrong_type" }, { "note", "[]", "wrong_type" }, { "note", "{}", "wrong_type" }, { "note", "null", "wrong_type" },
		{ "badge", "\"АБ-1234\"", NULL }, { "badge", "\"АБ-123\"", "invalid" }, { "badge", "\"xАБ-1234\"", "invalid" },
		{ "badge", "\"АБ-1234 \"", "invalid" }, { "badge", "\"AB-1234\"", "invalid" }, { "badge", "1234", "wrong_type" },
		{ "salary", "0", NULL }, { "salary", "-1.5", NULL }, { "salary", "1e17", NULL }, { "salary", "1.25E+3", NULL },
		{ "salary", "1e-17", NULL }, { "salary", "0.001e3", NULL }, { "salary", "-0.12345678901234567", NULL }, { "salary", "1e18", "too_long" },
		{ "salary", "1e300", "too_long" }, { "salary", "-1e-18", "too_long" }, { "salary", "1.5e-17", "too_long" }, { "salary", "0e-300", "too_long" },
		{ "salary", "999999999999999999", NULL },
		{ "salary", "\"5\"", "wrong_type" }, { "salary", "true", "wrong_type" }, { "salary", "null", "wrong_type" }, { "salary", "[1]", "wrong_type" },
		{ "driver", "true", NULL }, { "driver", "false", NULL }, { "driver", "1", "wrong_type" }, { "driver", "\"true\"", "wrong_type" },
		{ "born", "\"1991-08-24\"", NULL }, { "born", "\"2024-02-29\"", NULL }, { "born", "\"2000-02-29\"", NULL }, { "born", "\"0001-01-01\"", NULL },
		{ "born", "\"9999-12-31\"", NULL }, { "born", "\"2023-02-29\"", "invalid" }, { "born", "\"1900-02-29\"", "invalid" },
		{ "born", "\"2026-04-31\"", "invalid" }, { "born", "\"2026-13-01\"", "invalid" }, { "born", "\"2026-00-10\"", "invalid" },
		{ "born", "\"2026-01-00\"", "invalid" }, { "born", "\"0000-01-01\"", "invalid" }, { "born", "\"2026-1-1\"", "invalid" },
		{ "born", "\"24.08.1991\"", "invalid" }, { "born", "\"1991-08-24T00:00:00Z\"", "invalid" }, { "born", "\"1991/08/24\"", "invalid" },
		{ "born", "\"19910-8-24\"", "invalid" }, { "born", "\"+991-08-24\"", "invalid" }, { "born", "\"\"", "invalid" },
		{ "born", "19910824", "wrong_type" },
		{ "hub", "\"Kyiv\"", NULL }, { "hub", "\"Львів\"", NULL }, { "hub", "\"kyiv\"", "invalid" }, { "hub", "\"Kyiv \"", "invalid" },
		{ "hub", "\"\"", "invalid" }, { "hub", "[\"Kyiv\"]", "wrong_type" }, { "hub", "0", "wrong_type" },
	};
	struct world *world = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct field_fault fault = { 0 };
		struct buffer json = BUFFER_INIT;
		const char *reason;

		buffer_printf(&json, "[%s]", cases[i].json);
		struct json_object *list = json_parse(buffer_text(&json), json.length, &reason);
		assert_non_null(list);
		const bool takes = field_takes(field_find(&world->set, cases[i].key), json_object_array_get_idx(list, 0), &fault);
		if (takes != (cases[i].code == NULL) || (!takes && strcmp(fault.code, cases[i].code) != 0))
			fail_msg("%s: %s: %s", cases[i].key, cases[i].json, takes ? "taken" : fault.code);
		if (!takes)
			assert_non_null(fault.detail);
		json_object_put(list);
		buffer_free(&json);
	}
}

static void
a_cell_becomes_the_value_that_people_mean(void **state)
{
	static const struct {
		const char *key, *cell, *json;	/* json NULL: a fault; "": no value */
	} cases[] = {
		{ "note", "  two words ", "\"two words\"" }, { "note", "", "" }, { "note", " \t\r\n", "" }, { "note", "a\x01", NULL },
		{ "badge", " АБ-1234", "\"АБ-1234\"" }, { "badge", "AB", NULL }, { "salary", "12", "12" }, { "salary", " -12.5 ", "-12.5" },
		{ "salary", "1e3", "1e3" }, { "salary", "12,5", NULL }, { "salary", "1 000", NULL }, { "salary", "0x10", NULL }, { "salary", "1e400", NULL }, { "salary", "1e40", NULL },
		{ "salary", "nan", NULL }, { "salary", "inf", NULL }, { "salary", "1,2", NULL }, { "salary", "--1", NULL }, { "salary", "+1", NULL },
		{ "salary", "1234567890123456789012", NULL }, { "salary", "", "" }, { "salary", "e", NULL },
		{ "driver", "YES", "true" }, { "driver", "true", "true" }, { "driver", "1", "true" }, { "driver", " Так ", "true" }, { "driver", "ДА", "true" },
		{ "driver", "no", "false" }, { "driver", "0", "false" }, { "driver", "НІ", "false" }, { "driver", "нет", "false" }, { "driver", "False", "false" },
		{ "driver", "maybe", NULL }, { "driver", "2", NULL }, { "driver", "", "" },
		{ "born", "1991-08-24", "\"1991-08-24\"" }, { "born", "24.08.1991", "\"1991-08-24\"" }, { "born", "31.02.2020", NULL },
		{ "born", "08/24/1991", NULL }, { "born", "24.8.1991", NULL }, { "born", "24.08.19", NULL }, { "born", "", "" },
		{ "hub", " Львів", "\"Львів\"" }, { "hub", "Odesa", NULL }, { "hub", "", "" },
	};
	struct world *world = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct field_fault fault = { 0 };
		struct buffer json = BUFFER_INIT;
		struct json_object *value = field_value_from_text(field_find(&world->set, cases[i].key), cases[i].cell, &fault);

		if (value != NULL)
			json_write_value(&json, value);
		if (strcmp(buffer_text(&json), cases[i].json != NULL ? cases[i].json : "") != 0
			|| (fault.code != NULL) != (cases[i].json == NULL))
			fail_msg("%s: \"%s\" became %s (%s)", cases[i].key, cases[i].cell, buffer_text(&json), fault.code != NULL ? fault.code : "no fault");
		json_object_put(value);
		buffer_free(&json);
	}
}

static void
a_role_requires_what_its_fields_say(void **state)
{
	static const struct {
		const char *role, *attributes, *missing;
	} cases[] = {
		{ ROLE_A, "{}", "badge,hub," }, { ROLE_B, "{}", "hub," }, { NULL, "{}", "" }, { ROLE_A, "{\"badge\": \"x\", \"hub\": \"y\", \"other\": 1}", "" },
		{ ROLE_A, "{\"hub\": \"Kyiv\"}", "badge," }, { ROLE_A, "{\"badge\": null, \"hub\": false}", "badge," },
		{ "01A2013B-450F-709A-BFCD-5C2BA941B014", "{}", "badge,hub," }, { "01a2013b-450f-709a-bfcd-5c2ba941b016", "{}", "" },
	};
	struct world *world = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *reason;
		struct json_object *attributes = json_parse(cases[i].attributes, strlen(cases[i].attributes), &reason);
		struct buffer missing = BUFFER_INIT;
		const struct field *field;
		size_t at = 0;

		while ((field = field_next_missing(&world->set, &at, cases[i].role, attributes)) != NULL)
			buffer_printf(&missing, "%s,", field->key);
		assert_string_equal(buffer_text(&missing), cases[i].missing);
		buffer_free(&missing);
		json_object_put(attributes);
	}
}

/* Many users are held against definitions that are read for all of them. */
static void
definitions_are_read_again_only_where_they_have_become_others(void **state)
{
	struct world *world = *state;
	struct field_definitions known = { .arena = world->arena };
	const struct field_set *set = field_definitions_read(&known, definitions);
	const struct field *first = set->fields;	/* another one once they are read again */
	char again[sizeof(definitions)];

	for (int i = 0; i < 1000; i++) {
		memcpy(again, definitions, sizeof(again));	/* as another result has them */
		set = field_definitions_read(&known, again);
		assert_ptr_equal(set->fields, first);
	}
	assert_int_equal(set->count, 6);
	assert_string_equal(field_find(set, "hub")->key, "hub");
	set = field_definitions_read(&known, "[]");
	assert_ptr_not_equal(set->fields, first);
	assert_null(field_find(set, "hub"));
	set = field_definitions_read(&known, definitions);
	assert_non_null(field_find(set, "hub"));
}

/* The database sorts keys as people read them, and options and roles stand as they were given. */
static void
what_is_looked_for_is_found_in_whatever_order_it_stands(void **state)
{
	static const char json[] =
		"[{\"key\": \"ab\", \"type\": \"choice\", \"options\": [\"z\", \"Б\", \"a\", \"\", \"M\"], \"pattern\": null,"
		"  \"required_for_roles\": [\"" ROLE_B "\", \"" ROLE_A "\"]},"
		" {\"key\": \"a_c\", \"type\": \"text\", \"options\": [], \"pattern\": null, \"required_for_roles\": []},"
		" {\"key\": \"a1\", \"type\": \"text\", \"options\": [], \"pattern\": null, \"required_for_roles\": []}]";
	static const char *const options[] = { "z", "Б", "a", "", "M" }, *const none[] = { "b", "m", "zz", "Бб" };
	struct world *world = *state;
	struct field_fault fault;
	struct field_set set;

	field_set_read(&set, world->arena, json);
	struct field *choice = field_find(&set, "ab");
	assert_ptr_equal(choice, &set.fields[0]);
	assert_ptr_equal(field_find(&set, "a_c"), &set.fields[1]);
	assert_ptr_equal(field_find(&set, "a1"), &set.fields[2]);
	assert_null(field_find(&set, "a"));
	assert_true(field_is_required(choice, ROLE_A));
	assert_true(field_is_required(choice, ROLE_B));
	for (size_t i = 0; i < COUNT(options) + COUNT(none); i++) {
		const bool is_one = i < COUNT(options);
		struct json_object *value = json_object_new_string(is_one ? options[i] : none[i - COUNT(options)]);
		assert_int_equal(field_takes(choice, value, &fault), is_one);
		json_object_put(value);
	}
	assert_string_equal(choice->options[0], "z");	/* forms and files show them as they were given */
}

/* A pattern is checked when it is defined; one that is none all the same lets nothing in. */
static void
a_pattern_that_cannot_be_read_lets_nothing_in(void **state)
{
	struct world *world = *state;
	struct json_object *value = json_object_new_string("x");
	struct field_set set;
	struct field_fault fault;

	field_set_read(&set, world->arena, "[{\"key\": \"k\", \"type\": \"text\", \"options\": [], \"pattern\": \"(\", \"required_for_roles\": []}]");
	assert_false(field_takes(&set.fields[0], value, &fault));
	assert_string_equal(fault.code, "invalid");
	json_object_put(value);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(definitions_are_read, make_world, drop_world),
		cmocka_unit_test(a_key_is_a_word),
		cmocka_unit_test_setup_teardown(a_value_is_held_against_its_field, make_world, drop_world),
		cmocka_unit_test_setup_teardown(a_cell_becomes_the_value_that_people_mean, make_world, drop_world),
		cmocka_unit_test_setup_teardown(a_role_requires_what_its_fields_say, make_world, drop_world),
		cmocka_unit_test_setup_teardown(definitions_are_read_again_only_where_they_have_become_others, make_world, drop_world),
		cmocka_unit_test_setup_teardown(what_is_looked_for_is_found_in_whatever_order_it_stands, make_world, drop_world),
		cmocka_unit_test_setup_teardown(a_pattern_that_cannot_be_read_lets_nothing_in, make_world, drop_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
