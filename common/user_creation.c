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

static void
write_text_member(struct proposal *pr, struct buffer *out, const char *name)
{
	if (proposal_text(pr, name) != NULL)
		json_write_string_member(out, name, proposal_text(pr, name));
}

/* The new row as jsonb for user_insert. */
static void
write_row(struct proposal *pr, const struct user_creation *creation, struct buffer *out)
{
	static const char *const texts[] = { "email", "username", "first_name", "last_name", "external_id", "kind",
		"role_id", "locale" };
	const struct policy *policy = &creation->the.subject.policy;
	struct json_object *own = json_member(pr->body, "own_permissions");

	if (out->length > 0)
		buffer_putc(out, ',');
	buffer_putc(out, '{');
	json_write_string_member(out, "id", creation->id);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		write_text_member(pr, out, texts[i]);
	if (form_phone(pr, "phone") != NULL)
		json_write_string_member(out, "phone", form_phone(pr, "phone"));
	if (creation->role.id != NULL)
		json_write_string_member(out, "role_id", creation->role.id);
	if (creation->the.details.is_new) {
		json_write_string_member(out, "status", user_status_word(creation->the.transition.status));
		json_write_string_member(out, "status_reason", status_reason_word(creation->the.transition.reason));
		json_write_int_member(out, "version", 1);
	}
	json_write_name(out, "own_permissions");
	if (own != NULL)
		json_write_value(out, own);
	else
		policy_write_value(out, policy_column_find("default_permissions"), policy->default_permissions);
	user_structure_write_row(pr, out);
	user_attributes_write(&creation->attributes, out);
	buffer_putc(out, '}');
}

void
user_create_write(struct proposal *pr, struct user_writing *writing)
{
	struct user_creation *creation = pr->data;

	creation->the.details.password_hash = pr->password_hash;
	/* The idle clock of who is let in begins with his transition. */
	creation->the.details.is_new = !creation->the.transition.restarts_idle_clock;
	transition_batch_add(writing->batch, &creation->the.subject, &creation->the.transition, &creation->the.details);
	user_structure_make_position(pr, &writing->positions);
	inline_role_write(pr, &creation->role, &writing->roles);
	write_row(pr, creation, &writing->rows);
}

proposal_step *const user_create_decisions[] = {
	user_create_check, user_create_check_permissions, user_create_decide, NULL
};
