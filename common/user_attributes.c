/*
 * The attributes of a user, merged into those that he has.
 *
 * What is always true: every value that is written was taken by its field (common/field.h)
 * now or when it was written first; one that is sent again as it stands is not asked anew,
 * so that a new pattern refuses nobody who only sends back what he has read, or gets back
 * what he had.
 */
#include "user_attributes.h"

#include <assert.h>
#include <string.h>

#include "form.h"
#include "field.h"

static struct json_object *
parse_before(const struct user_attributes_facts *facts)
{
	const char *text = facts->before != NULL ? facts->before : "{}", *reason;
	struct json_object *before = json_parse(text, strlen(text), &reason);

	assert(before != NULL && "field_takes lets nothing in that cannot be read back");
	return before;
}

static bool
is_number(struct json_object *value)
{
	return json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double);
}

/* 1 and 1.0 are one number: a workbook does not tell them apart. */
static bool
is_same(struct json_object *a, struct json_object *b)
{
	if (is_number(a) && is_number(b) && json_object_get_type(a) != json_object_get_type(b))
		return json_object_get_double(a) == json_object_get_double(b);
	return json_object_equal(a, b);
}

static bool
changes_anything(struct json_object *before, struct json_object *patch)
{
	if (patch == NULL)
		return false;
	json_object_object_foreach(patch, key, value) {
		if (!is_same(json_member(before, key), value))
			return true;
	}
	return false;
}

/* Those that many share were read with their facts. */
static const struct field_set *
fields_of(struct proposal *pr, const char *definitions)
{
	struct field_set *set;

	if (pr->fields != NULL)
		return pr->fields;
	set = arena_take(pr->scratch, sizeof(*set));
	field_set_read(set, pr->scratch, definitions);
	return set;
}

/* A text that was there is taken back, whatever its pattern is now; a choice that is gone is not. */
static bool
takes(const struct proposal *pr, struct field *field, struct json_object *value, struct field_fault *fault)
{
	const bool is_text = field->type == FIELD_TEXT && json_object_is_type(value, json_type_string);

	return (pr->restores && is_text) || field_takes(field, value, fault);
}

/* Each member of the body against its field. */
static void
check_values(struct proposal *pr, const struct field_set *set, struct json_object *before, struct json_object *patch)
{
	json_object_object_foreach(patch, key, value) {
		struct field *field = field_find(set, key);
		struct field_fault fault;

		if (field == NULL)
			proposal_fault(pr, form_pointer(pr, "/attributes", key), "unknown_field", "There is no such field.");
		else if (value != NULL && !is_same(json_member(before, key), value) && !takes(pr, field, value, &fault))
			proposal_fault(pr, form_pointer(pr, "/attributes", key), fault.code, fault.detail);
	}
}

static void
check_required(struct proposal *pr, const struct field_set *set, const char *role_id, struct json_object *after)
{
	const struct field *field;
	size_t at = 0;

	while ((field = field_next_missing(set, &at, role_id, after)) != NULL)
		proposal_fault_by(pr, "required_fields", form_pointer(pr, "/attributes", field->key), "required",
			"The role requires this field.");
}

/* Members "attributes.KEY" of what differs. */
static void
tell_changes(struct proposal *pr, struct json_object *before, struct json_object *after, struct json_object *patch,
	struct user_attributes *attributes)
{
	struct buffer text = BUFFER_INIT, names = BUFFER_INIT, values = BUFFER_INIT;

	json_write_value(&text, after);
	json_object_object_foreach(patch, key, value) {
		const char *name = arena_printf(pr->scratch, "attributes.%s", key);
		struct json_object *was = json_member(before, key);

		if (is_same(was, value))
			continue;
		if (names.length > 0) {
			buffer_putc(&names, ',');
			buffer_putc(&values, ',');
		}
		json_write_string(&names, name);
		buffer_puts(&names, ":[]");
		json_write_string(&values, name);
		buffer_puts(&values, ":[");
		json_write_value(&values, was);
		buffer_putc(&values, ',');
		json_write_value(&values, value);
		buffer_putc(&values, ']');
	}
	attributes->text = proposal_take_text(pr, &text);
	attributes->names = proposal_take_text(pr, &names);
	attributes->values = proposal_take_text(pr, &values);
}

void
user_attributes_check(struct proposal *pr, const struct policy *policy, const struct user_attributes_facts *facts,
	struct user_attributes *attributes)
{
	struct json_object *patch = json_member(pr->body, "attributes");

	*attributes = (struct user_attributes){ 0 };
	if (!json_object_is_type(patch, json_type_object))
		patch = NULL;
	if (patch == NULL && !facts->role_changes)
		return;
	const struct field_set *set = fields_of(pr, facts->fields);
	struct json_object *before = parse_before(facts);
	struct json_object *after = patch != NULL ? json_merge_patch(before, patch) : json_object_get(before);
	const bool changes = changes_anything(before, patch);
	if (patch != NULL)
		check_values(pr, set, before, patch);
	if ((changes || facts->role_changes) && !pr->restores && policy->required_fields == REQUIRED_FIELDS_BLOCK)
		check_required(pr, set, facts->role_id, after);
	if (changes && pr->fault_count == 0)
		tell_changes(pr, before, after, patch, attributes);
	json_object_put(before);
	json_object_put(after);
}

void
user_attributes_write(const struct user_attributes *attributes, struct buffer *out)
{
	if (attributes->text == NULL)
		return;
	json_write_name(out, "attributes");
	buffer_puts(out, attributes->text);
}

void
user_attributes_write_changes(const struct user_attributes *attributes, struct buffer *changes, struct buffer *personal)
{
	if (attributes->text == NULL)
		return;
	json_write_separator(changes);
	buffer_puts(changes, attributes->names);
	json_write_separator(personal);
	buffer_puts(personal, attributes->values);
}
