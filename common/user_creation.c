/*
 * Making a user: what may stand in his body, what is decided, and what is written.
 *
 * What he may be is lifecycle's to decide; here stand the faults of the body that need the
 * policy or the role to be seen.
 */
#include "user_creation.h"

#include <string.h>

#include "role_making.h"
#include "queries.h"
#include "text.h"
#include "user_attributes.h"
#include "user_case.h"
#include "user_structure.h"
#include "user_form.h"
#include "user_writing.h"
#include "uuid.h"

static const char *const kinds[] = { "employee", "external", NULL };
static const char *const wanted_statuses[] = { "pending", "active", "inactive", NULL };

const struct body_field user_create_fields[] = {
	{ "email", BODY_EMAIL, .is_nullable = true, .max = 254 },
	{ "username", BODY_USERNAME, .is_nullable = true, .max = 64 },
	{ "first_name", BODY_NAME, .is_required = true },
	{ "last_name", BODY_NAME, .is_required = true },
	{ "phone", BODY_PHONE, .is_nullable = true, .max = 40 },
	{ "external_id", BODY_TEXT, .is_nullable = true },
	{ "kind", BODY_CHOICE, .choices = kinds },
	{ "role_id", BODY_ID, .is_nullable = true },
	{ "role", BODY_OBJECT, .is_nullable = true },
	{ "own_permissions", BODY_PERMISSIONS },
	{ "department_id", BODY_ID, .is_nullable = true },
	{ "position", BODY_NAME, .is_nullable = true, .may_be_empty = true },
	{ "group_ids", BODY_IDS, .max = GROUPS_OF_USER_MAX },
	{ "locale", BODY_LOCALE, .is_nullable = true },
	{ "attributes", BODY_OBJECT },
	{ "status", BODY_CHOICE, .choices = wanted_statuses },
	{ "password", BODY_PASSWORD },
	{ "invite", BODY_BOOL },
	{ "email_pending", BODY_READ_ONLY },
	USER_READ_ONLY_FIELDS,
	{ 0 },
};

struct user_creation {
	struct user_case the;		/* first: user_case(pr) works here too */
	char id[UUID_TEXT_SIZE];
	struct inline_role role;	/* that is made with him; without an id: none */
	struct permission_set role_permissions;
	struct user_attributes attributes;
};

static void
creation_facts(struct proposal *pr, struct user_creation *creation)
{
	struct user_state *state = &creation->the.subject.state;

	uuid_make_text(creation->id);
	creation->the.subject.id = creation->id;
	creation->the.subject.version = "0";
	state->status = STATUS_NONE;
	state->has_email = proposal_text(pr, "email") != NULL;
	state->brings_password = proposal_brings_password(pr);
	state->wanted_status = user_status_from_word(proposal_text(pr, "status"));
	state->wants_invitation = proposal_has(pr, "invite") ? json_member_bool(pr->body, "invite", false) : -1;
	creation->the.details.action = "user.created";
	creation->the.details.invited_by = pr->caller.kind == CALLER_USER ? pr->caller.id : NULL;
}

static void
user_create_find_faults(struct proposal *pr, const struct policy *policy)
{
	if (form_id(pr, "role_id") != NULL && proposal_column(pr, "role_id") == NULL)
		proposal_fault(pr, "/role_id", "unknown_id", "There is no role with this id.");
	if (policy->role_required && json_member(pr->body, "role_id") == NULL && json_member(pr->body, "role") == NULL)
		proposal_fault_by(pr, "role_required", "/role_id", "required", "The policy role_required asks for a role.");
	inline_role_find_faults(pr);
	if (policy->email_required && json_member(pr->body, "email") == NULL)
		proposal_fault_by(pr, "email_required", "/email", "required", "The policy email_required asks for an e-mail address.");
	if (policy->login_identifier == LOGIN_BY_USERNAME && json_member(pr->body, "username") == NULL)
		proposal_fault_by(pr, "login_identifier", "/username", "required", "The policy login_identifier asks for a username.");
	user_structure_find_faults(pr, policy, NULL);
	if (policy->login_identifier == LOGIN_BY_EITHER && !policy->email_required
		&& json_member(pr->body, "username") == NULL && json_member(pr->body, "email") == NULL)
		proposal_fault_by(pr, "login_identifier", "/username", "required",
			"The policy login_identifier asks for a username or an e-mail address.");
	user_case_check_password(pr, policy, proposal_text(pr, "email"), proposal_text(pr, "first_name"),
		proposal_text(pr, "last_name"));
}

/* An import invites all whom a link can reach, or nobody; and whoever has no hash of a
 * password sets one later, as if none had been asked for. */
static void
follow_import(const struct proposal *pr, struct policy *policy)
{
	policy->invite_on_create = pr->invites ? INVITE_ALWAYS : INVITE_NEVER;
	policy->password_at_create = PASSWORD_OPTIONAL;
}

static bool
user_create_check(struct proposal *pr)
{
	struct user_creation *creation = arena_take(pr->scratch, sizeof(*creation));

	pr->data = creation;
	policy_from_row(&creation->the.subject.policy, pr->scratch, pr->result, 0);
	if (pr->is_import)
		follow_import(pr, &creation->the.subject.policy);
	creation->role_permissions = permission_set_parse(pr->scratch, proposal_column(pr, "role_permissions"));
	creation_facts(pr, creation);
	user_create_find_faults(pr, &creation->the.subject.policy);
	user_attributes_check(pr, &creation->the.subject.policy, &(struct user_attributes_facts){
		.fields = proposal_shared(pr, 0, "fields"), .role_id = form_id(pr, "role_id"), .role_changes = true },
		&creation->attributes);
	if (pr->fault_count == 0)
		inline_role_take(pr, &creation->role);
	return proposal_answer_faults(pr);
}

/* Whose permissions are whose to give, and what the policies say about roles. */
static bool
user_create_check_permissions(struct proposal *pr)
{
	const struct user_creation *creation = pr->data;
	const struct policy *policy = &creation->the.subject.policy;
	const struct permission_set own = user_permissions_wanted(pr);

	if (own.count > 0 && !policy->permissions_per_user)
		return proposal_refuse(pr, PROBLEM_REFUSED_BY_POLICY, "permissions_per_user",
			"Permissions come from roles alone here.");
	if (!proposal_holds(pr, policy->default_permissions, &creation->role_permissions)
		|| !proposal_holds(pr, policy->default_permissions, &own))
		return proposal_refuse(pr, PROBLEM_EXCEEDS_YOUR_PERMISSIONS, NULL,
			"You cannot grant permissions that you do not hold.");
	return creation->role.id != NULL ? inline_role_check(pr, policy, &creation->role) : true;
}

static bool
user_create_decide(struct proposal *pr)
{
	struct user_creation *creation = pr->data;
	if (!user_case_decide(pr, EVENT_CREATE) || !user_case_check_mails(pr))
		return false;
	return !creation->the.subject.state.brings_password || proposal_require(pr, "users:password", "a password is set");
}

/* The role that is made with him is his; and everybody is of some kind. */
static const char *
text_of_new(struct proposal *pr, const struct user_creation *creation, const struct user_text *text)
{
	const char *wanted = user_text_wanted(pr, text);

	if (creation->role.id != NULL && strcmp(text->name, "role_id") == 0)
		return creation->role.id;
	return wanted == NULL && strcmp(text->name, "kind") == 0 ? kinds[0] : wanted;
}

static void
write_texts(struct proposal *pr, const struct user_creation *creation, struct buffer *row, struct buffer *changes,
	struct buffer *personal)
{
	for (const struct user_text *text = user_texts; text->name != NULL; text++) {
		const char *value = text_of_new(pr, creation, text);
		if (value == NULL)
			continue;
		json_write_string_member(row, text->name, value);
		if (!pr->is_import || !text->is_personal)
			user_text_write_change(text, NULL, value, changes, personal);
	}
}

/* His own permissions: those that the body grants him, or those that everybody has here. */
static void
write_permissions(struct proposal *pr, const struct policy *policy, struct buffer *row, struct buffer *changes)
{
	struct json_object *wanted = json_member(pr->body, "own_permissions");
	struct buffer own = BUFFER_INIT;

	if (wanted != NULL)
		json_write_value(&own, wanted);
	else
		policy_write_value(&own, policy_column_find("default_permissions"), policy->default_permissions);
	json_write_name(row, "own_permissions");
	buffer_puts(row, buffer_text(&own));
	if (strcmp(buffer_text(&own), "[]") != 0) {
		json_write_name(changes, "own_permissions");
		buffer_printf(changes, "[null,%s]", buffer_text(&own));
	}
	buffer_free(&own);
}

/* The new row as jsonb for user_insert, and what the audit tells of it. Of who comes with an
 * import it tells what he may do and where he belongs: who he is the import itself says, and
 * a hundred thousand names need not be written twice. */
static void
write_row(struct proposal *pr, struct user_creation *creation, struct buffer *out)
{
	struct buffer changes = BUFFER_INIT, personal = BUFFER_INIT;

	if (out->length > 0)
		buffer_putc(out, ',');
	buffer_putc(out, '{');
	json_write_string_member(out, "id", creation->id);
	write_texts(pr, creation, out, &changes, &personal);
	if (creation->the.details.is_new) {
		json_write_string_member(out, "status", user_status_word(creation->the.transition.status));
		json_write_string_member(out, "status_reason", status_reason_word(creation->the.transition.reason));
		json_write_int_member(out, "version", 1);
	}
	write_permissions(pr, &creation->the.subject.policy, out, &changes);
	user_structure_write_row(pr, out, &changes);
	user_attributes_write(&creation->attributes, out);
	if (!pr->is_import)
		user_attributes_write_changes(&creation->attributes, &changes, &personal);
	buffer_putc(out, '}');
	creation->the.details.begins_with = proposal_take_text(pr, &changes);
	if (personal.length > 0)
		creation->the.details.begins_with_personal = proposal_take_text(pr, &personal);
}

void
user_create_write(struct proposal *pr, struct user_writing *writing)
{
	struct user_creation *creation = pr->data;

	creation->the.details.password_hash = pr->password_hash;
	/* The idle clock of who is let in begins with his transition. */
	creation->the.details.is_new = !creation->the.transition.restarts_idle_clock;
	user_structure_make_position(pr, &writing->positions);
	inline_role_write(pr, &creation->role, &writing->roles);
	write_row(pr, creation, &writing->rows);
	transition_batch_add(writing->batch, &creation->the.subject, &creation->the.transition, &creation->the.details);
}

proposal_step *const user_create_decisions[] = {
	user_create_check, user_create_check_permissions, user_create_decide, NULL
};
