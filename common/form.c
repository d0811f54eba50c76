/*
 * Checks a JSON object against the fields that it may have, and collects every fault.
 *
 * What a type means is said once, in the table of checks; what somebody takes is said in his
 * list. Values are read later through proposal_text and json_member.
 */
#include "form.h"

#include <string.h>

#include "cidr.h"
#include "password.h"
#include "permission.h"
#include "proposal.h"
#include "text.h"
#include "uuid.h"

#define TEXT_MAX 200
#define PERMISSIONS_MAX 100
#define NETWORKS_MAX 32

const char *
form_pointer(struct proposal *pr, const char *prefix, const char *name)
{
	struct buffer out = BUFFER_INIT;

	buffer_printf(&out, "%s/", prefix);
	for (; *name != '\0'; name++) {
		if (*name == '~')
			buffer_puts(&out, "~0");
		else if (*name == '/')
			buffer_puts(&out, "~1");
		else
			buffer_putc(&out, *name);
	}
	return proposal_take_text(pr, &out);
}

static const struct body_field *
find_field(const struct body_field *fields, const char *name)
{
	for (; fields->name != NULL; fields++) {
		if (strcmp(fields->name, name) == 0)
			return fields;
	}
	return NULL;
}

/* What is wrong with a text of this type; NULL when nothing is. */
static const char *
text_fault(const struct body_field *field, const char *text, const char **code)
{
	char phone[17];
	struct uuid id;

	*code = "invalid";
	switch (field->type) {
	case BODY_NAME:
		return name_is_valid(text) ? NULL : "A name has letters and no control characters.";
	case BODY_EMAIL:
		return email_is_valid(text) ? NULL : "This is not an e-mail address that mail can be sent to.";
	case BODY_USERNAME:
		return username_is_valid(text) ? NULL : "A username has letters, digits, dots, hyphens and underscores; no @.";
	case BODY_PHONE:
		return phone_normalize(text, phone) ? NULL : "A phone number starts with + and the country code.";
	case BODY_LOCALE:
		return locale_is_known(text) ? NULL : "Known languages are en, uk and ru.";
	case BODY_ID:
		*code = "unknown_id";
		return uuid_parse(text, &id) ? NULL : "There is nothing with this id.";
	case BODY_TIME:
		return timestamp_is_valid(text) ? NULL : "A moment is like 2026-11-22T02:33:12Z.";
	case BODY_COLOR:
		return color_is_valid(text) ? NULL : "A colour is like #2f80ed.";
	case BODY_CHOICE:
		for (const char *const *choice = field->choices; *choice != NULL; choice++) {
			if (strcmp(*choice, text) == 0)
				return NULL;
		}
		return "This is not one of the possible values.";
	default:
		return NULL;
	}
}

static void
check_text(struct proposal *pr, const struct body_field *field, const char *pointer, struct json_object *value)
{
	const char *text = json_object_get_string(value);
	const size_t max = field->max != 0 ? (size_t)field->max : TEXT_MAX;
	const char *code, *detail;

	if (field->type == BODY_PASSWORD) {
		if (strlen(text) > PASSWORD_MAX_BYTES)
			proposal_fault(pr, pointer, "too_long", "A password has at most 1024 bytes.");
		else if (*text == '\0')
			proposal_fault(pr, pointer, "required", "A password is needed.");
		return;
	}
	if (*text == '\0' && field->may_be_empty)
		return;
	if (*text == '\0') {
		proposal_fault(pr, pointer, field->is_required ? "required" : "invalid", "The text is empty.");
		return;
	}
	if (utf8_length(text) > max) {
		proposal_fault(pr, pointer, "too_long", arena_printf(pr->scratch, "At most %zu characters.", max));
		return;
	}
	detail = text_fault(field, text, &code);
	if (detail != NULL)
		proposal_fault(pr, pointer, code, detail);
}

static void
check_permissions(struct proposal *pr, const char *at, struct json_object *value)
{
	size_t count = json_object_array_length(value);

	if (count > PERMISSIONS_MAX) {
		proposal_fault(pr, at, "too_long", "At most 100 permissions.");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct json_object *word = json_object_array_get_idx(value, i);
		const char *pointer = arena_printf(pr->scratch, "%s/%zu", at, i);
		if (!json_object_is_type(word, json_type_string))
			proposal_fault(pr, pointer, "wrong_type", "A permission is a text.");
		else if (!permission_is_valid(json_object_get_string(word)))
			proposal_fault(pr, pointer, "invalid", "A permission is a word like users:read.");
	}
}

static void
check_ids(struct proposal *pr, const struct body_field *field, const char *at, struct json_object *value)
{
	const size_t count = json_object_array_length(value), max = field->max != 0 ? (size_t)field->max : TEXT_MAX;
	struct uuid *ids = arena_take(pr->scratch, sizeof(*ids) * (max + 1));

	if (count > max) {
		proposal_fault(pr, at, "too_long", arena_printf(pr->scratch, "At most %zu ids.", max));
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(value, i);
		const char *pointer = arena_printf(pr->scratch, "%s/%zu", at, i);
		if (!json_object_is_type(item, json_type_string)) {
			proposal_fault(pr, pointer, "wrong_type", "An id is a text.");
			continue;
		}
		if (!uuid_parse(json_object_get_string(item), &ids[i])) {
			proposal_fault(pr, pointer, "unknown_id", "There is nothing with this id.");
			continue;
		}
		for (size_t j = 0; j < i; j++) {
			if (uuid_equal(&ids[j], &ids[i])) {
				proposal_fault(pr, pointer, "duplicate_id", "This id stands here twice.");
				break;
			}
		}
	}
}

static void
check_networks(struct proposal *pr, const char *at, struct json_object *value)
{
	const size_t count = json_object_array_length(value);

	if (count == 0)
		proposal_fault(pr, at, "too_short", "With an empty list it could be used from nowhere; null is from anywhere.");
	if (count > NETWORKS_MAX) {
		proposal_fault(pr, at, "too_long", arena_printf(pr->scratch, "At most %d networks.", NETWORKS_MAX));
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(value, i);
		const char *pointer = arena_printf(pr->scratch, "%s/%zu", at, i);
		char *detail = arena_take(pr->scratch, CIDR_FAULT_SIZE);
		if (!json_object_is_type(item, json_type_string))
			proposal_fault(pr, pointer, "wrong_type", "A network is a text.");
		else if (cidr_fault(json_object_get_string(item), detail))
			proposal_fault(pr, pointer, "invalid", detail);
	}
}

/* What JSON calls it, and how to say so. */
static enum json_type
json_type_of(enum body_type type, const char **sentence)
{
	switch (type) {
	case BODY_COUNT:
		*sentence = "This is a whole number.";
		return json_type_int;
	case BODY_BOOL:
		*sentence = "This is true or false.";
		return json_type_boolean;
	case BODY_PERMISSIONS:
	case BODY_IDS:
	case BODY_NETWORKS:
		*sentence = "This is an array of texts.";
		return json_type_array;
	case BODY_LIST:
		*sentence = "This is an array.";
		return json_type_array;
	case BODY_OBJECT:
		*sentence = "This is an object.";
		return json_type_object;
	default:
		*sentence = "This is a text.";
		return json_type_string;
	}
}

static void
check_member(struct proposal *pr, const struct body_field *field, const char *pointer, struct json_object *value)
{
	const char *sentence;
	const enum json_type wanted = json_type_of(field->type, &sentence);

	if (field->type == BODY_READ_ONLY) {
		proposal_fault(pr, pointer, "read_only", "This is set by Rollcall.");
	} else if (value == NULL) {
		if (field->is_required)
			proposal_fault(pr, pointer, "required", "This must not be null.");
		else if (!field->is_nullable)
			proposal_fault(pr, pointer, "wrong_type", "This must not be null.");
	} else if (!json_object_is_type(value, wanted)) {
		proposal_fault(pr, pointer, "wrong_type", sentence);
	} else if (field->type == BODY_COUNT) {
		if (json_object_get_int64(value) < 1)
			proposal_fault(pr, pointer, "invalid", "This is a number of 1 or more.");
	} else if (field->type == BODY_PERMISSIONS) {
		check_permissions(pr, pointer, value);
	} else if (field->type == BODY_IDS) {
		check_ids(pr, field, pointer, value);
	} else if (field->type == BODY_NETWORKS) {
		check_networks(pr, pointer, value);
	} else if (wanted == json_type_string) {
		check_text(pr, field, pointer, value);
	}
}

void
form_check(struct proposal *pr, struct json_object *object, const char *at, const struct body_field *fields)
{
	json_object_object_foreach(object, name, value) {
		/* Enough is enough: more would not be told. */
		if (pr->fault_count == FAULTS_MAX)
			return;
		const struct body_field *field = find_field(fields, name);
		if (field == NULL)
			proposal_fault(pr, form_pointer(pr, at, name), "unknown_field", "There is no such member here.");
		else
			check_member(pr, field, form_pointer(pr, at, name), value);
	}
	for (const struct body_field *field = fields; field->name != NULL; field++) {
		if (field->is_required && !json_object_object_get_ex(object, field->name, NULL))
			proposal_fault(pr, form_pointer(pr, at, field->name), "required", "This is needed.");
	}
}

const char *
form_phone(struct proposal *pr, const char *member)
{
	const char *text = proposal_text(pr, member);
	char *phone = arena_take(pr->scratch, 17);

	return text != NULL && phone_normalize(text, phone) ? phone : NULL;
}

const char *
form_id(struct proposal *pr, const char *member)
{
	const char *text = proposal_text(pr, member);
	struct uuid id;

	return text != NULL && uuid_parse(text, &id) ? text : NULL;
}

const char *
form_ids(struct proposal *pr, const char *member)
{
	struct json_object *list = json_member(pr->body, member);
	const bool is_list = list != NULL && json_object_is_type(list, json_type_array);
	const size_t count = is_list ? json_object_array_length(list) : 0;
	struct buffer out = BUFFER_INIT;
	struct uuid id;

	buffer_putc(&out, '{');
	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		const char *text = json_object_is_type(item, json_type_string) ? json_object_get_string(item) : "";
		if (i > 0)
			buffer_putc(&out, ',');
		buffer_puts(&out, uuid_parse(text, &id) ? text : "NULL");
	}
	buffer_putc(&out, '}');
	return proposal_take_text(pr, &out);
}

static bool
array_has(struct json_object *array, const char *text)
{
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		if (strcmp(json_object_get_string(json_object_array_get_idx(array, i)), text) == 0)
			return true;
	}
	return false;
}

const char *
form_take_networks(struct proposal *pr, const char *member)
{
	struct json_object *list = json_member(pr->body, member);
	struct buffer out = BUFFER_INIT;
	char canonical[CIDR_TEXT_SIZE];

	if (pr->fault_count > 0 || list == NULL)
		return NULL;
	struct json_object *taken = json_object_new_array();
	buffer_putc(&out, '{');
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		if (cidr_parse(json_object_get_string(json_object_array_get_idx(list, i)), canonical) != CIDR_GOOD
			|| array_has(taken, canonical))
			continue;
		buffer_printf(&out, "%s%s", out.length > 1 ? "," : "", canonical);
		json_object_array_add(taken, json_object_new_string(canonical));
	}
	buffer_putc(&out, '}');
	json_object_object_add(pr->body, member, taken);
	return proposal_take_text(pr, &out);
}
