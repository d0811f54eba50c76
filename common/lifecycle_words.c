/*
 * lifecycle_words: the enums of lifecycle.h as they stand in the database and the API.
 *
 * The tables are in the enums' order; the CHECK constraints of the migrations list the
 * same words (a test compares).
 */
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "lifecycle.h"

#define COUNT(words) ((int)(sizeof(words) / sizeof(words)[0]))

static const char *const status_words[STATUS_COUNT] = {
	[STATUS_PENDING] = "pending",
	[STATUS_ACTIVE] = "active",
	[STATUS_INACTIVE] = "inactive",
	[STATUS_LOCKED] = "locked",
};

static const char *const reason_words[REASON_COUNT] = {
	[REASON_INVITED] = "invited",
	[REASON_CREATED] = "created",
	[REASON_ACCEPTED] = "accepted",
	[REASON_FIRST_LOGIN] = "first_login",
	[REASON_BY_ADMIN] = "by_admin",
	[REASON_IDLE] = "idle",
	[REASON_WRONG_PASSWORD] = "wrong_password",
	[REASON_RELEASED] = "released",
};

static const char *const invitation_words[] = {
	[INVITATION_NONE] = NULL,
	[INVITATION_PENDING] = "pending",
	[INVITATION_EXPIRED] = "expired",
	[INVITATION_ACCEPTED] = "accepted",
	[INVITATION_REVOKED] = "revoked",
};

static const char *const mail_words[MAIL_KIND_COUNT] = {
	[MAIL_INVITATION] = "invitation",
	[MAIL_INVITATION_EXPIRED] = "invitation_expired",
	[MAIL_INVITATION_LAPSED] = "invitation_lapsed",
	[MAIL_INVITATION_ACCEPTED_FOR_YOU] = "invitation_accepted_for_you",
	[MAIL_PASSWORD_RESET] = "password_reset",
	[MAIL_PASSWORD_CHANGED] = "password_changed",
	[MAIL_ACCOUNT_LOCKED] = "account_locked",
	[MAIL_LOCK_DIGEST] = "lock_digest",
	[MAIL_IDLE_WARNING] = "idle_warning",
	[MAIL_ACCOUNT_IDLE] = "account_idle",
	[MAIL_IDLE_BRAKE] = "idle_brake",
	[MAIL_LOGIN_INFO] = "login_info",
	[MAIL_EMAIL_CHANGE_CONFIRM] = "email_change_confirm",
	[MAIL_EMAIL_CHANGE_NOTICE] = "email_change_notice",
	[MAIL_EMAIL_CHANGED] = "email_changed",
	[MAIL_IMPORT_DONE] = "import_done",
	[MAIL_TEST] = "test",
};

static const char *
word_of(const char *const words[], int count, int value)
{
	assert(value >= 0 && value < count);
	return words[value];
}

static int
value_of(const char *const words[], int count, const char *word, int otherwise)
{
	for (int value = 0; word != NULL && value < count; value++) {
		if (words[value] != NULL && strcmp(words[value], word) == 0)
			return value;
	}
	return otherwise;
}

const char *
user_status_word(enum user_status status)
{
	return word_of(status_words, COUNT(status_words), (int)status);
}

const char *
status_reason_word(enum status_reason reason)
{
	return word_of(reason_words, COUNT(reason_words), (int)reason);
}

const char *
invitation_state_word(enum invitation_state state)
{
	return word_of(invitation_words, COUNT(invitation_words), (int)state);
}

const char *
mail_kind_word(enum mail_kind kind)
{
	return word_of(mail_words, COUNT(mail_words), (int)kind);
}

enum user_status
user_status_from_word(const char *word)
{
	return (enum user_status)value_of(status_words, COUNT(status_words), word, STATUS_NONE);
}

enum invitation_state
invitation_state_from_word(const char *word)
{
	return (enum invitation_state)value_of(invitation_words, COUNT(invitation_words), word,
		INVITATION_NONE);
}

enum mail_kind
mail_kind_from_word(const char *word)
{
	return (enum mail_kind)value_of(mail_words, COUNT(mail_words), word, MAIL_KIND_COUNT);
}
