/*
 * The lifecycle, three times over: a grid of every status and event under the default
 * policy; a table of cases, each a sentence, for what policies and facts change; and
 * every combination of what an event may depend on, against what must always hold.
 * All three were written from DESIGN.md §4, not from the rules.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lifecycle.h"
#include "policy.h"
#include "schema.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

static const char *const event_names[EVENT_COUNT] = {
	"create", "accept", "admin sets password", "login", "activate", "inactivate", "invite",
	"withdraw invitation", "link expires", "idle", "idle warning", "wrong password", "release", "request reset",
	"admin sends reset", "complete reset", "change own password", "delete", "change email", "keep email", "confirm email",
};

/* "column=value column=value", on top of the defaults; null for SQL NULL. */
static void
policy_apply(struct policy *policy, const char *settings)
{
	static char texts[16][64];
	const char *at = settings;

	policy_set_defaults(policy);
	for (int n = 0; at != NULL && *at != '\0'; n++) {
		char name[64];
		int length = 0;

		assert_true(n < COUNT(texts));
		assert_int_equal(sscanf(at, " %63[^=]=%63s%n", name, texts[n], &length), 2);
		assert_non_null(policy_column_find(name));
		policy_set_value(policy, policy_column_find(name),
			strcmp(texts[n], "null") == 0 ? NULL : texts[n]);
		at += length;
	}
}

/* ---- The grid: an ordinary user of each status, the policy of defaults. */

#define P STATUS_PENDING
#define A STATUS_ACTIVE
#define I STATUS_INACTIVE
#define L STATUS_LOCKED

struct cell {
	enum refusal refusal;
	enum user_status status;
};
#define TO(status) { REFUSAL_NONE, status }
#define NO(why) { REFUSAL_##why, STATUS_NONE }

static const struct cell grid[EVENT_COUNT][4] = {
	/*                             pending                 active                      inactive             locked */
	[EVENT_CREATE] =              { NO(STATE_CONFLICT),     NO(STATE_CONFLICT),         NO(STATE_CONFLICT),  NO(STATE_CONFLICT) },
	[EVENT_ACCEPT_INVITATION] =   { TO(A),                  TO(A),                      NO(LINK_REVOKED),    NO(LINK_REVOKED) },
	[EVENT_ADMIN_SETS_PASSWORD] = { TO(A),                  TO(A),                      TO(I),               TO(L) },
	[EVENT_LOGIN] =               { NO(LOGIN_FAILED),       TO(A),                      NO(LOGIN_FAILED),    NO(LOGIN_FAILED) },
	[EVENT_ACTIVATE] =            { TO(A),                  NO(STATE_CONFLICT),         TO(A),               TO(A) },
	[EVENT_INACTIVATE] =          { TO(I),                  TO(I),                      NO(STATE_CONFLICT),  TO(I) },
	[EVENT_INVITE] =              { TO(P),                  NO(POLICY),                 NO(STATE_CONFLICT),  NO(STATE_CONFLICT) },
	[EVENT_WITHDRAW_INVITATION] = { TO(P),                  NO(STATE_CONFLICT),         NO(STATE_CONFLICT),  NO(STATE_CONFLICT) },
	[EVENT_LINK_EXPIRES] =        { TO(P),                  TO(A),                      TO(I),               TO(L) },
	[EVENT_IDLE] =                { NO(STATE_CONFLICT),     TO(I),                      NO(STATE_CONFLICT),  NO(STATE_CONFLICT) },
	[EVENT_IDLE_WARNING] =        { NO(STATE_CONFLICT),     TO(A),                      NO(STATE_CONFLICT),  NO(STATE_CONFLICT) },
	[EVENT_WRONG_PASSWORD] =      { TO(L),                  TO(L),                      NO(STATE_CONFLICT),  NO(STATE_CONFLICT) },
	[EVENT_RELEASE] =             { NO(STATE_CONFLICT),     NO(STATE_CONFLICT),         NO(STATE_CONFLICT),  NO(POLICY) },
	[EVENT_REQUEST_RESET] =       { TO(P),                  TO(A),                      NO(STATE_CONFLICT),  NO(STATE_CONFLICT) },
	[EVENT_ADMIN_SENDS_RESET] =   { NO(STATE_CONFLICT),     TO(A),                      NO(STATE_CONFLICT),  NO(STATE_CONFLICT) },
	[EVENT_COMPLETE_RESET] =      { TO(A),                  TO(A),                      NO(LINK_REVOKED),    NO(LINK_REVOKED) },
	[EVENT_CHANGE_OWN_PASSWORD] = { NO(STATE_CONFLICT),     TO(A),                      NO(STATE_CONFLICT),  NO(STATE_CONFLICT) },
	[EVENT_DELETE] =              { NO(POLICY),             NO(POLICY),                 NO(POLICY),          NO(POLICY) },
	[EVENT_CHANGE_EMAIL] =        { NO(STATE_CONFLICT),     NO(POLICY),                 NO(POLICY),          NO(POLICY) },
	[EVENT_KEEP_EMAIL] =          { TO(P),                  TO(A),                      TO(I),               TO(L) },
	[EVENT_CONFIRM_EMAIL] =       { NO(LINK_REVOKED),       NO(POLICY),                 NO(LINK_REVOKED),    NO(LINK_REVOKED) },
};

static void
every_status_and_event_under_the_default_policy(void **state)
{
	static const enum user_status statuses[4] = { P, A, I, L };
	struct policy policy;

	(void)state;
	policy_set_defaults(&policy);
	for (int event = 0; event < EVENT_COUNT; event++) {
		for (int column = 0; column < 4; column++) {
			const struct cell *cell = &grid[event][column];
			struct user_state user = {
				.status = statuses[column], .status_before_lock = statuses[column] == L ? A : STATUS_NONE,
				.invitation = INVITATION_PENDING, .has_email = true, .has_password = true, .changes_email = true,
			};
			struct transition t;

			print_message("  %s, %s\n", event_names[event], user_status_word(user.status));
			assert_int_equal(lifecycle_decide(&policy, &user, (enum user_event)event, &t),
				cell->refusal == REFUSAL_NONE);
			assert_int_equal(t.refusal, cell->refusal);
			assert_int_equal(t.status, cell->refusal == REFUSAL_NONE ? cell->status : user.status);
		}
	}
}

static void
nobody_can_do_nothing_but_be_created(void **state)
{
	struct policy policy;
	struct user_state nobody = { .status = STATUS_NONE, .wants_invitation = -1, .has_email = true };
	struct transition t;

	(void)state;
	policy_set_defaults(&policy);
	for (int event = 0; event < EVENT_COUNT; event++) {
		enum refusal expected = REFUSAL_STATE_CONFLICT;

		if (event == EVENT_CREATE)
			expected = REFUSAL_NONE;
		if (event == EVENT_LOGIN)
			expected = REFUSAL_LOGIN_FAILED;
		if (event == EVENT_ACCEPT_INVITATION || event == EVENT_COMPLETE_RESET || event == EVENT_CONFIRM_EMAIL)
			expected = REFUSAL_LINK_REVOKED;
		lifecycle_decide(&policy, &nobody, (enum user_event)event, &t);
		assert_int_equal(t.refusal, expected);
		assert_int_equal(t.status, event == EVENT_CREATE ? STATUS_PENDING : STATUS_NONE);
	}
}

/* ---- The cases. */

/* Effects, as one word each; the rest must not happen. */
enum {
	SESSIONS = 1, GUESSES = 2, CLOCK = 4, PASSWORD = 8, DROPPED = 16, RESET = 32, CANCELS = 64,
	REDUCES = 128, REMEMBERS = 256, DETACHES = 512,
	OWN = SESSIONS | GUESSES | PASSWORD,	/* a new password */
	IN = GUESSES | CLOCK,			/* becomes active */
	OUT = SESSIONS | CANCELS,
};

struct expected {
	const char *name;
	const char *policy;
	enum user_event event;
	struct user_state user;
	/* after */
	enum refusal refusal;
	const char *refused_by;
	enum user_status status;
	int reason;		/* -1: the status stays */
	unsigned effects;
	enum invitation_effect invitation;
	unsigned mails;
	enum email_effect email;
};

#define M(kind) MAIL_BIT(MAIL_##kind)
#define MAILED .has_email = true
#define ASKED .has_email = true, .invitation = INVITATION_PENDING
#define SIGNED .has_email = true, .has_password = true, .invitation = INVITATION_ACCEPTED
#define NEW .status = STATUS_NONE, .wants_invitation = -1
#define LOCK_OF(before) .status = L, .status_before_lock = before
#define ADMIN .is_administrator = true
#define LAST .is_administrator = true, .is_last_administrator = true
#define GOES(status_, reason_) .status = status_, .reason = REASON_##reason_
#define KEEPS(status_) .status = status_, .reason = -1
#define DENIED(refusal_) .refusal = REFUSAL_##refusal_
#define DENIED_BY(policy_) .refusal = REFUSAL_POLICY, .refused_by = #policy_

#define WETRACK "invite_on_create=ask initial_status=chosen_by_admin invitation_resend_to=any"
#define KEYCRM "email_required=false login_identifier=username activation_on=first_login " \
	"admin_password_activates=false password_at_create=required admin_password_notice=false lockout_threshold=0 " \
	"email_change=admin invite_on_email_added=false invitation_letter=login_info invitation_on_expiry=nothing"
#define LETTER "invitation_letter=login_info"

static const struct expected cases[] = {
	/* create */
	{ "a new user is pending and invited (S0-15, S1-01, S1-05)", "", EVENT_CREATE, { NEW, MAILED },
		GOES(P, INVITED), .invitation = INVITATION_ISSUE, .mails = M(INVITATION) },
	{ "saying pending changes nothing", "", EVENT_CREATE, { NEW, MAILED, .wanted_status = P },
		GOES(P, INVITED), .invitation = INVITATION_ISSUE, .mails = M(INVITATION) },
	{ "an e-mail address is required", "", EVENT_CREATE, { NEW }, DENIED_BY(email_required) },
	{ "without an address, nobody is invited", "email_required=false login_identifier=username", EVENT_CREATE, { NEW },
		GOES(P, CREATED) },
	{ "without an address, an invitation that is asked for is refused", "email_required=false login_identifier=username",
		EVENT_CREATE, { .wants_invitation = 1 }, DENIED(NO_EMAIL) },
	{ "declining without an address declines nothing", "email_required=false login_identifier=username",
		EVENT_CREATE, { .wants_invitation = 0 }, GOES(P, CREATED) },
	{ "always cannot be declined", "", EVENT_CREATE, { MAILED, .wants_invitation = 0 }, DENIED_BY(invite_on_create) },
	{ "ask: not unless asked (S4-15)", "invite_on_create=ask", EVENT_CREATE, { NEW, MAILED }, GOES(P, CREATED) },
	{ "ask: save (S4-15)", "invite_on_create=ask", EVENT_CREATE, { MAILED, .wants_invitation = 0 }, GOES(P, CREATED) },
	{ "ask: save and invite (S4-15)", "invite_on_create=ask", EVENT_CREATE, { MAILED, .wants_invitation = 1 },
		GOES(P, INVITED), .invitation = INVITATION_ISSUE, .mails = M(INVITATION) },
	{ "never: silent", "invite_on_create=never", EVENT_CREATE, { NEW, MAILED }, GOES(P, CREATED) },
	{ "never: declining agrees", "invite_on_create=never", EVENT_CREATE, { MAILED, .wants_invitation = 0 }, GOES(P, CREATED) },
	{ "never: asking is refused", "invite_on_create=never", EVENT_CREATE, { MAILED, .wants_invitation = 1 },
		DENIED_BY(invite_on_create) },
	{ "the founder is invited where nobody is", "invite_on_create=never password_at_create=required", EVENT_CREATE,
		{ NEW, MAILED, .is_founder = true }, GOES(P, INVITED), .invitation = INVITATION_ISSUE, .mails = M(INVITATION) },
	{ "the founder is invited where one asks", WETRACK, EVENT_CREATE,
		{ NEW, MAILED, .is_founder = true }, GOES(P, INVITED), .invitation = INVITATION_ISSUE, .mails = M(INVITATION) },
	{ "the founder's link is made without an address", KEYCRM, EVENT_CREATE, { NEW, .is_founder = true },
		GOES(P, INVITED), .invitation = INVITATION_ISSUE },
	{ "active is not the caller's choice", "", EVENT_CREATE, { NEW, MAILED, .wanted_status = A }, DENIED_BY(initial_status) },
	{ "inactive is not the caller's choice", "", EVENT_CREATE, { NEW, MAILED, .wanted_status = I }, DENIED_BY(initial_status) },
	{ "nobody is created locked", WETRACK, EVENT_CREATE, { NEW, MAILED, .wanted_status = L }, DENIED(STATE_CONFLICT) },
	{ "active by choice (S4-07)", WETRACK, EVENT_CREATE, { NEW, MAILED, .wanted_status = A },
		GOES(A, BY_ADMIN), .effects = IN },
	{ "active by choice and invited (S4-15)", WETRACK, EVENT_CREATE, { MAILED, .wanted_status = A, .wants_invitation = 1 },
		GOES(A, BY_ADMIN), .effects = IN, .invitation = INVITATION_ISSUE, .mails = M(INVITATION) },
	{ "active by choice, always invited", "initial_status=chosen_by_admin", EVENT_CREATE, { NEW, MAILED, .wanted_status = A },
		GOES(A, BY_ADMIN), .effects = IN, .invitation = INVITATION_ISSUE, .mails = M(INVITATION) },
	{ "active by choice with a password needs no link", "initial_status=chosen_by_admin", EVENT_CREATE,
		{ NEW, MAILED, .wanted_status = A, .brings_password = true }, GOES(A, BY_ADMIN), .effects = IN | PASSWORD },
	{ "inactive by choice (S4-07)", WETRACK, EVENT_CREATE, { NEW, MAILED, .wanted_status = I }, GOES(I, BY_ADMIN) },
	{ "inactive by choice is not invited by always", "initial_status=chosen_by_admin", EVENT_CREATE,
		{ NEW, MAILED, .wanted_status = I }, GOES(I, BY_ADMIN) },
	{ "inactive by choice with a password", WETRACK, EVENT_CREATE,
		{ NEW, MAILED, .wanted_status = I, .brings_password = true }, GOES(I, BY_ADMIN), .effects = PASSWORD },
	{ "inactive and invited contradict", WETRACK, EVENT_CREATE, { MAILED, .wanted_status = I, .wants_invitation = 1 },
		DENIED(STATE_CONFLICT) },
	{ "nothing chosen is pending", WETRACK, EVENT_CREATE, { NEW, MAILED }, GOES(P, CREATED) },
	{ "a password makes him active, without a link (S1-22)", "", EVENT_CREATE, { NEW, MAILED, .brings_password = true },
		GOES(A, BY_ADMIN), .effects = IN | PASSWORD },
	{ "a password makes him active, with the link that is wanted", "", EVENT_CREATE,
		{ MAILED, .brings_password = true, .wants_invitation = 1 },
		GOES(A, BY_ADMIN), .effects = IN | PASSWORD, .invitation = INVITATION_ISSUE, .mails = M(INVITATION) },
	{ "a password, and no link wanted: none would go", "", EVENT_CREATE,
		{ MAILED, .brings_password = true, .wants_invitation = 0 }, GOES(A, BY_ADMIN), .effects = IN | PASSWORD },
	{ "KeyCRM: password, letter, pending (S3-10, S3-12, S3-15)", KEYCRM, EVENT_CREATE, { NEW, MAILED, .brings_password = true },
		GOES(P, INVITED), .effects = PASSWORD, .invitation = INVITATION_ISSUE_LETTER, .mails = M(LOGIN_INFO) },
	{ "KeyCRM: the founder has nobody who could tell him a password", KEYCRM, EVENT_CREATE, { NEW, MAILED, .is_founder = true },
		GOES(P, INVITED), .invitation = INVITATION_ISSUE, .mails = M(INVITATION) },
	{ "KeyCRM: no address, no letter (S3-13)", KEYCRM, EVENT_CREATE, { NEW, .brings_password = true },
		GOES(P, CREATED), .effects = PASSWORD },
	{ "KeyCRM: the password is required (S3-10)", KEYCRM, EVENT_CREATE, { NEW, MAILED }, DENIED_BY(password_at_create) },
	{ "a password may be forbidden", "password_at_create=forbidden", EVENT_CREATE, { NEW, MAILED, .brings_password = true },
		DENIED_BY(password_at_create) },

	/* accept the invitation */
	{ "accepting makes active (S0-17)", "", EVENT_ACCEPT_INVITATION, { .status = P, ASKED },
		GOES(A, ACCEPTED), .effects = OWN | IN, .invitation = INVITATION_ACCEPT },
	{ "accepting waits for the first login", "activation_on=first_login", EVENT_ACCEPT_INVITATION, { .status = P, ASKED },
		KEEPS(P), .effects = OWN, .invitation = INVITATION_ACCEPT },
	{ "an active user accepts", "", EVENT_ACCEPT_INVITATION, { .status = A, ASKED },
		KEEPS(A), .effects = OWN, .invitation = INVITATION_ACCEPT },
	{ "accepting through an administrator's link is told", "", EVENT_ACCEPT_INVITATION,
		{ .status = P, ASKED, .through_administrator = true },
		GOES(A, ACCEPTED), .effects = OWN | IN, .invitation = INVITATION_ACCEPT, .mails = M(INVITATION_ACCEPTED_FOR_YOU) },
	{ "an active user's, too", "", EVENT_ACCEPT_INVITATION, { .status = A, ASKED, .through_administrator = true },
		KEEPS(A), .effects = OWN, .invitation = INVITATION_ACCEPT, .mails = M(INVITATION_ACCEPTED_FOR_YOU) },
	{ "nothing is open", "", EVENT_ACCEPT_INVITATION, { .status = P, MAILED, .invitation = INVITATION_REVOKED },
		DENIED(LINK_REVOKED) },
	{ "an inactive user's link is withdrawn", "", EVENT_ACCEPT_INVITATION, { .status = I, ASKED }, DENIED(LINK_REVOKED) },
	{ "a locked user's link is withdrawn", "", EVENT_ACCEPT_INVITATION, { LOCK_OF(P), ASKED }, DENIED(LINK_REVOKED) },

	/* an administrator sets a password */
	{ "a password makes the pending active and withdraws the link (S1-11, S1-22)", "", EVENT_ADMIN_SETS_PASSWORD,
		{ .status = P, ASKED }, GOES(A, BY_ADMIN), .effects = OWN | IN, .invitation = INVITATION_REVOKE },
	{ "a password leaves the pending pending and withdraws the link", "admin_password_activates=false",
		EVENT_ADMIN_SETS_PASSWORD, { .status = P, ASKED }, KEEPS(P), .effects = OWN, .invitation = INVITATION_REVOKE },
	{ "an active user is told (S1-19)", "", EVENT_ADMIN_SETS_PASSWORD, { .status = A, SIGNED },
		KEEPS(A), .effects = OWN, .mails = M(PASSWORD_CHANGED) },
	{ "an active user is not told (S3-21)", KEYCRM, EVENT_ADMIN_SETS_PASSWORD, { .status = A, SIGNED },
		KEEPS(A), .effects = OWN },
	{ "an active user's open link is withdrawn", "", EVENT_ADMIN_SETS_PASSWORD, { .status = A, ASKED },
		KEEPS(A), .effects = OWN, .invitation = INVITATION_REVOKE, .mails = M(PASSWORD_CHANGED) },
	{ "an active user without an address", KEYCRM, EVENT_ADMIN_SETS_PASSWORD, { .status = A, .has_password = true },
		KEEPS(A), .effects = OWN },
	{ "an inactive user stays inactive", "", EVENT_ADMIN_SETS_PASSWORD, { .status = I, SIGNED }, KEEPS(I), .effects = OWN },
	{ "a locked user stays locked", "", EVENT_ADMIN_SETS_PASSWORD, { LOCK_OF(A), SIGNED }, KEEPS(L), .effects = OWN },

	/* log in */
	{ "the first login makes active (S3-16)", KEYCRM, EVENT_LOGIN, { .status = P, SIGNED },
		GOES(A, FIRST_LOGIN), .effects = IN },
	{ "the first login takes the open invitation as accepted", KEYCRM, EVENT_LOGIN,
		{ .status = P, ASKED, .has_password = true }, GOES(A, FIRST_LOGIN), .effects = IN, .invitation = INVITATION_ACCEPT },
	{ "there is no first login without a password", KEYCRM, EVENT_LOGIN, { .status = P, ASKED }, DENIED(LOGIN_FAILED) },
	{ "a login is no activation elsewhere", "", EVENT_LOGIN, { .status = P, SIGNED }, DENIED(LOGIN_FAILED) },
	{ "an active user logs in", "", EVENT_LOGIN, { .status = A, SIGNED }, KEEPS(A), .effects = IN },
	{ "the inactive do not (S0-20)", KEYCRM, EVENT_LOGIN, { .status = I, SIGNED }, DENIED(LOGIN_FAILED) },
	{ "the locked do not (S2-19)", KEYCRM, EVENT_LOGIN, { LOCK_OF(P), SIGNED }, DENIED(LOGIN_FAILED) },

	/* an administrator activates */
	{ "activating the pending withdraws the link (S0-10)", "", EVENT_ACTIVATE, { .status = P, ASKED },
		GOES(A, BY_ADMIN), .effects = IN | SESSIONS, .invitation = INVITATION_REVOKE },
	{ "activating the pending with a password", "", EVENT_ACTIVATE, { .status = P, ASKED, .brings_password = true },
		GOES(A, BY_ADMIN), .effects = IN | OWN, .invitation = INVITATION_REVOKE },
	{ "the pending are not activated by hand (S0-09)", "admin_activates_pending=false", EVENT_ACTIVATE,
		{ .status = P, ASKED }, DENIED_BY(admin_activates_pending) },
	{ "nor with a password", "admin_activates_pending=false", EVENT_ACTIVATE,
		{ .status = P, ASKED, .brings_password = true }, DENIED_BY(admin_activates_pending) },
	{ "the inactive are (S0-08)", "admin_activates_pending=false", EVENT_ACTIVATE, { .status = I, SIGNED },
		GOES(A, BY_ADMIN), .effects = IN | SESSIONS },
	{ "the link from before stays dead (S1-13)", "", EVENT_ACTIVATE, { .status = I, MAILED, .invitation = INVITATION_REVOKED },
		GOES(A, BY_ADMIN), .effects = IN | SESSIONS },
	{ "a lapsed one too", "", EVENT_ACTIVATE, { .status = I, MAILED, .invitation = INVITATION_EXPIRED },
		GOES(A, BY_ADMIN), .effects = IN | SESSIONS, .invitation = INVITATION_REVOKE },
	{ "the locked are freed by hand (S2-21)", "", EVENT_ACTIVATE, { LOCK_OF(A), SIGNED },
		GOES(A, BY_ADMIN), .effects = IN | SESSIONS },
	{ "the locked get a new password with it (S2-22)", "", EVENT_ACTIVATE, { LOCK_OF(A), SIGNED, .brings_password = true },
		GOES(A, BY_ADMIN), .effects = IN | OWN },
	{ "coming back needs a new password", "reactivation_password=must_reset", EVENT_ACTIVATE, { .status = I, SIGNED },
		GOES(A, BY_ADMIN), .effects = IN | SESSIONS | DROPPED | RESET, .mails = M(PASSWORD_RESET) },
	{ "coming back past a lapsed link", "reactivation_password=must_reset", EVENT_ACTIVATE,
		{ .status = I, MAILED, .has_password = true, .invitation = INVITATION_EXPIRED }, GOES(A, BY_ADMIN),
		.effects = IN | SESSIONS | DROPPED | RESET, .invitation = INVITATION_REVOKE, .mails = M(PASSWORD_RESET) },
	{ "coming back with a new password", "reactivation_password=must_reset", EVENT_ACTIVATE,
		{ .status = I, SIGNED, .brings_password = true }, GOES(A, BY_ADMIN), .effects = IN | OWN },
	{ "coming back without an address", "reactivation_password=must_reset email_required=false login_identifier=username",
		EVENT_ACTIVATE, { .status = I, .has_password = true }, GOES(A, BY_ADMIN), .effects = IN | SESSIONS | DROPPED },
	{ "the pending do not come back", "reactivation_password=must_reset", EVENT_ACTIVATE, { .status = P, ASKED },
		GOES(A, BY_ADMIN), .effects = IN | SESSIONS, .invitation = INVITATION_REVOKE },

	/* an administrator inactivates */
	{ "inactivating the pending withdraws the link (S0-06, S1-12)", "", EVENT_INACTIVATE, { .status = P, ASKED },
		GOES(I, BY_ADMIN), .effects = OUT, .invitation = INVITATION_REVOKE },
	{ "the active (S0-07, S2-15, S3-25)", "", EVENT_INACTIVATE, { .status = A, SIGNED }, GOES(I, BY_ADMIN), .effects = OUT },
	{ "the active, with a link still open", WETRACK, EVENT_INACTIVATE, { .status = A, ASKED },
		GOES(I, BY_ADMIN), .effects = OUT, .invitation = INVITATION_REVOKE },
	{ "the locked", "", EVENT_INACTIVATE, { LOCK_OF(A), SIGNED }, GOES(I, BY_ADMIN), .effects = OUT },
	{ "an administrator of several", "", EVENT_INACTIVATE, { .status = A, SIGNED, ADMIN },
		GOES(I, BY_ADMIN), .effects = OUT | REDUCES },
	{ "what he was assigned goes where the policy says so (S3-27)", "assignments_on_inactivate=detach", EVENT_INACTIVATE,
		{ .status = A, SIGNED }, GOES(I, BY_ADMIN), .effects = OUT | DETACHES },
	{ "also of the locked", "assignments_on_inactivate=detach", EVENT_INACTIVATE, { LOCK_OF(A), SIGNED },
		GOES(I, BY_ADMIN), .effects = OUT | DETACHES },
	{ "not the last administrator", "", EVENT_INACTIVATE, { .status = A, SIGNED, LAST }, DENIED(LAST_ADMINISTRATOR) },

	/* invite again */
	{ "the pending again (S1-06)", "", EVENT_INVITE, { .status = P, ASKED, .renewals = 3 },
		KEEPS(P), .invitation = INVITATION_ISSUE, .mails = M(INVITATION) },
	{ "the pending for the first time (S4-15)", WETRACK, EVENT_INVITE, { .status = P, MAILED },
		KEEPS(P), .invitation = INVITATION_ISSUE, .mails = M(INVITATION) },
	{ "the pending who accepted, before their first login", "activation_on=first_login", EVENT_INVITE, { .status = P, SIGNED },
		KEEPS(P), .invitation = INVITATION_ISSUE, .mails = M(INVITATION) },
	{ "a letter again (S3-12)", KEYCRM, EVENT_INVITE, { .status = P, ASKED, .invitation_is_letter = true, .has_password = true },
		KEEPS(P), .invitation = INVITATION_ISSUE_LETTER, .mails = M(LOGIN_INFO) },
	{ "the founder again gets a link", KEYCRM, EVENT_INVITE, { .status = P, ASKED, .is_founder = true, .email_added_later = true },
		KEEPS(P), .invitation = INVITATION_ISSUE, .mails = M(INVITATION) },
	{ "not him whose address came later (S3-13)", KEYCRM, EVENT_INVITE, { .status = P, MAILED, .email_added_later = true },
		DENIED_BY(invite_on_email_added) },
	{ "nor when he is active, where anybody is", WETRACK " invite_on_email_added=false", EVENT_INVITE,
		{ .status = A, SIGNED, .email_added_later = true }, DENIED_BY(invite_on_email_added) },
	{ "whose address came later, where that brings an invitation", "", EVENT_INVITE, { .status = P, MAILED, .email_added_later = true },
		KEEPS(P), .invitation = INVITATION_ISSUE, .mails = M(INVITATION) },
	{ "whose address has yet to come", KEYCRM, EVENT_INVITE, { .status = P, .has_password = true }, DENIED(NO_EMAIL) },
	{ "without an address", "", EVENT_INVITE, { .status = P }, DENIED(NO_EMAIL) },
	{ "not the active (S1-06)", "", EVENT_INVITE, { .status = A, SIGNED }, DENIED_BY(invitation_resend_to) },
	{ "not the active, whatever their address", "", EVENT_INVITE, { .status = A }, DENIED_BY(invitation_resend_to) },
	{ "the active where anybody is (S4-19)", WETRACK, EVENT_INVITE, { .status = A, SIGNED },
		KEEPS(A), .invitation = INVITATION_ISSUE, .mails = M(INVITATION) },
	{ "anybody has an address", WETRACK, EVENT_INVITE, { .status = A }, DENIED(NO_EMAIL) },
	{ "anybody may come in", WETRACK, EVENT_INVITE, { .status = I, SIGNED }, DENIED(STATE_CONFLICT) },
	{ "anybody is not locked", WETRACK, EVENT_INVITE, { LOCK_OF(A), SIGNED }, DENIED(STATE_CONFLICT) },

	/* withdraw the invitation */
	{ "with the address the link goes, and what waits to be mailed", "", EVENT_WITHDRAW_INVITATION, { .status = P, ASKED },
		KEEPS(P), .effects = CANCELS, .invitation = INVITATION_REVOKE },
	{ "what was accepted stays accepted", "activation_on=first_login", EVENT_WITHDRAW_INVITATION, { .status = P, SIGNED },
		KEEPS(P), .effects = CANCELS },
	{ "the active wait for none", "", EVENT_WITHDRAW_INVITATION, { .status = A, ASKED }, DENIED(STATE_CONFLICT) },

	/* the link expires */
	{ "the administrator gets a new one (S1-14)", "", EVENT_LINK_EXPIRES, { .status = P, ASKED, .renewals = 2 },
		KEEPS(P), .invitation = INVITATION_RENEW, .mails = M(INVITATION_EXPIRED) },
	{ "but not for ever", "", EVENT_LINK_EXPIRES, { .status = P, ASKED, .renewals = 3 },
		KEEPS(P), .invitation = INVITATION_EXPIRE, .mails = M(INVITATION_LAPSED) },
	{ "without an address too: the administrator has one", "email_required=false", EVENT_LINK_EXPIRES,
		{ .status = P, .invitation = INVITATION_PENDING }, KEEPS(P), .invitation = INVITATION_RENEW, .mails = M(INVITATION_EXPIRED) },
	{ "no renewals", "invitation_max_renewals=0", EVENT_LINK_EXPIRES, { .status = P, ASKED },
		KEEPS(P), .invitation = INVITATION_EXPIRE, .mails = M(INVITATION_LAPSED) },
	{ "the administrator gets a notice", "invitation_on_expiry=mail_admin_notice", EVENT_LINK_EXPIRES, { .status = P, ASKED },
		KEEPS(P), .invitation = INVITATION_EXPIRE, .mails = M(INVITATION_LAPSED) },
	{ "the user gets a new one", "invitation_on_expiry=resend_to_user", EVENT_LINK_EXPIRES, { .status = P, ASKED },
		KEEPS(P), .invitation = INVITATION_RENEW, .mails = M(INVITATION) },
	{ "the user gets no more", "invitation_on_expiry=resend_to_user", EVENT_LINK_EXPIRES, { .status = P, ASKED, .renewals = 3 },
		KEEPS(P), .invitation = INVITATION_EXPIRE, .mails = M(INVITATION_LAPSED) },
	{ "the user cannot be reached", "invitation_on_expiry=resend_to_user", EVENT_LINK_EXPIRES,
		{ .status = P, .invitation = INVITATION_PENDING }, KEEPS(P), .invitation = INVITATION_EXPIRE, .mails = M(INVITATION_LAPSED) },
	{ "nobody is told", "invitation_on_expiry=nothing", EVENT_LINK_EXPIRES, { .status = P, ASKED },
		KEEPS(P), .invitation = INVITATION_EXPIRE },
	{ "nobody is told, used up or not", "invitation_on_expiry=nothing", EVENT_LINK_EXPIRES, { .status = P, ASKED, .renewals = 3 },
		KEEPS(P), .invitation = INVITATION_EXPIRE },
	{ "a letter is not renewed for the administrator", LETTER, EVENT_LINK_EXPIRES, { .status = P, ASKED, .invitation_is_letter = true },
		KEEPS(P), .invitation = INVITATION_EXPIRE },
	{ "nor for the user", LETTER " invitation_on_expiry=resend_to_user", EVENT_LINK_EXPIRES,
		{ .status = P, ASKED, .invitation_is_letter = true }, KEEPS(P), .invitation = INVITATION_EXPIRE },
	{ "nor as a link, once links are sent again", "", EVENT_LINK_EXPIRES, { .status = P, ASKED, .invitation_is_letter = true },
		KEEPS(P), .invitation = INVITATION_EXPIRE },
	{ "nor a link from before as one", LETTER, EVENT_LINK_EXPIRES, { .status = P, ASKED }, KEEPS(P), .invitation = INVITATION_EXPIRE },
	{ "an active user's just expires", WETRACK, EVENT_LINK_EXPIRES, { .status = A, ASKED }, KEEPS(A), .invitation = INVITATION_EXPIRE },
	{ "none is open", "", EVENT_LINK_EXPIRES, { .status = P, MAILED, .invitation = INVITATION_EXPIRED }, DENIED(STATE_CONFLICT) },

	/* idle */
	{ "three months (S2-25)", "", EVENT_IDLE, { .status = A, SIGNED },
		GOES(I, IDLE), .effects = OUT, .mails = M(ACCOUNT_IDLE) },
	{ "with a link still open", "", EVENT_IDLE, { .status = A, ASKED },
		GOES(I, IDLE), .effects = OUT, .invitation = INVITATION_REVOKE, .mails = M(ACCOUNT_IDLE) },
	{ "and leaves what he was assigned where the policy says so", "assignments_on_inactivate=detach", EVENT_IDLE, { .status = A, SIGNED },
		GOES(I, IDLE), .effects = OUT | DETACHES, .mails = M(ACCOUNT_IDLE) },
	{ "an administrator of several idles", "", EVENT_IDLE, { .status = A, SIGNED, ADMIN },
		GOES(I, IDLE), .effects = OUT | REDUCES, .mails = M(ACCOUNT_IDLE) },
	{ "the last administrator never idles", "", EVENT_IDLE, { .status = A, SIGNED, LAST }, DENIED(LAST_ADMINISTRATOR) },
	{ "nobody idles (S0-19)", "idle_after=null", EVENT_IDLE, { .status = A, SIGNED }, DENIED_BY(idle_after) },
	{ "a warning", "", EVENT_IDLE_WARNING, { .status = A, SIGNED }, KEEPS(A), .mails = M(IDLE_WARNING) },
	{ "a warning to nowhere", "", EVENT_IDLE_WARNING, { .status = A }, KEEPS(A) },
	{ "no warnings", "idle_warn_days={}", EVENT_IDLE_WARNING, { .status = A, SIGNED }, DENIED_BY(idle_warn_days) },
	{ "no idling, no warnings", "idle_after=null", EVENT_IDLE_WARNING, { .status = A, SIGNED }, DENIED_BY(idle_after) },
	{ "no idling, no warning", "", EVENT_IDLE_WARNING, { .status = A, SIGNED, LAST }, DENIED(LAST_ADMINISTRATOR) },

	/* wrong passwords */
	{ "ten wrong passwords (S2-19)", "", EVENT_WRONG_PASSWORD, { .status = A, SIGNED },
		GOES(L, WRONG_PASSWORD), .effects = OUT | REMEMBERS, .mails = M(ACCOUNT_LOCKED) },
	{ "of a pending user, whose link dies", "activation_on=first_login", EVENT_WRONG_PASSWORD, { .status = P, ASKED, .has_password = true },
		GOES(L, WRONG_PASSWORD), .effects = OUT | REMEMBERS, .invitation = INVITATION_REVOKE, .mails = M(ACCOUNT_LOCKED) },
	{ "of an administrator", "", EVENT_WRONG_PASSWORD, { .status = A, SIGNED, ADMIN },
		GOES(L, WRONG_PASSWORD), .effects = OUT | REMEMBERS | REDUCES, .mails = M(ACCOUNT_LOCKED) },
	{ "of the last administrator", "", EVENT_WRONG_PASSWORD, { .status = A, SIGNED, LAST }, DENIED(LAST_ADMINISTRATOR) },
	{ "a mail with a link", "lockout_release=mail_link", EVENT_WRONG_PASSWORD, { .status = A, SIGNED },
		GOES(L, WRONG_PASSWORD), .effects = OUT | REMEMBERS | RESET, .mails = M(ACCOUNT_LOCKED) },
	{ "a mail with a link, to nowhere", "lockout_release=mail_link", EVENT_WRONG_PASSWORD, { .status = A, .has_password = true },
		GOES(L, WRONG_PASSWORD), .effects = OUT | REMEMBERS },
	{ "nothing to guess", "", EVENT_WRONG_PASSWORD, { .status = A, ASKED }, DENIED(STATE_CONFLICT) },
	{ "no lockout", "lockout_threshold=0", EVENT_WRONG_PASSWORD, { .status = A, SIGNED }, DENIED_BY(lockout_threshold) },

	/* the lock ends */
	{ "time ends it", "lockout_release=interval", EVENT_RELEASE, { LOCK_OF(A), SIGNED }, GOES(A, RELEASED), .effects = IN },
	{ "time ends it, back to pending", "lockout_release=interval", EVENT_RELEASE, { LOCK_OF(P), SIGNED },
		GOES(P, RELEASED), .effects = GUESSES },
	{ "time does not end it (S2-21)", "lockout_release=admin", EVENT_RELEASE, { LOCK_OF(A), SIGNED }, DENIED_BY(lockout_release) },
	{ "time does not end it, a mail does", "lockout_release=mail_link", EVENT_RELEASE, { LOCK_OF(A), SIGNED },
		DENIED_BY(lockout_release) },
	{ "the mail ends it", "lockout_release=mail_link", EVENT_COMPLETE_RESET, { LOCK_OF(A), SIGNED, .lock_mail_release = true },
		GOES(A, RELEASED), .effects = OWN | IN },
	{ "the mail ends it, back to pending", "lockout_release=mail_link activation_on=first_login", EVENT_COMPLETE_RESET,
		{ LOCK_OF(P), SIGNED, .lock_mail_release = true }, GOES(P, RELEASED), .effects = OWN },
	{ "another mail does not", "lockout_release=mail_link", EVENT_COMPLETE_RESET, { LOCK_OF(A), SIGNED }, DENIED(LINK_REVOKED) },
	{ "nor does it under another policy", "lockout_release=interval", EVENT_COMPLETE_RESET,
		{ LOCK_OF(A), SIGNED, .lock_mail_release = true }, DENIED(LINK_REVOKED) },

	/* password resets */
	{ "forgot password (S3-22)", "", EVENT_REQUEST_RESET, { .status = A, SIGNED },
		KEEPS(A), .effects = RESET, .mails = M(PASSWORD_RESET) },
	{ "activated by hand, never had a password", "", EVENT_REQUEST_RESET, { .status = A, MAILED },
		KEEPS(A), .effects = RESET, .mails = M(PASSWORD_RESET) },
	{ "forgot it before the first login", KEYCRM, EVENT_REQUEST_RESET, { .status = P, MAILED, .has_password = true },
		KEEPS(P), .effects = RESET, .mails = M(PASSWORD_RESET) },
	{ "lost the invitation", "", EVENT_REQUEST_RESET, { .status = P, ASKED },
		KEEPS(P), .effects = RESET, .mails = M(PASSWORD_RESET) },
	{ "was not invited yet", WETRACK, EVENT_REQUEST_RESET, { .status = P, MAILED }, DENIED(STATE_CONFLICT) },
	{ "no address on file (S3-23)", KEYCRM, EVENT_REQUEST_RESET, { .status = A, .has_password = true }, DENIED(NO_EMAIL) },
	{ "not by oneself", "password_self_reset=false", EVENT_REQUEST_RESET, { .status = A, SIGNED }, DENIED_BY(password_self_reset) },
	{ "not by oneself, but by an administrator", "password_self_reset=false", EVENT_ADMIN_SENDS_RESET, { .status = A, SIGNED },
		KEEPS(A), .effects = RESET, .mails = M(PASSWORD_RESET) },
	{ "by an administrator (S1-19)", "", EVENT_ADMIN_SENDS_RESET, { .status = A, SIGNED },
		KEEPS(A), .effects = RESET, .mails = M(PASSWORD_RESET) },
	{ "by an administrator, to nowhere", "", EVENT_ADMIN_SENDS_RESET, { .status = A, .has_password = true }, DENIED(NO_EMAIL) },
	{ "not to the pending (S1-18)", "", EVENT_ADMIN_SENDS_RESET, { .status = P, ASKED }, DENIED(STATE_CONFLICT) },
	{ "completed by the active", "", EVENT_COMPLETE_RESET, { .status = A, SIGNED }, KEEPS(A), .effects = OWN },
	{ "completed by the active, with a link still open", WETRACK, EVENT_COMPLETE_RESET, { .status = A, ASKED },
		KEEPS(A), .effects = OWN, .invitation = INVITATION_REVOKE },
	{ "completed by the pending", "", EVENT_COMPLETE_RESET, { .status = P, ASKED },
		GOES(A, ACCEPTED), .effects = OWN | IN, .invitation = INVITATION_REVOKE },
	{ "completed by the pending, before the first login", "activation_on=first_login", EVENT_COMPLETE_RESET, { .status = P, ASKED },
		KEEPS(P), .effects = OWN, .invitation = INVITATION_REVOKE },

	/* one's own password */
	{ "one's own password", "", EVENT_CHANGE_OWN_PASSWORD, { .status = A, SIGNED }, KEEPS(A), .effects = OWN },
	{ "one's own password, with a link still open (S1-09)", WETRACK, EVENT_CHANGE_OWN_PASSWORD, { .status = A, ASKED, .has_password = true },
		KEEPS(A), .effects = OWN, .invitation = INVITATION_REVOKE },

	/* delete */
	{ "nobody is deleted where the policy forbids it (S1-31, S2-14, S3-24)", "", EVENT_DELETE, { .status = A, SIGNED }, DENIED_BY(deletion) },
	{ "erased (S4-23)", "deletion=erase", EVENT_DELETE, { .status = A, SIGNED }, GOES(STATUS_NONE, BY_ADMIN), .effects = OUT },
	{ "anonymised", "deletion=anonymise", EVENT_DELETE, { .status = I, SIGNED }, GOES(STATUS_NONE, BY_ADMIN), .effects = OUT },
	{ "with a link still open", "deletion=erase", EVENT_DELETE, { .status = P, ASKED },
		GOES(STATUS_NONE, BY_ADMIN), .effects = OUT, .invitation = INVITATION_REVOKE },
	{ "locked", "deletion=erase", EVENT_DELETE, { LOCK_OF(A), SIGNED }, GOES(STATUS_NONE, BY_ADMIN), .effects = OUT },
	{ "an administrator beside another", "deletion=erase", EVENT_DELETE, { .status = A, SIGNED, ADMIN },
		GOES(STATUS_NONE, BY_ADMIN), .effects = OUT | REDUCES },
	{ "never the last administrator", "deletion=erase", EVENT_DELETE, { .status = A, SIGNED, LAST }, DENIED(LAST_ADMINISTRATOR) },
	{ "not a second time", "deletion=anonymise", EVENT_DELETE, { .status = I, .is_anonymised = true }, DENIED(STATE_CONFLICT) },
	{ "who was anonymised is not activated", "", EVENT_ACTIVATE, { .status = I, .is_anonymised = true, .brings_password = true },
		DENIED(STATE_CONFLICT) },
	{ "nor given a password", "", EVENT_ADMIN_SETS_PASSWORD, { .status = I, .is_anonymised = true }, DENIED(STATE_CONFLICT) },
	{ "nor invited", "invitation_resend_to=any", EVENT_INVITE, { .status = I, .is_anonymised = true }, DENIED(STATE_CONFLICT) },
	{ "nor let in", "", EVENT_LOGIN, { .status = I, .is_anonymised = true }, DENIED(LOGIN_FAILED) },
	/* another e-mail address */
	{ "another address is confirmed there and told here (S3-18)", KEYCRM, EVENT_CHANGE_EMAIL, { .status = A, SIGNED },
		KEEPS(A), .mails = M(EMAIL_CHANGE_CONFIRM) | M(EMAIL_CHANGE_NOTICE), .email = EMAIL_ISSUE },
	{ "a wish replaces the one before", KEYCRM, EVENT_CHANGE_EMAIL, { .status = A, SIGNED, .changes_email = true },
		KEEPS(A), .mails = M(EMAIL_CHANGE_CONFIRM) | M(EMAIL_CHANGE_NOTICE), .email = EMAIL_ISSUE },
	{ "never", "email_change=never", EVENT_CHANGE_EMAIL, { .status = A, SIGNED }, DENIED_BY(email_change) },
	{ "only while pending", "email_change=while_pending", EVENT_CHANGE_EMAIL, { .status = I, SIGNED }, DENIED_BY(email_change) },
	{ "the inactive confirm nothing", KEYCRM, EVENT_CHANGE_EMAIL, { .status = I, SIGNED }, DENIED(STATE_CONFLICT) },
	{ "the locked confirm nothing", KEYCRM, EVENT_CHANGE_EMAIL, { LOCK_OF(A), SIGNED }, DENIED(STATE_CONFLICT) },
	{ "the pending need not", KEYCRM, EVENT_CHANGE_EMAIL, { .status = P, ASKED }, DENIED(STATE_CONFLICT) },
	{ "nor does a first address", KEYCRM, EVENT_CHANGE_EMAIL, { .status = A, .has_password = true }, DENIED(STATE_CONFLICT) },
	{ "it is withdrawn, whatever the policy is now", "email_change=never", EVENT_KEEP_EMAIL, { .status = A, SIGNED, .changes_email = true },
		KEEPS(A), .email = EMAIL_WITHDRAW },
	{ "there is none to withdraw", KEYCRM, EVENT_KEEP_EMAIL, { .status = A, SIGNED }, DENIED(STATE_CONFLICT) },
	{ "confirmed: all sessions end, the address before is told", KEYCRM, EVENT_CONFIRM_EMAIL, { .status = A, SIGNED, .changes_email = true },
		KEEPS(A), .effects = SESSIONS, .mails = M(EMAIL_CHANGED), .email = EMAIL_REPLACE },
	{ "confirmed: an invitation that went to the address before dies", "email_change=admin", EVENT_CONFIRM_EMAIL,
		{ .status = A, ASKED, .changes_email = true }, KEEPS(A), .effects = SESSIONS, .invitation = INVITATION_REVOKE,
		.mails = M(EMAIL_CHANGED), .email = EMAIL_REPLACE },
	{ "confirmed after the policy has changed", "email_change=while_pending", EVENT_CONFIRM_EMAIL,
		{ .status = A, SIGNED, .changes_email = true }, DENIED_BY(email_change) },
	{ "confirmed after it was withdrawn", KEYCRM, EVENT_CONFIRM_EMAIL, { .status = A, SIGNED }, DENIED(LINK_REVOKED) },
	{ "confirmed by the inactive", KEYCRM, EVENT_CONFIRM_EMAIL, { .status = I, SIGNED, .changes_email = true }, DENIED(LINK_REVOKED) },
	{ "confirmed by the locked", KEYCRM, EVENT_CONFIRM_EMAIL, { LOCK_OF(A), SIGNED, .changes_email = true }, DENIED(LINK_REVOKED) },
};

static unsigned
effects_of(const struct transition *t)
{
	return (t->ends_sessions ? SESSIONS : 0u) | (t->forgets_guesses ? GUESSES : 0u)
		| (t->restarts_idle_clock ? CLOCK : 0u) | (t->sets_password ? PASSWORD : 0u)
		| (t->requires_password_reset ? DROPPED : 0u) | (t->issues_password_reset ? RESET : 0u)
		| (t->cancels_mails ? CANCELS : 0u) | (t->reduces_administrators ? REDUCES : 0u)
		| (t->keeps_status_before_lock ? REMEMBERS : 0u) | (t->detaches_assignments ? DETACHES : 0u);
}

static void
cases_come_out_as_the_document_says(void **state)
{
	(void)state;
	for (int n = 0; n < COUNT(cases); n++) {
		const struct expected *c = &cases[n];
		struct policy policy;
		struct transition t;
		bool allowed;

		print_message("  %s: %s\n", event_names[c->event], c->name);
		policy_apply(&policy, c->policy);
		allowed = lifecycle_decide(&policy, &c->user, c->event, &t);
		assert_int_equal(t.refusal, c->refusal);
		assert_int_equal(allowed, c->refusal == REFUSAL_NONE);
		if (c->refused_by != NULL) {
			assert_non_null(t.policy);
			assert_string_equal(t.policy, c->refused_by);
		}
		if (!allowed)
			continue;
		assert_int_equal(t.status, c->status);
		assert_int_equal(t.status_changes, c->reason >= 0);
		if (c->reason >= 0)
			assert_int_equal(t.reason, c->reason);
		assert_int_equal(effects_of(&t), c->effects);
		assert_int_equal(t.invitation, c->invitation);
		assert_int_equal(t.mails, c->mails);
		assert_int_equal(t.email, c->email);
	}
}

/* ---- Every combination. */

struct point {
	struct policy policy;
	struct user_state user;
};

#define ON(event) (1u << EVENT_##event)
#define EVERY (~0u)
#define EXISTING (EVERY & ~ON(CREATE))

/* What an event may depend on. What is not listed for it must not matter to it. */
struct dimension {
	const char *name;
	int count;
	void (*set)(struct point *point, int value);
	unsigned events;
};

#define SET(name_, statement) \
	static void \
	set_##name_(struct point *p, int v) \
	{ \
		statement; \
	}

SET(email_required, p->policy.email_required = v != 0)
SET(invite_on_create, p->policy.invite_on_create = (enum invite_on_create)v)
SET(initial_status, p->policy.initial_status = (enum initial_status)v)
SET(activation_on, p->policy.activation_on = (enum activation_on)v)
SET(admin_password_activates, p->policy.admin_password_activates = v != 0)
SET(admin_activates_pending, p->policy.admin_activates_pending = v != 0)
SET(password_at_create, p->policy.password_at_create = (enum password_at_create)v)
SET(assignments_on_inactivate, p->policy.assignments_on_inactivate = (enum assignments_on_inactivate)v)
SET(reactivation_password, p->policy.reactivation_password = (enum reactivation_password)v)
SET(invitation_on_expiry, p->policy.invitation_on_expiry = (enum invitation_on_expiry)v)
SET(invitation_max_renewals, p->policy.invitation_max_renewals = 2 * v)
SET(invitation_resend_to, p->policy.invitation_resend_to = (enum resend_to)v)
SET(lockout_threshold, p->policy.lockout_threshold = 10 * v)
SET(lockout_release, p->policy.lockout_release = (enum lockout_release)v)
SET(idle_after, p->policy.idle_after = v == 0 ? NULL : "P3M")
SET(idle_warn_days, p->policy.idle_warn_days = v == 0 ? "{}" : "{14,3}")
SET(admin_password_notice, p->policy.admin_password_notice = v != 0)
SET(password_self_reset, p->policy.password_self_reset = v != 0)
SET(deletion, p->policy.deletion = (enum deletion)v)
SET(email_change, p->policy.email_change = (enum email_change)v)
SET(invite_on_email_added, p->policy.invite_on_email_added = v != 0)
SET(invitation_letter, p->policy.invitation_letter = (enum invitation_letter)v)
SET(login_identifier, p->policy.login_identifier = (enum login_identifier)v)
SET(expiry_recipient, p->policy.invitation_expiry_recipient = (enum expiry_recipient)v)
SET(status, p->user.status = (enum user_status)v)
SET(status_before_lock, p->user.status_before_lock = v == 0 ? STATUS_PENDING : STATUS_ACTIVE)
SET(invitation, p->user.invitation = (enum invitation_state)v)
SET(invitation_is_letter, p->user.invitation_is_letter = v != 0)
SET(email_added_later, p->user.email_added_later = v != 0)
SET(changes_email, p->user.changes_email = v != 0)
SET(has_email, p->user.has_email = v != 0)
SET(has_password, p->user.has_password = v != 0)
SET(administrator, p->user.is_administrator = v > 0; p->user.is_last_administrator = v > 1)
SET(is_anonymised, p->user.is_anonymised = v != 0)
SET(renewals, p->user.renewals = v)
SET(lock_mail_release, p->user.lock_mail_release = v != 0)
SET(through_administrator, p->user.through_administrator = v != 0)
SET(wanted_status, p->user.wanted_status = (enum user_status)v)
SET(wants_invitation, p->user.wants_invitation = v - 1)
SET(brings_password, p->user.brings_password = v != 0)
SET(is_founder, p->user.is_founder = v != 0)

#define D(name_, count_, events_) { #name_, count_, set_##name_, events_ }
static const struct dimension dimensions[] = {
	D(status, STATUS_COUNT, EVERY),
	D(email_required, 2, ON(CREATE)),
	D(invite_on_create, 3, ON(CREATE)),
	D(initial_status, 2, ON(CREATE)),
	D(password_at_create, 3, ON(CREATE)),
	D(wanted_status, STATUS_COUNT, ON(CREATE)),
	D(wants_invitation, 3, ON(CREATE)),
	D(is_founder, 2, ON(CREATE) | ON(INVITE)),
	D(invitation_letter, 2, ON(CREATE) | ON(INVITE) | ON(LINK_EXPIRES)),
	D(invitation_is_letter, 2, ON(LINK_EXPIRES)),
	D(invite_on_email_added, 2, ON(INVITE)),
	D(email_added_later, 2, ON(INVITE)),
	D(brings_password, 2, ON(CREATE) | ON(ACTIVATE)),
	D(admin_password_activates, 2, ON(CREATE) | ON(ADMIN_SETS_PASSWORD)),
	D(activation_on, 2, ON(ACCEPT_INVITATION) | ON(LOGIN) | ON(COMPLETE_RESET)),
	D(admin_activates_pending, 2, ON(ACTIVATE)),
	D(assignments_on_inactivate, 2, ON(INACTIVATE) | ON(IDLE)),
	D(reactivation_password, 2, ON(ACTIVATE)),
	D(invitation_on_expiry, 4, ON(LINK_EXPIRES)),
	D(invitation_max_renewals, 2, ON(LINK_EXPIRES)),
	D(renewals, 4, ON(LINK_EXPIRES)),
	D(invitation_resend_to, 2, ON(INVITE)),
	D(lockout_threshold, 2, ON(WRONG_PASSWORD)),
	D(lockout_release, 3, ON(WRONG_PASSWORD) | ON(RELEASE) | ON(COMPLETE_RESET)),
	D(lock_mail_release, 2, ON(COMPLETE_RESET)),
	D(through_administrator, 2, ON(ACCEPT_INVITATION)),
	D(idle_after, 2, ON(IDLE) | ON(IDLE_WARNING)),
	D(idle_warn_days, 2, ON(IDLE_WARNING)),
	D(admin_password_notice, 2, ON(ADMIN_SETS_PASSWORD)),
	D(password_self_reset, 2, ON(REQUEST_RESET)),
	D(has_email, 2, EVERY),
	D(has_password, 2, ON(LOGIN) | ON(WRONG_PASSWORD) | ON(REQUEST_RESET)),
	D(invitation, INVITATION_REVOKED + 1, EXISTING),
	D(administrator, 3, EXISTING),
	D(status_before_lock, 2, ON(RELEASE) | ON(COMPLETE_RESET)),
	D(deletion, 3, ON(DELETE)),
	D(is_anonymised, 2, EXISTING),
	D(email_change, 3, ON(CHANGE_EMAIL) | ON(CONFIRM_EMAIL)),
	D(changes_email, 2, ON(KEEP_EMAIL) | ON(CONFIRM_EMAIL)),
	D(login_identifier, 3, 0),
	D(expiry_recipient, 2, 0),
};

/* Only an active user is an administrator, only an inactive one is anonymised, and before
 * an invitation there is nobody. */
static void
make_consistent(struct point *point)
{
	if (point->user.status != STATUS_ACTIVE) {
		point->user.is_administrator = false;
		point->user.is_last_administrator = false;
	}
	if (point->user.status != STATUS_INACTIVE)
		point->user.is_anonymised = false;
	if (point->user.status == STATUS_NONE)
		point->user.invitation = INVITATION_NONE;
}

static void
check_refused(const struct user_state *user, const struct transition *t)
{
	size_t length;

	assert_int_equal(t->status, user->status);
	assert_false(t->status_changes);
	assert_int_equal(effects_of(t), 0);
	assert_int_equal(t->invitation, INVITATION_UNCHANGED);
	assert_int_equal(t->mails, 0);
	assert_int_equal(t->email, EMAIL_UNCHANGED);
	assert_non_null(t->detail);
	length = strlen(t->detail);
	assert_true(length > 20 && t->detail[length - 1] == '.');
	assert_int_equal(t->policy != NULL, t->refusal == REFUSAL_POLICY);
	if (t->policy != NULL)
		assert_non_null(policy_column_find(t->policy));
}

static void
check_status(const struct user_state *user, enum user_event event, const struct transition *t)
{
	bool leaves_active = user->status == STATUS_ACTIVE && t->status != STATUS_ACTIVE;

	assert_int_equal(t->status_changes, t->status != user->status);
	assert_int_equal(t->status == STATUS_NONE, event == EVENT_DELETE);
	assert_true(event != EVENT_DELETE || !user->is_anonymised);
	if (t->status_changes && t->status == STATUS_PENDING) {
		assert_true(event == EVENT_CREATE
			|| (user->status == STATUS_LOCKED && user->status_before_lock == STATUS_PENDING
				&& t->reason == REASON_RELEASED));
	}
	assert_true(!leaves_active || t->ends_sessions);
	assert_true(!leaves_active || !user->is_last_administrator);
	assert_int_equal(t->reduces_administrators, leaves_active && user->is_administrator);
	assert_int_equal(t->keeps_status_before_lock, t->status_changes && t->status == STATUS_LOCKED);
	/* Whoever can be back any moment keeps what he was given. */
	assert_true(!t->detaches_assignments || (t->status_changes && t->status == STATUS_INACTIVE && event != EVENT_CREATE));
	if (t->status_changes && t->status == STATUS_LOCKED)
		assert_true(event == EVENT_WRONG_PASSWORD && t->reason == REASON_WRONG_PASSWORD);
	if (t->status_changes && t->reason == REASON_RELEASED)
		assert_true(user->status == STATUS_LOCKED && t->status == user->status_before_lock);
	if (t->status_changes && t->reason == REASON_IDLE)
		assert_true(event == EVENT_IDLE && t->status == STATUS_INACTIVE);
	/* Who becomes active starts anew; who is not active has no idle clock. */
	if (t->status_changes && t->status == STATUS_ACTIVE)
		assert_true(t->forgets_guesses && t->restarts_idle_clock);
	assert_true(!t->restarts_idle_clock || t->status == STATUS_ACTIVE);
}

static void
check_links_and_mails(const struct policy *policy, const struct user_state *user, enum user_event event,
	const struct transition *t)
{
	const unsigned to_administrators = M(INVITATION_EXPIRED) | M(INVITATION_LAPSED);
	bool is_open = user->invitation == INVITATION_PENDING;
	bool is_lapsed = user->invitation == INVITATION_EXPIRED;
	bool has_come_to_be_out = t->status_changes && (t->status == STATUS_INACTIVE || t->status == STATUS_LOCKED);

	/* No link survives going out, nor a password that was set without it (S1-09 to S1-13). */
	if (has_come_to_be_out && event != EVENT_CREATE)
		assert_true(t->ends_sessions && t->cancels_mails);
	if ((is_open || is_lapsed) && (has_come_to_be_out || t->sets_password))
		assert_true(t->invitation == INVITATION_REVOKE || t->invitation == INVITATION_ACCEPT);
	if (is_open && user->status == STATUS_PENDING && t->status == STATUS_ACTIVE)
		assert_true(t->invitation == INVITATION_REVOKE || t->invitation == INVITATION_ACCEPT);
	if (t->invitation == INVITATION_REVOKE)
		assert_true(is_open || is_lapsed);
	if (t->invitation == INVITATION_ACCEPT || t->invitation == INVITATION_RENEW || t->invitation == INVITATION_EXPIRE)
		assert_true(is_open);
	if (t->invitation == INVITATION_ISSUE || t->invitation == INVITATION_ISSUE_LETTER || t->invitation == INVITATION_RENEW)
		assert_true(t->status == STATUS_PENDING || t->status == STATUS_ACTIVE);

	assert_int_equal(t->mails & (M(LOCK_DIGEST) | M(IDLE_BRAKE) | M(IMPORT_DONE)), 0);
	assert_int_equal(t->mails >> MAIL_KIND_COUNT, 0);
	if (!user->has_email)
		assert_int_equal(t->mails & ~to_administrators, 0);
	if (t->mails & (M(INVITATION) | M(INVITATION_EXPIRED)))
		assert_true(t->invitation == INVITATION_ISSUE || t->invitation == INVITATION_RENEW);
	/* A letter is no link, and no link goes where letters do. */
	assert_true((t->mails & M(LOGIN_INFO)) == 0 || t->invitation == INVITATION_ISSUE_LETTER);
	if (policy->invitation_letter == LETTER_LOGIN_INFO && !user->is_founder)
		assert_true((t->mails & (M(INVITATION) | M(INVITATION_EXPIRED))) == 0);
	if (t->mails & M(PASSWORD_RESET))
		assert_true(t->issues_password_reset);
	if (t->issues_password_reset)
		assert_true((t->mails & (M(PASSWORD_RESET) | M(ACCOUNT_LOCKED))) != 0);
}

/* Asking changes nothing yet, and tells both addresses; with an address everything that it
 * was good for goes. */
static void
check_email(const struct policy *policy, const struct user_state *user, enum user_event event, const struct transition *t)
{
	const unsigned asks = M(EMAIL_CHANGE_CONFIRM) | M(EMAIL_CHANGE_NOTICE);

	assert_int_equal(t->email == EMAIL_ISSUE, event == EVENT_CHANGE_EMAIL);
	assert_int_equal(t->email == EMAIL_WITHDRAW, event == EVENT_KEEP_EMAIL);
	assert_int_equal(t->email == EMAIL_REPLACE, event == EVENT_CONFIRM_EMAIL);
	assert_int_equal(t->mails & asks, event == EVENT_CHANGE_EMAIL ? asks : 0);
	if (t->email == EMAIL_ISSUE || t->email == EMAIL_REPLACE)
		assert_true(policy->email_change == EMAIL_CHANGE_ADMIN && user->status == STATUS_ACTIVE);
	if (t->email == EMAIL_REPLACE)
		assert_true(t->ends_sessions && user->changes_email
			&& (user->invitation != INVITATION_PENDING || t->invitation == INVITATION_REVOKE));
}

static void
check_password(const struct user_state *user, enum user_event event, const struct transition *t)
{
	if (t->sets_password && event != EVENT_CREATE)
		assert_true(t->ends_sessions && t->forgets_guesses);
	assert_true(!t->sets_password || !t->requires_password_reset);
	if (event == EVENT_CREATE || event == EVENT_ACTIVATE)
		assert_int_equal(t->sets_password, user->brings_password);
	else
		assert_int_equal(t->sets_password, event == EVENT_ACCEPT_INVITATION || event == EVENT_COMPLETE_RESET
			|| event == EVENT_ADMIN_SETS_PASSWORD || event == EVENT_CHANGE_OWN_PASSWORD);
}

static void
check(const struct point *point, enum user_event event)
{
	struct transition t;
	bool allowed;

	memset(&t, 0xaa, sizeof t);
	allowed = lifecycle_decide(&point->policy, &point->user, event, &t);
	assert_int_equal(allowed, t.refusal == REFUSAL_NONE);
	if (!allowed) {
		check_refused(&point->user, &t);
		return;
	}
	assert_null(t.policy);
	assert_null(t.detail);
	check_status(&point->user, event, &t);
	check_links_and_mails(&point->policy, &point->user, event, &t);
	check_email(&point->policy, &point->user, event, &t);
	check_password(&point->user, event, &t);
}

static long
check_all(struct point *point, enum user_event event, int from)
{
	long checked = 0;

	while (from < COUNT(dimensions) && (dimensions[from].events & 1u << event) == 0)
		from++;
	if (from == COUNT(dimensions)) {
		struct point consistent = *point;

		make_consistent(&consistent);
		check(&consistent, event);
		return 1;
	}
	for (int value = 0; value < dimensions[from].count; value++) {
		dimensions[from].set(point, value);
		checked += check_all(point, event, from + 1);
	}
	return checked;
}

static void
point_init(struct point *point)
{
	*point = (struct point){ .user = { .wants_invitation = -1, .status_before_lock = STATUS_ACTIVE } };
	policy_set_defaults(&point->policy);
}

static void
what_must_hold_holds_in_every_combination(void **state)
{
	(void)state;
	for (int event = 0; event < EVENT_COUNT; event++) {
		struct point point;

		point_init(&point);
		print_message("  %s: %ld combinations\n", event_names[event], check_all(&point, (enum user_event)event, 0));
	}
}

/* xorshift: the same points every time. */
static unsigned
next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static bool
is_same(const struct transition *a, const struct transition *b)
{
	return a->refusal == b->refusal && a->policy == b->policy && a->detail == b->detail
		&& a->status == b->status && a->status_changes == b->status_changes && a->reason == b->reason
		&& effects_of(a) == effects_of(b) && a->invitation == b->invitation && a->email == b->email
		&& a->mails == b->mails;
}

static void
nothing_depends_on_what_is_not_its_business(void **state)
{
	uint32_t seed = 20240229;

	(void)state;
	for (int n = 0; n < 200000; n++) {
		enum user_event event = (enum user_event)(next_random(&seed) % EVENT_COUNT);
		const struct dimension *other = &dimensions[next_random(&seed) % COUNT(dimensions)];
		struct point point;
		struct transition before, after;

		point_init(&point);
		for (int d = 0; d < COUNT(dimensions); d++)
			dimensions[d].set(&point, (int)(next_random(&seed) % (unsigned)dimensions[d].count));
		make_consistent(&point);
		check(&point, event);
		if (other->events & 1u << event)
			continue;
		lifecycle_decide(&point.policy, &point.user, event, &before);
		other->set(&point, (int)(next_random(&seed) % (unsigned)other->count));
		make_consistent(&point);
		lifecycle_decide(&point.policy, &point.user, event, &after);
		if (!is_same(&before, &after))
			fail_msg("%s depends on %s", event_names[event], other->name);
	}
}

/* ---- Links and words. */

static void
links_say_why_they_are_dead(void **state)
{
	static const struct {
		enum invitation_state state;
		uint32_t generation;
		bool has_passed, previous_expired;
		uint32_t token;
		enum link_verdict verdict;
	} links[] = {
		{ INVITATION_NONE, 0, false, false, 1, LINK_UNKNOWN },
		{ INVITATION_PENDING, 1, false, false, 0, LINK_UNKNOWN },
		{ INVITATION_PENDING, 1, false, false, 1, LINK_ALIVE },
		{ INVITATION_PENDING, 1, true, false, 1, LINK_EXPIRED },
		{ INVITATION_PENDING, 1, false, false, 2, LINK_UNKNOWN },
		/* replaced by an administrator, by the clock */
		{ INVITATION_PENDING, 3, false, false, 2, LINK_REVOKED },
		{ INVITATION_PENDING, 3, false, true, 2, LINK_EXPIRED },
		{ INVITATION_PENDING, 3, true, true, 2, LINK_EXPIRED },
		{ INVITATION_PENDING, 3, false, true, 1, LINK_REVOKED },
		{ INVITATION_PENDING, UINT32_MAX, false, true, UINT32_MAX, LINK_ALIVE },
		{ INVITATION_PENDING, UINT32_MAX, false, true, 1, LINK_REVOKED },
		{ INVITATION_EXPIRED, 2, true, false, 2, LINK_EXPIRED },
		{ INVITATION_EXPIRED, 2, true, true, 1, LINK_EXPIRED },
		{ INVITATION_EXPIRED, 2, true, false, 1, LINK_REVOKED },
		/* used until a newer one is made; passing changes nothing */
		{ INVITATION_ACCEPTED, 2, false, false, 2, LINK_USED },
		{ INVITATION_ACCEPTED, 2, true, false, 2, LINK_USED },
		{ INVITATION_ACCEPTED, 2, true, false, 1, LINK_REVOKED },
		{ INVITATION_ACCEPTED, 2, true, true, 1, LINK_EXPIRED },
		/* revoking is a generation of its own that was never sent */
		{ INVITATION_REVOKED, 2, false, false, 1, LINK_REVOKED },
		{ INVITATION_REVOKED, 2, false, false, 2, LINK_REVOKED },
		{ INVITATION_REVOKED, 3, false, false, 1, LINK_REVOKED },
		{ INVITATION_REVOKED, 3, false, false, 4, LINK_UNKNOWN },
	};

	(void)state;
	for (int n = 0; n < COUNT(links); n++) {
		print_message("  link %d\n", n);
		assert_int_equal(invitation_link_verdict(links[n].state, links[n].generation, links[n].has_passed,
			links[n].previous_expired, false, links[n].token), links[n].verdict);
		/* Of a letter no link was made; what was one before it is as dead as ever. */
		assert_int_equal(invitation_link_verdict(links[n].state, links[n].generation, links[n].has_passed,
			links[n].previous_expired, true, links[n].token),
			links[n].token == links[n].generation ? LINK_UNKNOWN : links[n].verdict);
	}
}

static void
words_go_there_and_back(void **state)
{
	(void)state;
	assert_null(user_status_word(STATUS_NONE));
	assert_null(invitation_state_word(INVITATION_NONE));
	for (int n = STATUS_PENDING; n < STATUS_COUNT; n++)
		assert_int_equal(user_status_from_word(user_status_word((enum user_status)n)), n);
	for (int n = INVITATION_PENDING; n <= INVITATION_REVOKED; n++)
		assert_int_equal(invitation_state_from_word(invitation_state_word((enum invitation_state)n)), n);
	for (int n = 0; n < MAIL_KIND_COUNT; n++)
		assert_int_equal(mail_kind_from_word(mail_kind_word((enum mail_kind)n)), n);
	for (int n = 0; n < REASON_COUNT; n++)
		assert_non_null(status_reason_word((enum status_reason)n));

	assert_int_equal(user_status_from_word(NULL), STATUS_NONE);
	assert_int_equal(user_status_from_word("Pending"), STATUS_NONE);
	assert_int_equal(invitation_state_from_word(NULL), INVITATION_NONE);
	assert_int_equal(invitation_state_from_word(""), INVITATION_NONE);
	assert_int_equal(mail_kind_from_word(NULL), MAIL_KIND_COUNT);
	assert_int_equal(mail_kind_from_word("invitations"), MAIL_KIND_COUNT);

	assert_string_equal(user_status_word(STATUS_LOCKED), "locked");
	assert_string_equal(status_reason_word(REASON_WRONG_PASSWORD), "wrong_password");
	assert_string_equal(status_reason_word(REASON_RELEASED), "released");
	assert_string_equal(invitation_state_word(INVITATION_REVOKED), "revoked");
	assert_string_equal(mail_kind_word(MAIL_INVITATION_ACCEPTED_FOR_YOU), "invitation_accepted_for_you");
}

/* "('pending', 'active', ...)", as a CHECK of some migration lists them. */
static void
assert_listed(const char *(*word_at)(int value), int first, int last)
{
	char list[256] = "(";
	bool is_there = false;

	for (int n = first; n <= last; n++)
		snprintf(list + strlen(list), sizeof list - strlen(list), "'%s'%s", word_at(n), n < last ? ", " : ")");
	for (int n = 0; n < migration_count; n++)
		is_there |= strstr(migrations[n].sql, list) != NULL;
	if (!is_there)
		fail_msg("no migration lists %s", list);
}

static const char *
status_at(int value)
{
	return user_status_word((enum user_status)value);
}

static const char *
reason_at(int value)
{
	return status_reason_word((enum status_reason)value);
}

static const char *
invitation_at(int value)
{
	return invitation_state_word((enum invitation_state)value);
}

static void
the_database_knows_the_same_words(void **state)
{
	(void)state;
	assert_listed(status_at, STATUS_PENDING, STATUS_LOCKED);
	assert_listed(reason_at, REASON_INVITED, REASON_RELEASED);
	assert_listed(invitation_at, INVITATION_PENDING, INVITATION_REVOKED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_status_and_event_under_the_default_policy),
		cmocka_unit_test(nobody_can_do_nothing_but_be_created),
		cmocka_unit_test(cases_come_out_as_the_document_says),
		cmocka_unit_test(what_must_hold_holds_in_every_combination),
		cmocka_unit_test(nothing_depends_on_what_is_not_its_business),
		cmocka_unit_test(links_say_why_they_are_dead),
		cmocka_unit_test(words_go_there_and_back),
		cmocka_unit_test(the_database_knows_the_same_words),
	};

	return cmocka_run_group_tests_name("lifecycle", tests, NULL, NULL);
}
