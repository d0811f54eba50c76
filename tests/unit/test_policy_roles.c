/* policy_roles: each preset's roles are whole, and written as the statements read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <string.h>

#include "json.h"
#include "policy.h"
#include "policy_roles.h"
#include "text.h"

static struct json_object *
parse(const char *text)
{
	const char *reason = NULL;
	struct json_object *value = json_parse(text, strlen(text), &reason);

	assert_non_null(value);
	return value;
}

static void
every_preset_has_roles_of_which_the_first_alone_holds_everything(void **state)
{
	(void)state;
	for (const struct policy_preset *preset = policy_presets; preset->name != NULL; preset++) {
		const struct preset_role *roles = policy_preset_roles(preset->name);

		assert_non_null(roles);
		assert_string_equal(roles[0].permissions, "[\"*\"]");
		for (const struct preset_role *role = roles; role->name != NULL; role++) {
			struct json_object *words = parse(role->permissions);

			assert_true(name_is_valid(role->name));
			assert_true(role->color == NULL || color_is_valid(role->color));
			assert_true(role == roles || strcmp(role->permissions, "[\"*\"]") != 0);
			for (size_t i = 0; i < json_object_array_length(words); i++) {
				const char *word = json_object_get_string(json_object_array_get_idx(words, i));
				assert_true(permission_is_valid(word));
				/* As the routes write a set. */
				assert_true(i == 0 || strcmp(json_object_get_string(json_object_array_get_idx(words, i - 1)), word) < 0);
			}
			json_object_put(words);
		}
	}
	assert_null(policy_preset_roles("acme"));
	assert_null(policy_preset_fields("acme"));
}

static void
fields_are_required_for_roles_of_the_same_preset(void **state)
{
	int count = 0;

	(void)state;
	for (const struct policy_preset *preset = policy_presets; preset->name != NULL; preset++) {
		for (const struct preset_field *field = policy_preset_fields(preset->name); field->key != NULL; field++, count++) {
			struct json_object *names = parse(field->roles), *labels = parse(field->labels);

			assert_non_null(json_member_string(labels, "en"));
			for (size_t i = 0; i < json_object_array_length(names); i++) {
				const struct preset_role *role = policy_preset_roles(preset->name);
				while (role->name != NULL && strcmp(role->name, json_object_get_string(json_object_array_get_idx(names, i))) != 0)
					role++;
				assert_non_null(role->name);
			}
			json_object_put(names);
			json_object_put(labels);
		}
	}
	assert_int_equal(count, 1);	/* S2-04: Urbantz's hub */
}

static void
rows_have_ids_of_their_own_and_the_first_role_the_one_that_it_is_given(void **state)
{
	static const char *const founder_role = "01900000-0000-7000-8000-000000000001";
	struct buffer out = BUFFER_INIT;
	struct json_object *rows;

	(void)state;
	policy_write_preset_roles(&out, "wetrack", founder_role);
	rows = parse(buffer_text(&out));
	assert_int_equal(json_object_array_length(rows), 4);	/* S4-12 */
	for (size_t i = 0; i < 4; i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		assert_int_equal(strcmp(json_member_string(row, "id"), founder_role) == 0, i == 0);
		assert_string_not_equal(json_member_string(row, "id"), json_member_string(row, "audit_id"));
		assert_true(json_object_is_type(json_member(row, "permissions"), json_type_array));
	}
	json_object_put(rows);
	buffer_clear(&out);
	policy_write_preset_fields(&out, "default");
	assert_string_equal(buffer_text(&out), "[]");
	buffer_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_preset_has_roles_of_which_the_first_alone_holds_everything),
		cmocka_unit_test(fields_are_required_for_roles_of_the_same_preset),
		cmocka_unit_test(rows_have_ids_of_their_own_and_the_first_role_the_one_that_it_is_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
