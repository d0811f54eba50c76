/*
 * policy: what an organization wants, as data.
 *
 * One row of table `policy` each; one static table (policy_columns) says for
 * every column its name, type, values, bounds and meaning. It feeds reading a row,
 * validating a PATCH, the presets and the documentation. Durations stay text
 * (ISO 8601): PostgreSQL computes with them, in calendar months.
 */
#ifndef ROLLCALL_POLICY_H
#define ROLLCALL_POLICY_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

struct arena;
struct buffer;
struct json_object;

enum email_change { EMAIL_CHANGE_WHILE_PENDING, EMAIL_CHANGE_NEVER, EMAIL_CHANGE_ADMIN };
enum login_identifier { LOGIN_BY_EMAIL, LOGIN_BY_USERNAME, LOGIN_BY_EITHER };
enum username_change { USERNAME_CHANGE_NEVER, USERNAME_CHANGE_ADMIN };
enum invite_on_create { INVITE_ALWAYS, INVITE_ASK, INVITE_NEVER };
enum invitation_letter { LETTER_SET_PASSWORD_LINK, LETTER_LOGIN_INFO };
enum invitation_on_expiry {
	EXPIRY_MAIL_ADMIN_NEW_LINK, EXPIRY_MAIL_ADMIN_NOTICE, EXPIRY_RESEND_TO_USER, EXPIRY_NOTHING
};
enum expiry_recipient { EXPIRY_TO_INVITER, EXPIRY_TO_ALL_ADMINS };
enum resend_to { RESEND_TO_PENDING, RESEND_TO_ANY };
enum initial_status { INITIAL_PENDING, INITIAL_CHOSEN_BY_ADMIN };
enum activation_on { ACTIVATION_PASSWORD_SET, ACTIVATION_FIRST_LOGIN };
enum password_at_create { PASSWORD_OPTIONAL, PASSWORD_REQUIRED, PASSWORD_FORBIDDEN };
enum required_fields { REQUIRED_FIELDS_BLOCK, REQUIRED_FIELDS_MARK_INCOMPLETE };
enum deletion { DELETION_FORBIDDEN, DELETION_ANONYMISE, DELETION_ERASE };
enum deletion_confirmation { DELETION_TYPED_NUMBER, DELETION_UNCONFIRMED };
enum deletion_references { REFERENCES_DETACH, REFERENCES_REFUSE };
enum blocked_position { BLOCKED_IN_PLACE, BLOCKED_AT_BOTTOM };
enum assignments_on_inactivate { ASSIGNMENTS_KEEP, ASSIGNMENTS_DETACH };
enum import_invites { IMPORT_INVITES_ASK, IMPORT_INVITES_TRUE, IMPORT_INVITES_FALSE };
enum import_on_duplicate { DUPLICATE_REPORT, DUPLICATE_UPDATE, DUPLICATE_SKIP };
enum lockout_release { RELEASE_ADMIN, RELEASE_INTERVAL, RELEASE_MAIL_LINK };
enum reactivation_password { REACTIVATION_KEEP, REACTIVATION_MUST_RESET };

struct policy {
	bool email_required;
	enum email_change email_change;
	enum login_identifier login_identifier;
	enum username_change username_change;
	enum invite_on_create invite_on_create;
	bool invite_on_email_added;
	enum invitation_letter invitation_letter;
	const char *invitation_ttl;
	const char *password_reset_ttl;
	const char *email_change_ttl;
	enum invitation_on_expiry invitation_on_expiry;
	enum expiry_recipient invitation_expiry_recipient;
	int invitation_max_renewals;
	enum resend_to invitation_resend_to;
	enum initial_status initial_status;
	enum activation_on activation_on;
	bool admin_password_activates;
	bool admin_activates_pending;
	enum password_at_create password_at_create;
	bool role_required;
	const char *default_permissions;	/* text of a text[]: {product:view} */
	bool custom_roles;
	bool permissions_per_user;
	enum required_fields required_fields;
	enum deletion deletion;
	enum deletion_confirmation deletion_confirmation;
	enum deletion_references deletion_references;
	const char *status_labels;		/* JSON: {language: {status: word}} */
	enum blocked_position blocked_position;
	enum assignments_on_inactivate assignments_on_inactivate;
	enum reactivation_password reactivation_password;
	int lockout_threshold;			/* 0: off */
	enum lockout_release lockout_release;
	const char *lockout_interval;
	const char *idle_after;			/* NULL: off */
	const char *idle_warn_days;		/* text of an int[]: {14,3} */
	int idle_brake;				/* percent */
	bool admin_password_notice;
	bool password_self_reset;
	int password_min_length;
	bool assignable_on_day_off;
	bool position_free_text;
	const char *user_kinds;			/* text of a text[]: {employee,external} */
	enum import_invites import_invites;
	enum import_on_duplicate import_on_duplicate;
	const char *session_ttl;
	const char *session_idle_ttl;
	const char *outbox_retention;
	const char *audit_retention;		/* NULL: for ever */
	const char *import_retention;
};

enum policy_type {
	POLICY_BOOL, POLICY_CHOICE, POLICY_INT, POLICY_DURATION, POLICY_INT_LIST,
	POLICY_WORDS,		/* a text[] of choices, or of permissions where there are none */
	POLICY_LABELS,		/* jsonb: words for each status, by language */
};

struct policy_column {
	const char *name;
	enum policy_type type;
	size_t offset;			/* of the member in struct policy */
	const char *expects;		/* what a value has to be, as a sentence: "must be ..." */
	const char *const *choices;	/* POLICY_CHOICE: words in the enum's order; POLICY_WORDS; NULL-ended */
	int min, max;			/* POLICY_INT and the items of POLICY_INT_LIST */
	const char *min_duration, *max_duration;	/* POLICY_DURATION; NULL: open */
	bool nullable;			/* null switches it off */
	const char *initial;		/* the default, as PostgreSQL text; NULL: SQL NULL */
	const char *meaning;		/* one sentence for documentation */
};
extern const struct policy_column policy_columns[];
extern const int policy_column_count;

/* The column of that name, or NULL. */
const struct policy_column *policy_column_find(const char *name);
/* Reads the row; every column of the table must be in the result. Texts live in
 * the arena. */
void policy_from_row(struct policy *policy, struct arena *arena, const PGresult *rows, int row);
/* A policy of defaults, for tests and documentation. */
void policy_set_defaults(struct policy *policy);
/* Sets one member from valid PostgreSQL text (NULL: SQL NULL), which is not copied:
 * it must live as long as the policy. To look at a policy before it is stored. */
void policy_set_value(struct policy *policy, const struct policy_column *column,
	const char *text);

/* Checks one member of a PATCH and writes it as PostgreSQL text into `text`, which is
 * cleared first. For JSON null (value NULL), which only a nullable column takes, the text
 * is empty and the caller stores SQL NULL. False with an errors[].code (wrong_type,
 * invalid) and the sentence for it, both static. */
bool policy_value_from_json(const struct policy_column *column, struct json_object *value,
	struct buffer *text, const char **code, const char **detail)
	__attribute__((warn_unused_result));
/* The place of the word among the column's choices; -1 when it is none of them. */
int policy_choice_index(const struct policy_column *column, const char *word);
/* Whether a text[] as PostgreSQL prints it, of words that need no quotes, holds the word. */
bool policy_words_have(const char *words, const char *word);
/* The default's value as JSON: texts quoted, lists as arrays. */
void policy_write_value(struct buffer *out, const struct policy_column *column, const char *text);

/* Sets what the members of a PATCH say, in arena memory; what is no column, or no value
 * that its column takes, is left out. */
void policy_apply_json(struct policy *policy, struct arena *arena, struct json_object *patch);

/* What a preset changes of the defaults (not of the policy that is in force): pairs
 * ended by a NULL column. */
struct policy_preset_value {
	const char *column, *value;	/* PostgreSQL text; value NULL: SQL NULL */
};
struct policy_preset {
	const char *name;
	const struct policy_preset_value *values;
};
extern const struct policy_preset policy_presets[];	/* ended by a NULL name */
/* The values of that preset; NULL for an unknown one. */
const struct policy_preset_value *policy_preset(const char *name);
/* Every column as a member of a JSON object: the preset's value, or the default. */
void policy_write_preset(struct buffer *out, const struct policy_preset_value *preset);

/* The first contradiction in a policy as a sentence, with the two columns; NULL
 * when it is consistent. */
struct policy_contradiction {
	const char *column, *other, *detail;
};
const struct policy_contradiction *policy_contradiction(const struct policy *policy);

#endif
