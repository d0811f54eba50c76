/*
 * Making a role, by itself or together with the first user who has it (S3-08): the same
 * fields and rules.
 *
 * What is always true: a role that is made with a user stands before him in the same
 * transaction, so neither is there without the other.
 */
#include "role_making.h"

#include <string.h>

#include "changes.h"
#include "policy.h"
#include "uuid.h"

const struct body_field role_create_fields[] = {
	{ "name", BODY_NAME, .is_required = true },
	{ "permissions", BODY_PERMISSIONS, .is_required = true },
	{ "color", BODY_COLOR, .is_nullable = true },
	{ 0 },
};

static int
compare_words(const void *a, const void *b)
{
	struct json_object *const *left = a, *const *right = b;

	return strcmp(json_object_get_string(*left), json_object_get_string(*right));
}

struct permission_set
role_take_permissions(struct proposal *pr, struct json_object *body)
{
	struct json_object *list = json_member(body, "permissions");
	struct permission_set set = { NULL, 0 };

	if (list == NULL)
		return set;
	json_object_array_sort(list, compare_words);
	const char **words = arena_take(pr->scratch, sizeof(*words) * (json_object_array_length(list) + 1));
	for (size_t i = 0; i < json_object_array_length(list);) {
		const char *word = json_object_get_string(json_object_array_get_idx(list, i));
		if (set.count > 0 && strcmp(words[set.count - 1], word) == 0) {
			json_object_array_del_idx(list, i, 1);
			continue;
		}
		words[set.count++] = word;
		i++;
	}
	set.words = words;
	return set;
}

bool
role_check_making(struct proposal *pr, bool custom_roles, const struct permission_set *permissions)
{
	if (!custom_roles)
		return proposal_refuse(pr, PROBLEM_REFUSED_BY_POLICY, "custom_roles",
			"The roles of this organization are fixed.");
	if (!permission_set_contains(&pr->caller.permissions, permissions))
		return proposal_refuse(pr, PROBLEM_EXCEEDS_YOUR_PERMISSIONS, NULL,
			"You cannot grant permissions that you do not hold.");
	return true;
}

void
inline_role_find_faults(struct proposal *pr)
{
	struct json_object *body = json_member(pr->body, "role");

	if (!json_object_is_type(body, json_type_object))
		return;
	form_check(pr, body, "/role", role_create_fields);
	if (json_member(pr->body, "role_id") != NULL)
		proposal_fault(pr, "/role", "invalid", "Give role_id or role, not both.");
}

void
inline_role_take(struct proposal *pr, struct inline_role *role)
{
	role->body = json_member(pr->body, "role");
	if (role->body == NULL)
		return;
	role->id = proposal_new_id(pr);
	role->permissions = role_take_permissions(pr, role->body);
}

const char *
inline_role_name(const struct proposal *pr)
{
	struct json_object *body = json_member(pr->body, "role");

	return json_object_is_type(body, json_type_object) ? json_member_string(body, "name") : NULL;
}

void
inline_role_write(struct proposal *pr, const struct inline_role *role, struct buffer *out)
{
	char audit_id[UUID_TEXT_SIZE];

	if (role->id == NULL)
		return;
	uuid_make_text(audit_id);
	buffer_printf(out, "%s{\"id\":\"%s\",\"audit_id\":\"%s\"", out->length > 0 ? "," : "", role->id, audit_id);
	buffer_printf(out, ",\"body\":%s,\"changes\":%s}", changes_json(pr->scratch, role->body),
		changes_of(pr->scratch, NULL, role->body));
}

bool
inline_role_check(struct proposal *pr, const struct policy *policy, const struct inline_role *role)
{
	return proposal_require(pr, "roles:write", "a role is made")
		&& role_check_making(pr, policy->custom_roles, &role->permissions);
}
