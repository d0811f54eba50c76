/*
 * Editing a user: a JSON merge patch of the fields that may be edited.
 *
 * What is personal (common/user_form.h) has its before and after in audit_value, which
 * erasing a person empties. Only what really changes is written and audited; a patch that
 * changes nothing answers the user as he is.
 *
 * An address is more than a field, for links go there. Of a pending user it changes at once,
 * and his links move with it; who has been let in keeps his until the new one is confirmed
 * (server/email_changes.c). So an edit may bring a transition, and both come to pass or neither.
 *
 * An edit that restores what was there before an import is asked all of this but what policies say of
 * changes. What they ask of every user holds for it, too: they were switched on when nobody lacked it.
 */
#include "user_editing.h"

#include <string.h>

#include "text.h"
#include "user_attributes.h"
#include "user_case.h"
#include "user_structure.h"
#include "user_form.h"
#include "user_writing.h"
#include "uuid.h"

static const char *const kinds[] = { "employee", "external", NULL };

const struct body_field user_edit_fields[] = {
	{ "email", BODY_EMAIL, .is_nullable = true, .max = 254 },
	{ "email_pending", BODY_EMAIL, .is_nullable = true, .max = 254 },	/* null withdraws it */
	{ "username", BODY_USERNAME, .is_nullable = true, .max = 64 },
	{ "first_name", BODY_NAME },
	{ "last_name", BODY_NAME },
	{ "phone", BODY_PHONE, .is_nullable = true, .max = 40 },
	{ "external_id", BODY_TEXT, .is_nullable = true },
	{ "kind", BODY_CHOICE, .choices = kinds },
	{ "role_id", BODY_ID, .is_nullable = true },
	{ "own_permissions", BODY_PERMISSIONS },
	{ "department_id", BODY_ID, .is_nullable = true },
	{ "position", BODY_NAME, .is_nullable = true, .may_be_empty = true },
	{ "group_ids", BODY_IDS, .max = GROUPS_OF_USER_MAX },
	{ "locale", BODY_LOCALE, .is_nullable = true },
	{ "attributes", BODY_OBJECT },
	{ "status", BODY_READ_ONLY }, { "role", BODY_READ_ONLY }, { "password", BODY_READ_ONLY },
	USER_READ_ONLY_FIELDS,
	{ 0 },
};

const struct body_field me_edit_fields[] = {
	{ "first_name", BODY_NAME },
	{ "last_name", BODY_NAME },
	{ "phone", BODY_PHONE, .is_nullable = true, .max = 40 },
	{ "locale", BODY_LOCALE, .is_nullable = true },
	{ "email", BODY_READ_ONLY }, { "username", BODY_READ_ONLY }, { "external_id", BODY_READ_ONLY }, { "kind", BODY_READ_ONLY },
	{ "role_id", BODY_READ_ONLY }, { "role", BODY_READ_ONLY }, { "own_permissions", BODY_READ_ONLY },
	{ "department_id", BODY_READ_ONLY }, { "position", BODY_READ_ONLY }, { "group_ids", BODY_READ_ONLY },
	{ "attributes", BODY_READ_ONLY }, { "status", BODY_READ_ONLY }, { "email_pending", BODY_READ_ONLY },
	USER_READ_ONLY_FIELDS,
	{ 0 },
};

struct user_editing {
	struct user_case the;		/* first: user_case(pr) works here too */
	struct buffer patch, changes, personal;	/* jsonb objects in the making */
	const char *new_email;
	struct user_attributes attributes;
	bool email_changes;
	bool email_waits;		/* it changes when the new one is confirmed */
	bool email_is_taken;
	bool has_transition;		/* beside the edit, or alone */
	struct permission_set new_permissions;
	bool permissions_change;
	bool is_gated;			/* an administrator's permissions change: admin_epoch */
};

static void
collect_texts(struct proposal *pr, struct user_editing *edit)
{
	for (const struct user_text *text = user_texts; text->name != NULL; text++) {
		if (!proposal_has(pr, text->name) || (edit->email_waits && strcmp(text->name, "email") == 0))
			continue;
		const char *before = proposal_value(pr, 0, text->name), *wanted = user_text_wanted(pr, text);
		if (text_equals(before, wanted))
			continue;
		json_write_string_member(&edit->patch, text->name, wanted);
		user_text_write_change(text, before, wanted, &edit->changes, &edit->personal);
	}
}

static bool
same_set(const struct permission_set *a, const struct permission_set *b)
{
	return permission_set_contains(a, b) && permission_set_contains(b, a);
}

static void
collect_permissions(struct proposal *pr, struct user_editing *edit)
{
	struct permission_set before = permission_set_parse(pr->scratch, proposal_value(pr, 0, "own_permissions"));
	struct permission_set wanted = user_permissions_wanted(pr);
	struct json_object *list = json_member(pr->body, "own_permissions");

	if (list == NULL || (before.count == wanted.count && same_set(&before, &wanted)))
		return;
	json_write_name(&edit->patch, "own_permissions");
	json_write_value(&edit->patch, list);
	json_write_name(&edit->changes, "own_permissions");
	buffer_putc(&edit->changes, '[');
	buffer_putc(&edit->changes, '[');
	for (size_t i = 0; i < before.count; i++) {
		json_write_separator(&edit->changes);
		json_write_string(&edit->changes, before.words[i]);
	}
	buffer_puts(&edit->changes, "],");
	json_write_value(&edit->changes, list);
	buffer_putc(&edit->changes, ']');
}

/* Role and own words together, as they will be. */
static void
find_new_permissions(struct proposal *pr, struct user_editing *edit)
{
	const bool changes_role = proposal_has(pr, "role_id");
	const char *old_own = proposal_value(pr, 0, "own_permissions");
	struct permission_set own = proposal_has(pr, "own_permissions")
		? user_permissions_wanted(pr)
		: permission_set_parse(pr->scratch, old_own);
	struct permission_set role = permission_set_parse(pr->scratch, proposal_value(pr, 1, "role_permissions"));

	edit->permissions_change = changes_role || proposal_has(pr, "own_permissions");
	if (!changes_role)	/* the role's words are among the effective ones */
		role = edit->the.subject.role_permissions;
	const char **words = arena_take(pr->scratch, sizeof(*words) * (own.count + role.count + 1));
	for (size_t i = 0; i < role.count; i++)
		words[i] = role.words[i];
	for (size_t i = 0; i < own.count; i++)
		words[role.count + i] = own.words[i];
	edit->new_permissions = (struct permission_set){ words, role.count + own.count };
}

/* Whoever had a name to sign in with keeps one. */
static bool
takes_last_login(struct proposal *pr, const struct subject *subject)
{
	const char *email = proposal_has(pr, "email") ? proposal_text(pr, "email") : subject->email;
	const char *username = proposal_has(pr, "username") ? proposal_text(pr, "username") : subject->username;

	return email == NULL && username == NULL && (subject->email != NULL || subject->username != NULL);
}

static void
user_edit_find_faults(struct proposal *pr, struct user_editing *edit)
{
	const struct policy *policy = &edit->the.subject.policy;

	if (form_id(pr, "role_id") != NULL && proposal_value(pr, 1, "role_id") == NULL)
		proposal_fault(pr, "/role_id", "unknown_id", "There is no role with this id.");
	if (policy->role_required && !pr->restores && proposal_has(pr, "role_id") && json_member(pr->body, "role_id") == NULL)
		proposal_fault_by(pr, "role_required", "/role_id", "required", "The policy role_required asks for a role.");
	if (policy->email_required && proposal_has(pr, "email") && json_member(pr->body, "email") == NULL
		&& edit->the.subject.email != NULL)
		proposal_fault_by(pr, "email_required", "/email", "required", "The policy email_required asks for an e-mail address.");
	if (policy->login_identifier == LOGIN_BY_USERNAME && proposal_has(pr, "username")
		&& json_member(pr->body, "username") == NULL)
		proposal_fault_by(pr, "login_identifier", "/username", "required", "The policy login_identifier asks for a username.");
	if (policy->login_identifier == LOGIN_BY_EITHER && !pr->restores && takes_last_login(pr, &edit->the.subject))
		proposal_fault_by(pr, "login_identifier", proposal_has(pr, "username") ? "/username" : "/email", "required",
			"The policy login_identifier asks for a username or an e-mail address.");
	if (proposal_text(pr, "email_pending") != NULL)
		proposal_fault(pr, "/email_pending", "read_only", "Give another address as email; null withdraws it.");
	user_structure_find_faults(pr, policy, proposal_value(pr, 0, "kind"));
}

/* A role that is new to him may ask for more than he has (S2-13). */
static void
check_attributes(struct proposal *pr, struct user_editing *edit)
{
	const char *old_role = proposal_value(pr, 0, "role_id");
	const char *role = proposal_has(pr, "role_id") ? proposal_text(pr, "role_id") : old_role;

	user_attributes_check(pr, &edit->the.subject.policy, &(struct user_attributes_facts){
		.fields = proposal_shared(pr, 1, "fields"), .role_id = role, .role_changes = !text_equals(role, old_role),
		.before = proposal_value(pr, 0, "attributes") },
		&edit->attributes);
}

static bool
user_edit_check(struct proposal *pr)
{
	struct user_editing *edit;

	if (!(pr->is_of_oneself ? user_case_take(pr) : user_case_take_to_change(pr)))
		return false;
	edit = arena_take(pr->scratch, sizeof(*edit));
	edit->the = *user_case_of(pr);
	pr->data = edit;
	if (!pr->is_of_oneself) {	/* of oneself these fields are unknown */
		user_edit_find_faults(pr, edit);
		check_attributes(pr, edit);
	}
	return proposal_answer_faults(pr);
}

static bool
refuse_policy(struct proposal *pr, const char *policy, const char *detail)
{
	return proposal_refuse(pr, PROBLEM_REFUSED_BY_POLICY, policy, detail);
}

static void
look_at_email(struct proposal *pr, struct user_editing *edit)
{
	const struct subject *subject = &edit->the.subject;
	const bool is_pending = subject->state.status == STATUS_PENDING;

	edit->new_email = proposal_has(pr, "email") ? proposal_text(pr, "email") : subject->email;
	edit->email_changes = !text_equals(edit->new_email, subject->email);
	edit->email_waits = edit->email_changes && subject->email != NULL && !is_pending && !pr->restores;
	edit->email_is_taken = proposal_rows(pr, 2) > 0 && strcmp(proposal_value(pr, 2, "id"), subject->id) != 0;
}

/* Who may have which address and name is the policies' to say. */
static bool
user_edit_check_policies(struct proposal *pr)
{
	struct user_editing *edit = pr->data;
	const struct subject *subject = &edit->the.subject;

	look_at_email(pr, edit);
	if (pr->restores)
		return true;
	if (edit->email_changes && subject->email != NULL && subject->policy.email_change == EMAIL_CHANGE_NEVER)
		return refuse_policy(pr, "email_change", "An e-mail address is never changed here.");
	if (edit->email_waits && edit->new_email == NULL)
		return refuse_policy(pr, "email_change", "An e-mail address is replaced by one that is confirmed, and not taken away.");
	if (proposal_has(pr, "username") && subject->username != NULL
		&& !text_equals(proposal_text(pr, "username"), subject->username)
		&& subject->policy.username_change == USERNAME_CHANGE_NEVER)
		return refuse_policy(pr, "username_change", "A username is never changed here.");
	if (!subject->policy.permissions_per_user && user_permissions_wanted(pr).count > 0)
		return refuse_policy(pr, "permissions_per_user", "Permissions come from roles alone here.");
	return true;
}

/* Whoever gives somebody an address decides where his links go: that is as good as
 * sending them, so it takes the same permission. */
static bool
user_edit_check_address(struct proposal *pr)
{
	const struct user_editing *edit = pr->data;

	return edit->email_changes ? proposal_require(pr, "users:invite", "links are mailed to this address") : true;
}

/* Nobody grants what he does not hold; the last administrator stays one. */
static bool
user_edit_check_permissions(struct proposal *pr)
{
	struct user_editing *edit = pr->data;
	const struct user_state *state = &edit->the.subject.state;

	find_new_permissions(pr, edit);
	if (!edit->permissions_change)
		return true;
	if (!proposal_holds(pr, edit->the.subject.policy.default_permissions, &edit->new_permissions))
		return proposal_refuse(pr, PROBLEM_EXCEEDS_YOUR_PERMISSIONS, NULL,
			"You cannot grant permissions that you do not hold.");
	if (state->is_last_administrator && !permission_set_administers(&edit->new_permissions))
		return proposal_refuse(pr, PROBLEM_LAST_ADMINISTRATOR, NULL, NULL);
	/* Also where he stays one through another role: that role may be losing its words. */
	edit->is_gated = state->is_administrator;
	edit->the.takes_administrator = edit->is_gated && !permission_set_administers(&edit->new_permissions);
	return true;
}

static const char *
close_object(struct proposal *pr, struct buffer *object)
{
	buffer_putc(object, '}');
	return proposal_take_text(pr, object);
}

/* Asks for the new address to be confirmed, or wishes that no longer. */
static bool
user_edit_plan_email(struct proposal *pr)
{
	struct user_editing *edit = pr->data;
	struct user_case *the = &edit->the;
	const bool withdraws = proposal_has(pr, "email_pending") && the->subject.state.changes_email;

	if (!edit->email_waits && !withdraws)
		return true;
	the->details = edit->email_waits
		? (struct transition_details){ .action = "user.email_change_requested", .new_email = edit->new_email }
		: (struct transition_details){ .action = "user.email_change_withdrawn" };
	if (!user_case_decide(pr, edit->email_waits ? EVENT_CHANGE_EMAIL : EVENT_KEEP_EMAIL))
		return false;
	if (edit->email_waits && edit->email_is_taken)
		return proposal_refuse(pr, PROBLEM_EMAIL_TAKEN, NULL, NULL);
	edit->has_transition = true;
	return user_case_check_mails(pr);
}

/* Of a pending user: a link that went to the address before moves on to the new one; a
 * first address brings the invitation where the policy says so (S3-13), unless it comes with an
 * import that invites nobody, or was there before. */
static bool
is_invited_anew(const struct proposal *pr, const struct user_editing *edit)
{
	const struct subject *subject = &edit->the.subject;

	if (!edit->email_changes || subject->state.status != STATUS_PENDING)
		return false;
	if (subject->email != NULL)
		return subject->state.invitation == INVITATION_PENDING;
	if ((pr->is_import && !pr->invites) || pr->restores)
		return false;
	return subject->policy.invite_on_email_added && subject->state.invitation != INVITATION_ACCEPTED;
}

/* A pending user had no address before the import: what was mailed to the one that he loses leads
 * nowhere. */
static bool
loses_link(const struct proposal *pr, const struct user_editing *edit)
{
	const struct subject *subject = &edit->the.subject;

	return pr->restores && edit->email_changes && edit->new_email == NULL && subject->state.status == STATUS_PENDING
		&& (subject->state.invitation == INVITATION_PENDING || subject->state.invitation == INVITATION_EXPIRED);
}

static bool
withdraw_link(struct proposal *pr, struct user_editing *edit)
{
	edit->the.details = (struct transition_details){ .action = "user.invitation_withdrawn" };
	edit->has_transition = user_case_decide(pr, EVENT_WITHDRAW_INVITATION);
	return edit->has_transition;
}

/* Without a new address there is nowhere to send the link to, and that is refused. */
static bool
user_edit_plan_link(struct proposal *pr)
{
	struct user_editing *edit = pr->data;
	struct user_case *the = &edit->the;

	if (loses_link(pr, edit))
		return withdraw_link(pr, edit);
	if (!is_invited_anew(pr, edit))
		return true;
	the->subject.state.has_email = edit->new_email != NULL;
	the->details = (struct transition_details){ .action = "user.invited",
		.invited_by = pr->caller.kind == CALLER_USER ? pr->caller.id : NULL,
		.note = the->subject.email != NULL ? "the e-mail address changed" : "an e-mail address was added" };
	if (!user_case_decide(pr, EVENT_INVITE))
		return false;
	edit->has_transition = true;
	return user_case_check_mails(pr);
}

/* Behind an edit, which has moved the version, it comes to pass if the edit did. */
static void
write_transition(struct user_editing *edit, bool is_behind, struct transition_batch *batch)
{
	edit->the.details.guard = is_behind ? "edited" : NULL;
	edit->the.details.ignores_version = is_behind;
	transition_batch_add(batch, &edit->the.subject, &edit->the.transition, &edit->the.details);
}

static void
write_edit(struct buffer *out, const struct subject *subject, const char *patch, const char *changes, const char *personal)
{
	char audit_id[UUID_TEXT_SIZE];

	uuid_make_text(audit_id);
	buffer_printf(out, "%s{\"id\":\"%s\",\"version\":%s,\"audit_id\":\"%s\"", out->length > 0 ? "," : "", subject->id,
		subject->version, audit_id);
	buffer_printf(out, ",\"patch\":%s,\"changes\":%s,\"personal\":%s}", patch, changes, personal);
}

bool
user_edit_write(struct proposal *pr, struct user_writing *writing)
{
	struct user_editing *edit = pr->data;

	buffer_putc(&edit->patch, '{');
	buffer_putc(&edit->changes, '{');
	buffer_putc(&edit->personal, '{');
	collect_texts(pr, edit);
	collect_permissions(pr, edit);
	user_structure_collect(pr, &edit->patch, &edit->changes);
	user_attributes_write(&edit->attributes, &edit->patch);
	user_attributes_write_changes(&edit->attributes, &edit->changes, &edit->personal);
	const char *patch = close_object(pr, &edit->patch);
	const char *changes = close_object(pr, &edit->changes);
	const char *personal = close_object(pr, &edit->personal);
	const bool edits = strcmp(patch, "{}") != 0;
	if (edits)
		write_edit(&writing->edits, &edit->the.subject, patch, changes, personal);
	if (edits && edit->is_gated)
		writing->edits_epoch = edit->the.subject.admin_epoch;
	if (edit->has_transition)
		write_transition(edit, edits, writing->batch);
	return edits || edit->has_transition;
}

bool
user_edit_takes_address(const struct proposal *pr)
{
	const struct user_editing *edit = pr->data;

	return edit->email_changes && !edit->email_waits;
}

proposal_step *const user_edit_decisions[] = {
	user_edit_check, user_edit_check_policies, user_edit_check_address, user_edit_check_permissions,
	user_edit_plan_email, user_edit_plan_link, NULL
};

proposal_step *const me_edit_decisions[] = { user_edit_check, NULL };
