/*
 * Users: create, get.
 *
 * A new user is one transaction: the bare row, his first transition (which brings
 * status, invitation, mail and audit) and the reading of what came of it. What he may be
 * is lifecycle's to decide; here stand the faults of the body that need the policy or
 * the role to be seen. Editing is user_edit.c's, lists are user_list.c's.
 */
#include "users.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "inline_role.h"
#include "reply.h"
#include "text.h"
#include "user_attributes.h"
#include "user_steps.h"
#include "user_structure.h"
#include "user_writing.h"

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
	{ "id", BODY_READ_ONLY }, { "organization_id", BODY_READ_ONLY }, { "status_reason", BODY_READ_ONLY },
	{ "email_pending", BODY_READ_ONLY },
	{ "permissions", BODY_READ_ONLY }, { "invitation", BODY_READ_ONLY }, { "version", BODY_READ_ONLY },
	{ "created_at", BODY_READ_ONLY }, { "updated_at", BODY_READ_ONLY },
	{ "incomplete", BODY_READ_ONLY },
	{ 0 },
};

struct user_creation {
	struct user_case the;		/* first: user_case(rq) works here too */
	char id[UUID_TEXT_SIZE];
	struct inline_role role;	/* that is made with him; without an id: none */
	struct permission_set role_permissions;
	struct user_attributes attributes;
};

static enum step
user_create_load(struct request *rq)
{
	struct statement statements[2] = {
		{ &query_user_create_load, (const char *const[]){ rq->org_id, body_id(rq, "role_id") } },
	};
	int count = 1;

	count += user_structure_load(rq, NULL, &statements[count]);
	return request_queries(rq, LANE_READ, statements, count);
}

static void
creation_facts(struct request *rq, struct user_creation *creation)
{
	struct user_state *state = &creation->the.subject.state;

	uuid_make_text(creation->id);
	creation->the.subject.id = creation->id;
	creation->the.subject.version = "0";
	state->status = STATUS_NONE;
	state->has_email = request_text(rq, "email") != NULL;
	state->brings_password = request_text(rq, "password") != NULL;
	state->wanted_status = user_status_from_word(request_text(rq, "status"));
	state->wants_invitation = request_has(rq, "invite") ? json_member_bool(rq->body, "invite", false) : -1;
	creation->the.details.action = "user.created";
	creation->the.details.invited_by = rq->caller.kind == CALLER_USER ? rq->caller.id : NULL;
}

static void
user_create_find_faults(struct request *rq, const struct policy *policy)
{
	if (body_id(rq, "role_id") != NULL && request_column(rq, "role_id") == NULL)
		request_fault(rq, "/role_id", "unknown_id", "There is no role with this id.");
	if (policy->role_required && json_member(rq->body, "role_id") == NULL && json_member(rq->body, "role") == NULL)
		request_fault(rq, "/role_id", "required", "The policy role_required asks for a role.");
	inline_role_find_faults(rq);
	if (policy->email_required && json_member(rq->body, "email") == NULL)
		request_fault(rq, "/email", "required", "The policy email_required asks for an e-mail address.");
	if (policy->login_identifier == LOGIN_BY_USERNAME && json_member(rq->body, "username") == NULL)
		request_fault(rq, "/username", "required", "The policy login_identifier asks for a username.");
	user_structure_find_faults(rq, policy, NULL);
	if (policy->login_identifier == LOGIN_BY_EITHER && !policy->email_required
		&& json_member(rq->body, "username") == NULL && json_member(rq->body, "email") == NULL)
		request_fault(rq, "/username", "required",
			"The policy login_identifier asks for a username or an e-mail address.");
	user_check_password(rq, policy, request_text(rq, "email"), request_text(rq, "first_name"),
		request_text(rq, "last_name"));
}

static enum step
user_create_check(struct request *rq)
{
	struct user_creation *creation = arena_take(rq->scratch, sizeof(*creation));

	rq->data = creation;
	policy_from_row(&creation->the.subject.policy, rq->scratch, rq->result, rq->rows[0]);
	creation->role_permissions = permission_set_parse(rq->scratch, request_column(rq, "role_permissions"));
	creation_facts(rq, creation);
	user_create_find_faults(rq, &creation->the.subject.policy);
	user_attributes_check(rq, &creation->the.subject.policy, &(struct user_attributes_facts){
		.fields = request_column(rq, "fields"), .role_id = body_id(rq, "role_id"), .role_changes = true },
		&creation->attributes);
	if (rq->fault_count == 0)
		inline_role_take(rq, &creation->role);
	return request_answer_faults(rq);
}

/* Whose permissions are whose to give, and what the policies say about roles. */
static enum step
user_create_check_permissions(struct request *rq)
{
	const struct user_creation *creation = rq->data;
	const struct policy *policy = &creation->the.subject.policy;
	const struct permission_set own = user_permissions_wanted(rq);

	if (own.count > 0 && !policy->permissions_per_user)
		return request_problem_detail(rq, PROBLEM_REFUSED_BY_POLICY, "permissions_per_user",
			"Permissions come from roles alone here.");
	if (!user_holds(rq, policy->default_permissions, &creation->role_permissions)
		|| !user_holds(rq, policy->default_permissions, &own))
		return request_problem_detail(rq, PROBLEM_EXCEEDS_YOUR_PERMISSIONS, NULL,
			"You cannot grant permissions that you do not hold.");
	return creation->role.id != NULL ? inline_role_check(rq, policy, &creation->role) : STEP_NEXT;
}

static enum step
user_create_decide(struct request *rq)
{
	struct user_creation *creation = rq->data;
	enum step step = STEP_NEXT;

	if (!user_decide(rq, EVENT_CREATE, &step))
		return step;
	step = user_check_mails(rq);
	if (step == STEP_NEXT && creation->the.subject.state.brings_password)
		step = user_require(rq, "users:password", "a password is set");
	return step;
}

static void
write_text_member(struct request *rq, struct buffer *out, const char *name)
{
	if (request_text(rq, name) != NULL)
		json_write_string_member(out, name, request_text(rq, name));
}

/* The new row as jsonb for user_insert. */
static void
write_row(struct request *rq, const struct user_creation *creation, struct buffer *out)
{
	static const char *const texts[] = { "email", "username", "first_name", "last_name", "external_id", "kind",
		"role_id", "locale" };
	const struct policy *policy = &creation->the.subject.policy;
	struct json_object *own = json_member(rq->body, "own_permissions");

	if (out->length > 0)
		buffer_putc(out, ',');
	buffer_putc(out, '{');
	json_write_string_member(out, "id", creation->id);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		write_text_member(rq, out, texts[i]);
	if (body_phone(rq, "phone") != NULL)
		json_write_string_member(out, "phone", body_phone(rq, "phone"));
	if (creation->role.id != NULL)
		json_write_string_member(out, "role_id", creation->role.id);
	json_write_name(out, "own_permissions");
	if (own != NULL)
		json_write_value(out, own);
	else
		policy_write_value(out, policy_column_find("default_permissions"), policy->default_permissions);
	user_structure_write_row(rq, out);
	user_attributes_write(&creation->attributes, out);
	buffer_putc(out, '}');
}

bool
user_create_makes_role(struct request *rq)
{
	const struct user_creation *creation = rq->data;

	return creation->role.id != NULL;
}

void
user_create_write(struct request *rq, struct user_writing *writing)
{
	struct user_creation *creation = rq->data;

	if (request_text(rq, "password") != NULL)
		creation->the.details.password_hash = rq->hash->hash;
	transition_batch_add(writing->batch, &creation->the.subject, &creation->the.transition, &creation->the.details);
	user_structure_make_position(rq, &writing->positions);
	if (creation->role.id != NULL) {
		assert(writing->role_count < WRITING_ROLES_MAX);
		writing->roles[writing->role_count++] = inline_role_create(rq, &creation->role);
	}
	write_row(rq, creation, &writing->rows);
}

static enum step
user_create_record(struct request *rq)
{
	struct statement statements[WRITING_STATEMENTS_MAX + 1];
	struct user_writing writing;

	user_writing_open(&writing, rq);
	user_create_write(rq, &writing);
	int count = user_writing_take(&writing, rq, statements);
	statements[count++] = user_view(rq, user_case(rq)->subject.id);
	return request_queries(rq, LANE_WRITE, statements, count);
}

static enum step
user_create_reply(struct request *rq)
{
	request_header(rq, "Location", arena_printf(rq->scratch, "/v1/users/%s", user_case(rq)->subject.id));
	return reply_created(rq);
}

request_step *const user_create_decisions[] = {
	user_create_check, user_create_check_permissions, user_create_decide, NULL
};

request_step *const user_create_steps[] = {
	user_create_load, user_create_check, user_create_check_permissions, user_create_decide, user_hash_password,
	user_create_record, user_create_reply, NULL
};

static enum step
user_get(struct request *rq)
{
	const struct statement view = user_view(rq, rq->path_values[0]);

	return request_queries(rq, LANE_READ, &view, 1);
}

request_step *const user_get_steps[] = { user_get, reply_ok, NULL };
