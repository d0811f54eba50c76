/*
 * Fuzzes common/json.c (libFuzzer; `make fuzz-json`): bodies as clients send them.
 *
 * What is accepted is an object or an array, is written again as JSON that is accepted, and
 * says the same then.
 */
#include "fuzz.h"
#include "json.h"

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	const char *reason = NULL;
	struct json_object *value = json_parse((const char *)bytes, length, &reason), *again;
	char *text;

	if (value == NULL) {
		must(reason != NULL && *reason != '\0');
		return 0;
	}
	must(json_object_is_type(value, json_type_object) || json_object_is_type(value, json_type_array));
	text = strdup(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
	must(text != NULL);
	again = json_parse(text, strlen(text), &reason);
	must(again != NULL && json_object_equal(value, again));
	json_object_put(again);
	json_object_put(value);
	free(text);
	return 0;
}
