/*
 * policy: see policy.h.
 *
 * The table of columns is the one place where a policy is registered: name, type, bounds
 * and default are the same as in table rollcall.policy (a test compares with the
 * migration). Everything below it is generic: no function knows a column by name, but
 * the one about contradictions. What a JSON value of each type must be is policy_values.c's;
 * the presets are in policy_presets.c.
 */
#include "policy.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "memory.h"

/* Choices are stored as the position of their word. */
_Static_assert(sizeof(enum email_change) == sizeof(int), "an enum is read as an int");

#define COLUMN(type_, member_, initial_, meaning_) \
	.name = #member_, .type = type_, .offset = offsetof(struct policy, member_), \
	.initial = initial_, .meaning = meaning_
#define BOOL(member_, initial_, meaning_) \
	{ COLUMN(POLICY_BOOL, member_, initial_, meaning_), .expects = "must be true or false" }
#define CHOICE(member_, initial_, meaning_, ...) \
	{ COLUMN(POLICY_CHOICE, member_, initial_, meaning_), .expects = "must be one of " #__VA_ARGS__, \
	  .choices = (const char *const[]){ __VA_ARGS__, NULL } }
#define INT(member_, initial_, min_, max_, meaning_) \
	{ COLUMN(POLICY_INT, member_, initial_, meaning_), .min = min_, .max = max_, \
	  .expects = "must be a whole number from " #min_ " to " #max_ }
#define DURATION(member_, initial_, min_, max_, meaning_) \
	{ COLUMN(POLICY_DURATION, member_, initial_, meaning_), .min_duration = min_, .max_duration = max_, \
	  .expects = "must be an ISO 8601 duration from " min_ " to " max_ }
#define DURATION_OR_NULL(member_, initial_, min_, max_, meaning_) \
	{ COLUMN(POLICY_DURATION, member_, initial_, meaning_), .min_duration = min_, .max_duration = max_, \
	  .nullable = true, .expects = "must be an ISO 8601 duration from " min_ " to " max_ ", or null" }
#define WORDS(member_, initial_, meaning_) \
	{ COLUMN(POLICY_WORDS, member_, initial_, meaning_), \
	  .expects = "must be a list of at most 100 different permissions like users:read" }
#define CHOICES(member_, initial_, meaning_, ...) \
	{ COLUMN(POLICY_WORDS, member_, initial_, meaning_), .expects = "must be a list of one or more of " #__VA_ARGS__, \
	  .choices = (const char *const[]){ __VA_ARGS__, NULL } }
#define LABELS(member_, initial_, meaning_) \
	{ COLUMN(POLICY_LABELS, member_, initial_, meaning_), \
	  .expects = "must be an object of words of 1 to 60 characters, by language (en, uk, ru) and status: pending, active, inactive_by_admin, inactive_idle or locked" }
#define INT_LIST(member_, initial_, min_, max_, meaning_) \
	{ COLUMN(POLICY_INT_LIST, member_, initial_, meaning_), .min = min_, .max = max_, \
	  .expects = "must be a list of at most 10 different whole numbers from " #min_ " to " #max_ }

#define DEFAULT_LABELS \
	"{\"en\": {\"pending\": \"Pending\", \"active\": \"Active\", \"inactive_by_admin\": \"Inactive\", " \
	"\"inactive_idle\": \"Inactive\", \"locked\": \"Locked\"}, " \
	"\"uk\": {\"pending\": \"Очікує\", \"active\": \"Активний\", \"inactive_by_admin\": \"Неактивний\", " \
	"\"inactive_idle\": \"Неактивний\", \"locked\": \"Заблокований\"}, " \
	"\"ru\": {\"pending\": \"В ожидании\", \"active\": \"Активный\", \"inactive_by_admin\": \"Неактивный\", " \
	"\"inactive_idle\": \"Неактивный\", \"locked\": \"Заблокирован\"}}"

/* clang-format off */
const struct policy_column policy_columns[] = {
	BOOL(email_required, "true", "Every user needs an e-mail address."),
	CHOICE(email_change, "while_pending", "When a user's e-mail address may be changed.",
		"while_pending", "never", "admin"),
	CHOICE(login_identifier, "email", "What users sign in with.",
		"email", "username", "either"),
	CHOICE(username_change, "never", "Who may change a username once it is set.",
		"never", "admin"),
	CHOICE(invite_on_create, "always", "Whether creating a user sends the invitation: always, when asked for, never.",
		"always", "ask", "never"),
	BOOL(invite_on_email_added, "true", "A pending user who is given an e-mail address later is invited then."),
	CHOICE(invitation_letter, "set_password_link", "What an invitation carries: a link to set a password, or where to sign in and with which login.",
		"set_password_link", "login_info"),
	DURATION(invitation_ttl, "PT24H", "PT1H", "P30D", "How long an invitation link lives."),
	DURATION(password_reset_ttl, "PT1H", "PT5M", "P7D", "How long a password-reset link lives."),
	DURATION(email_change_ttl, "PT24H", "PT5M", "P30D", "How long the link lives that confirms a new e-mail address."),
	CHOICE(invitation_on_expiry, "mail_admin_new_link", "What happens when an invitation link expires unused.",
		"mail_admin_new_link", "mail_admin_notice", "resend_to_user", "nothing"),
	CHOICE(invitation_expiry_recipient, "inviter", "Which administrators are told that an invitation expired.",
		"inviter", "all_admins"),
	INT(invitation_max_renewals, "3", 0, 30, "How many times in a row an expired invitation is renewed by itself."),
	CHOICE(invitation_resend_to, "pending", "To whom an invitation can be sent again: pending users, or active ones too.",
		"pending", "any"),
	CHOICE(initial_status, "pending", "Whether new users start as pending, or as whoever creates them chooses.",
		"pending", "chosen_by_admin"),
	CHOICE(activation_on, "password_set", "What makes a pending user active: his own password, or the first login with it.",
		"password_set", "first_login"),
	BOOL(admin_password_activates, "true", "A password set by an administrator makes a pending user active."),
	BOOL(admin_activates_pending, "true", "Administrators may make a pending user active by hand."),
	CHOICE(password_at_create, "optional", "Whether a password may, must or must not be given when a user is created.",
		"optional", "required", "forbidden"),
	BOOL(role_required, "false", "Every user needs a role."),
	WORDS(default_permissions, "{}", "The permissions that a new user starts with, beside his role's."),
	BOOL(custom_roles, "true", "Administrators may make, change and delete roles."),
	BOOL(permissions_per_user, "true", "A user may hold permissions of his own on top of his role's."),
	CHOICE(required_fields, "block", "Whether a missing required field refuses the change, or marks the user as incomplete.",
		"block", "mark_incomplete"),
	CHOICE(deletion, "forbidden", "Whether users may be deleted, and what stays: a nameless row, or nothing.",
		"forbidden", "anonymise", "erase"),
	CHOICE(deletion_confirmation, "typed_number", "Whether a deletion must be confirmed by the number that it showed.",
		"typed_number", "none"),
	CHOICE(deletion_references, "detach", "Whether a deletion takes the user out of his assignments, or is refused while he has any.",
		"detach", "refuse"),
	LABELS(status_labels, DEFAULT_LABELS, "What each status is called, in the languages of those who read it."),
	CHOICE(blocked_position, "in_place", "Where a list by name shows inactive and locked users.",
		"in_place", "bottom"),
	CHOICE(assignments_on_inactivate, "keep", "Whether a user who is inactivated keeps his assignments.",
		"keep", "detach"),
	CHOICE(reactivation_password, "keep", "Whether a user who is made active again keeps the password or has to reset it.",
		"keep", "must_reset"),
	INT(lockout_threshold, "10", 0, 100, "How many wrong passwords in a row lock a user; 0 locks nobody."),
	CHOICE(lockout_release, "admin", "What ends a lock, beside an administrator: nothing, time, a link in the mail about it.",
		"admin", "interval", "mail_link"),
	DURATION(lockout_interval, "PT15M", "PT1M", "P30D", "How long a lock lasts that time ends."),
	DURATION_OR_NULL(idle_after, "P3M", "P1D", "P10Y", "After how long without activity a user is inactivated; null for never."),
	INT_LIST(idle_warn_days, "{14,3}", 1, 365, "How many days before that the user is warned."),
	INT(idle_brake, "20", 1, 100, "The percentage of users falling idle at once that holds the sweep until somebody releases it."),
	BOOL(admin_password_notice, "true", "An active user is told by mail when an administrator sets his password."),
	BOOL(password_self_reset, "true", "Users may reset a forgotten password themselves."),
	INT(password_min_length, "12", 8, 128, "The fewest characters of a password."),
	BOOL(assignable_on_day_off, "false", "A user on a day off may be assigned."),
	BOOL(position_free_text, "true", "Giving a user a position that there is not yet makes it."),
	CHOICES(user_kinds, "{employee}", "Which kinds of users there are.",
		"employee", "external"),
	CHOICE(import_invites, "ask", "Whether an import invites the users that it makes.",
		"ask", "true", "false"),
	CHOICE(import_on_duplicate, "report", "What an import does with a row that matches a user: report it, update the user, skip it.",
		"report", "update", "skip"),
	DURATION(session_ttl, "PT12H", "PT5M", "P365D", "How long a session lives."),
	DURATION(session_idle_ttl, "PT2H", "PT5M", "P365D", "How long a session lives without being used."),
	DURATION(outbox_retention, "P90D", "P4D", "P10Y", "How long mails that are settled stay listed."),
	DURATION_OR_NULL(audit_retention, NULL, "P30D", "P50Y", "How long the history is kept; null for ever."),
	DURATION(import_retention, "P30D", "P1D", "P10Y", "How long imports and exports are kept."),
};
/* clang-format on */
const int policy_column_count = (int)(sizeof policy_columns / sizeof policy_columns[0]);

const struct policy_column *
policy_column_find(const char *name)
{
	for (int at = 0; at < policy_column_count; at++) {
		if (strcmp(policy_columns[at].name, name) == 0)
			return &policy_columns[at];
	}
	return NULL;
}

int
policy_choice_index(const struct policy_column *column, const char *word)
{
	for (int at = 0; column->choices[at] != NULL; at++) {
		if (strcmp(column->choices[at], word) == 0)
			return at;
	}
	return -1;
}

void
policy_set_value(struct policy *policy, const struct policy_column *column, const char *text)
{
	void *member = (char *)policy + column->offset;

	if (column->type != POLICY_BOOL && column->type != POLICY_CHOICE && column->type != POLICY_INT) {
		assert(text != NULL || column->nullable);
		*(const char **)member = text;
		return;
	}
	assert(text != NULL);
	switch (column->type) {
	case POLICY_BOOL:
		*(bool *)member = text[0] == 't';
		break;
	case POLICY_CHOICE:
		*(int *)member = policy_choice_index(column, text);
		/* Its CHECK admits no other word. */
		assert(*(int *)member >= 0);
		break;
	case POLICY_INT:
		*(int *)member = (int)strtol(text, NULL, 10);
		break;
	default:
		assert(false && "every type is dealt with");
	}
}

/* Queries list the columns in the table's order (sql/queries/policy.sql): the next one is
 * nearly always behind the last, and looking through all for each took half a batch's time. */
static int
field_after(const PGresult *rows, int last, const char *name)
{
	const char *next = PQfname(rows, last + 1);
	const int field = next != NULL && strcmp(next, name) == 0 ? last + 1 : PQfnumber(rows, name);

	assert(field >= 0);
	return field;
}

void
policy_from_row(struct policy *policy, struct arena *arena, const PGresult *rows, int row)
{
	int field = PQfnumber(rows, policy_columns[0].name) - 1;

	for (int at = 0; at < policy_column_count; at++) {
		const struct policy_column *column = &policy_columns[at];
		const char *text = NULL;

		field = field_after(rows, field, column->name);
		if (!PQgetisnull(rows, row, field))
			text = arena_copy(arena, PQgetvalue(rows, row, field));
		policy_set_value(policy, column, text);
	}
}

void
policy_set_defaults(struct policy *policy)
{
	for (int at = 0; at < policy_column_count; at++)
		policy_set_value(policy, &policy_columns[at], policy_columns[at].initial);
}

void
policy_apply_json(struct policy *policy, struct arena *arena, struct json_object *patch)
{
	struct buffer text = BUFFER_INIT;

	for (int at = 0; at < policy_column_count; at++) {
		const struct policy_column *column = &policy_columns[at];
		struct json_object *value;
		const char *code, *detail;

		if (json_object_object_get_ex(patch, column->name, &value)
			&& policy_value_from_json(column, value, &text, &code, &detail))
			policy_set_value(policy, column, value == NULL ? NULL : arena_copy(arena, buffer_text(&text)));
	}
	buffer_free(&text);
}

/* Only what contradicts itself. A setting that has no effect for now (how a lock ends
 * while nobody is locked) may wait for the other to come. Whether every user has the
 * username he would need is the database's to say. */
const struct policy_contradiction *
policy_contradiction(const struct policy *policy)
{
	static const struct policy_contradiction login_without_email = {
		"login_identifier", "email_required",
		"Users cannot sign in with an e-mail address that they need not have: require one, "
		"or let them sign in with a username.",
	};

	if (policy->login_identifier == LOGIN_BY_EMAIL && !policy->email_required)
		return &login_without_email;
	return NULL;
}
