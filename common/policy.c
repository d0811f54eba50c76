/*
 * policy: see policy.h.
 *
 * The table of columns is the one place where a policy is registered: name, type, bounds
 * and default are the same as in table rollcall.policy (a test compares with the
 * migration). Everything below it is generic: no function knows a column by name, but
 * the one about contradictions. The presets are in policy_presets.c.
 */
#include "policy.h"

#include <assert.h>
#include <json-c/json.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "text.h"

/* Choices are stored as the position of their word. */
_Static_assert(sizeof(enum email_change) == sizeof(int), "an enum is read as an int");

enum { INT_LIST_MAX = 10 };

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
#define INT_LIST(member_, initial_, min_, max_, meaning_) \
	{ COLUMN(POLICY_INT_LIST, member_, initial_, meaning_), .min = min_, .max = max_, \
	  .expects = "must be a list of at most 10 different whole numbers from " #min_ " to " #max_ }

/* clang-format off */
const struct policy_column policy_columns[] = {
	BOOL(email_required, "true", "Every user needs an e-mail address."),
	CHOICE(email_change, "while_pending", "When a user's e-mail address may be changed.",
		"while_pending", "never"),
	CHOICE(login_identifier, "email", "What users sign in with.",
		"email", "username", "either"),
	CHOICE(username_change, "never", "Who may change a username once it is set.",
		"never", "admin"),
	CHOICE(invite_on_create, "always", "Whether creating a user sends the invitation: always, when asked for, never.",
		"always", "ask", "never"),
	DURATION(invitation_ttl, "PT24H", "PT1H", "P30D", "How long an invitation link lives."),
	DURATION(password_reset_ttl, "PT1H", "PT5M", "P7D", "How long a password-reset link lives."),
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
	DURATION(session_ttl, "PT12H", "PT5M", "P365D", "How long a session lives."),
	DURATION(session_idle_ttl, "PT2H", "PT5M", "P365D", "How long a session lives without being used."),
	DURATION(outbox_retention, "P90D", "P4D", "P10Y", "How long mails that are settled stay listed."),
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

/* -1: not one of the words. */
static int
choice_index(const struct policy_column *column, const char *word)
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

	if (column->type == POLICY_DURATION || column->type == POLICY_INT_LIST) {
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
		*(int *)member = choice_index(column, text);
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

void
policy_from_row(struct policy *policy, struct arena *arena, const PGresult *rows, int row)
{
	for (int at = 0; at < policy_column_count; at++) {
		const struct policy_column *column = &policy_columns[at];
		int field = PQfnumber(rows, column->name);
		const char *text = NULL;

		assert(field >= 0);
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

/* ---- One member of a PATCH. */

enum check { CHECK_OK, CHECK_WRONG_TYPE, CHECK_INVALID };

static enum check
check_bool(struct json_object *value, char *text, size_t size)
{
	if (!json_object_is_type(value, json_type_boolean))
		return CHECK_WRONG_TYPE;
	snprintf(text, size, "%s", json_object_get_boolean(value) ? "true" : "false");
	return CHECK_OK;
}

/* A text without NUL in it, or NULL. */
static const char *
json_text(struct json_object *value)
{
	const char *text = json_object_get_string(value);

	return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

static enum check
check_choice(const struct policy_column *column, struct json_object *value, char *text, size_t size)
{
	if (!json_object_is_type(value, json_type_string))
		return CHECK_WRONG_TYPE;

	const char *word = json_text(value);

	if (word == NULL || choice_index(column, word) < 0)
		return CHECK_INVALID;
	snprintf(text, size, "%s", word);
	return CHECK_OK;
}

static enum check
check_int(const struct policy_column *column, struct json_object *value, int *number)
{
	if (!json_object_is_type(value, json_type_int))
		return CHECK_WRONG_TYPE;

	int64_t wide = json_object_get_int64(value);

	if (wide < column->min || wide > column->max)
		return CHECK_INVALID;
	*number = (int)wide;
	return CHECK_OK;
}

static enum check
check_duration(const struct policy_column *column, struct json_object *value, char *text, size_t size)
{
	if (!json_object_is_type(value, json_type_string))
		return CHECK_WRONG_TYPE;

	const char *duration = json_text(value);
	int64_t seconds = duration != NULL && strlen(duration) < size ? duration_seconds(duration) : -1;

	if (seconds < duration_seconds(column->min_duration)
		|| seconds > duration_seconds(column->max_duration))
		return CHECK_INVALID;
	snprintf(text, size, "%s", duration);
	return CHECK_OK;
}

/* Puts the number among `count` sorted ones, the greatest first. False: it is there. */
static bool
insert_descending(int numbers[], size_t count, int number)
{
	size_t place = count;

	while (place > 0 && numbers[place - 1] <= number)
		place--;
	if (place < count && numbers[place] == number)
		return false;
	memmove(&numbers[place + 1], &numbers[place], (count - place) * sizeof numbers[0]);
	numbers[place] = number;
	return true;
}

static enum check
check_int_list(const struct policy_column *column, struct json_object *value, char *text, size_t size)
{
	int numbers[INT_LIST_MAX + 1];
	size_t count;
	size_t used = 0;

	if (!json_object_is_type(value, json_type_array))
		return CHECK_WRONG_TYPE;
	count = json_object_array_length(value);
	if (count > INT_LIST_MAX)
		return CHECK_INVALID;
	for (size_t at = 0; at < count; at++) {
		int number = 0;
		enum check check = check_int(column, json_object_array_get_idx(value, at), &number);

		if (check != CHECK_OK)
			return check;
		if (!insert_descending(numbers, at, number))
			return CHECK_INVALID;
	}
	text[used++] = '{';
	for (size_t at = 0; at < count; at++)
		used += (size_t)snprintf(text + used, size - used, at > 0 ? ",%d" : "%d", numbers[at]);
	snprintf(text + used, size - used, "}");
	return CHECK_OK;
}

static enum check
check_value(const struct policy_column *column, struct json_object *value, char *text, size_t size)
{
	int number = 0;
	enum check check;

	if (value == NULL) {
		text[0] = '\0';
		return column->nullable ? CHECK_OK : CHECK_WRONG_TYPE;
	}
	switch (column->type) {
	case POLICY_BOOL:
		return check_bool(value, text, size);
	case POLICY_CHOICE:
		return check_choice(column, value, text, size);
	case POLICY_DURATION:
		return check_duration(column, value, text, size);
	case POLICY_INT_LIST:
		return check_int_list(column, value, text, size);
	case POLICY_INT:
		break;
	}
	check = check_int(column, value, &number);
	if (check == CHECK_OK)
		snprintf(text, size, "%d", number);
	return check;
}

bool
policy_value_from_json(const struct policy_column *column, struct json_object *value,
	char *text, size_t size, const char **code, const char **detail)
{
	assert(size >= POLICY_TEXT_SIZE);

	enum check check = check_value(column, value, text, size);

	if (check == CHECK_OK)
		return true;
	*code = check == CHECK_WRONG_TYPE ? "wrong_type" : "invalid";
	*detail = column->expects;
	return false;
}

void
policy_apply_json(struct policy *policy, struct arena *arena, struct json_object *patch)
{
	for (int at = 0; at < policy_column_count; at++) {
		const struct policy_column *column = &policy_columns[at];
		struct json_object *value;
		char text[POLICY_TEXT_SIZE];

		if (!json_object_object_get_ex(patch, column->name, &value)
			|| check_value(column, value, text, sizeof text) != CHECK_OK)
			continue;
		policy_set_value(policy, column, value == NULL ? NULL : arena_copy(arena, text));
	}
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
