/*
 * lifecycle: see lifecycle.h.
 *
 * Three parts: conditions (one question about policy and facts each), the table
 * (DESIGN.md §4, a row an outcome) and the driver, which finds the row and spells it out.
 *
 * The first row that fits decides. A row names who it is about (any of several
 * statuses), the event and a condition; what follows is the outcome, or the refusal.
 * Always true: the last row fits everything, so there is an answer to every question;
 * refusals have no effects; nothing leads back to pending but the end of a lock.
 */
#include "lifecycle.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "policy.h"

/* The "from" column: any of these statuses. */
enum {
	NOBODY = 1u << STATUS_NONE,
	PENDING = 1u << STATUS_PENDING,
	ACTIVE = 1u << STATUS_ACTIVE,
	INACTIVE = 1u << STATUS_INACTIVE,
	LOCKED = 1u << STATUS_LOCKED,
	ANYBODY = PENDING | ACTIVE | INACTIVE | LOCKED,
};

enum { ANY_EVENT = EVENT_COUNT };

/* The "to" column: a status, or one of these. */
enum { SAME_STATUS = STATUS_NONE, STATUS_BEFORE_LOCK = STATUS_COUNT, STATUS_GONE };

enum {
	ENDS_SESSIONS = 1u << 0,
	FORGETS_GUESSES = 1u << 1,
	RESTARTS_IDLE_CLOCK = 1u << 2,
	SETS_PASSWORD = 1u << 3,
	SETS_PASSWORD_IF_BROUGHT = 1u << 4,
	DROPS_PASSWORD = 1u << 5,
	ISSUES_RESET = 1u << 6,
	CANCELS_MAILS = 1u << 7,
	LEAVES_ASSIGNMENTS = 1u << 8,	/* by policy */

	/* Whoever sets a password ends all that was open under the one before: sessions,
	 * reset links (a pending user may have one), guesses at it. */
	NEW_PASSWORD = SETS_PASSWORD | FORGETS_GUESSES | ENDS_SESSIONS,
	/* What everyone who becomes active starts with. */
	LETS_IN = FORGETS_GUESSES | RESTARTS_IDLE_CLOCK,
	SHUTS_OUT = ENDS_SESSIONS | CANCELS_MAILS,
};

typedef bool condition(const struct policy *policy, const struct user_state *user);

struct rule {
	unsigned from;
	int event;
	condition *when;
	int to;
	enum status_reason reason;
	unsigned effects;
	enum invitation_effect invitation;
	enum email_effect email;
	unsigned mails;
	enum refusal refusal;
	const char *policy;
	const char *detail;
};

/* ---- Conditions. A row's condition sees only what the rows above let through. */

static bool
always(const struct policy *policy, const struct user_state *user)
{
	(void)policy;
	(void)user;
	return true;
}

/* Conditions on the policy alone, and on the user alone. */
#define POLICY_CONDITION(name, expression) \
	static bool \
	name(const struct policy *policy, const struct user_state *user) \
	{ \
		(void)user; \
		return expression; \
	}
#define USER_CONDITION(name, expression) \
	static bool \
	name(const struct policy *policy, const struct user_state *user) \
	{ \
		(void)policy; \
		return expression; \
	}

POLICY_CONDITION(password_set_activates, policy->activation_on == ACTIVATION_PASSWORD_SET)
POLICY_CONDITION(admin_password_activates, policy->admin_password_activates)
POLICY_CONDITION(admin_activates_pending, policy->admin_activates_pending)
POLICY_CONDITION(invites_only_pending, policy->invitation_resend_to == RESEND_TO_PENDING)
POLICY_CONDITION(expiry_says_nothing, policy->invitation_on_expiry == EXPIRY_NOTHING)
POLICY_CONDITION(nobody_becomes_idle, policy->idle_after == NULL)
POLICY_CONDITION(nobody_is_warned, strcmp(policy->idle_warn_days, "{}") == 0)
POLICY_CONDITION(nobody_is_locked, policy->lockout_threshold == 0)
POLICY_CONDITION(time_releases, policy->lockout_release == RELEASE_INTERVAL)
POLICY_CONDITION(no_self_reset, !policy->password_self_reset)
POLICY_CONDITION(nobody_is_deleted, policy->deletion == DELETION_FORBIDDEN)
POLICY_CONDITION(nobody_changes_addresses, policy->email_change != EMAIL_CHANGE_ADMIN)

USER_CONDITION(has_no_email, !user->has_email)
USER_CONDITION(has_no_password, !user->has_password)
USER_CONDITION(has_no_open_link, user->invitation != INVITATION_PENDING)
USER_CONDITION(changes_no_email, !user->changes_email)
USER_CONDITION(is_last_administrator, user->is_last_administrator)
USER_CONDITION(is_anonymised, user->is_anonymised)
/* "Save now, invite later" (S4-15): nobody lets himself in before he was asked. */
USER_CONDITION(was_never_let_in, !user->has_password && user->invitation == INVITATION_NONE)

static bool
first_login_activates(const struct policy *policy, const struct user_state *user)
{
	return policy->activation_on == ACTIVATION_FIRST_LOGIN && user->has_password;
}

static bool
must_reset(const struct policy *policy, const struct user_state *user)
{
	return policy->reactivation_password == REACTIVATION_MUST_RESET && !user->brings_password;
}

/* The letter says where to sign in, the password comes from the administrator: no link
 * may ever be mailed in its place. The founder has nobody who could tell him one. */
static bool
gets_letter(const struct policy *policy, const struct user_state *user)
{
	return policy->invitation_letter == LETTER_LOGIN_INFO && !user->is_founder;
}

static bool
has_letter(const struct policy *policy, const struct user_state *user)
{
	return policy->invitation_letter == LETTER_LOGIN_INFO || user->invitation_is_letter;
}

static bool
is_told_by_hand(const struct policy *policy, const struct user_state *user)
{
	return !policy->invite_on_email_added && user->email_added_later && !user->is_founder;
}

static bool
lock_mail_has_link(const struct policy *policy, const struct user_state *user)
{
	return policy->lockout_release == RELEASE_MAIL_LINK && user->has_email;
}

static bool
lock_mail_releases(const struct policy *policy, const struct user_state *user)
{
	return policy->lockout_release == RELEASE_MAIL_LINK && user->lock_mail_release;
}

static bool
renews_for_admin(const struct policy *policy, const struct user_state *user)
{
	return policy->invitation_on_expiry == EXPIRY_MAIL_ADMIN_NEW_LINK
		&& user->renewals < policy->invitation_max_renewals;
}

static bool
renews_for_user(const struct policy *policy, const struct user_state *user)
{
	return policy->invitation_on_expiry == EXPIRY_RESEND_TO_USER && user->has_email
		&& user->renewals < policy->invitation_max_renewals;
}

/* -- of creating: what the caller wishes, against what the policy lets him */

static bool
email_is_missing(const struct policy *policy, const struct user_state *user)
{
	return policy->email_required && !user->has_email;
}

USER_CONDITION(wants_locked, user->wanted_status == STATUS_LOCKED)
USER_CONDITION(wants_inactive, user->wanted_status == STATUS_INACTIVE)

static bool
chooses_status(const struct policy *policy, const struct user_state *user)
{
	return policy->initial_status != INITIAL_CHOSEN_BY_ADMIN
		&& user->wanted_status != STATUS_NONE && user->wanted_status != STATUS_PENDING;
}

/* The founder chooses his password through the link. */
static bool
password_is_missing(const struct policy *policy, const struct user_state *user)
{
	return policy->password_at_create == PASSWORD_REQUIRED
		&& !user->brings_password && !user->is_founder;
}

static bool
password_is_forbidden(const struct policy *policy, const struct user_state *user)
{
	return policy->password_at_create == PASSWORD_FORBIDDEN && user->brings_password;
}

static bool
invitation_is_forbidden(const struct policy *policy, const struct user_state *user)
{
	return policy->invite_on_create == INVITE_NEVER && user->wants_invitation == 1
		&& !user->is_founder;
}

/* A password that comes with a creation is an administrator's password. */
static bool
starts_active(const struct policy *policy, const struct user_state *user)
{
	if (user->wanted_status == STATUS_ACTIVE || user->wanted_status == STATUS_INACTIVE)
		return user->wanted_status == STATUS_ACTIVE;
	return user->brings_password && policy->admin_password_activates;
}

/* "Always" means everybody whom a link can reach and to whom it is of use. */
static bool
is_invited_unasked(const struct policy *policy, const struct user_state *user)
{
	bool needs_no_link = user->brings_password && starts_active(policy, user);

	return policy->invite_on_create == INVITE_ALWAYS && user->has_email
		&& user->wanted_status != STATUS_INACTIVE && !needs_no_link;
}

static bool
is_invited(const struct policy *policy, const struct user_state *user)
{
	if (user->is_founder || user->wants_invitation == 1)
		return true;
	return user->wants_invitation != 0 && is_invited_unasked(policy, user);
}

static bool
declines_invitation(const struct policy *policy, const struct user_state *user)
{
	return user->wants_invitation == 0 && !user->is_founder && is_invited_unasked(policy, user);
}

/* The founder's link is printed, too: it goes out without an address. */
USER_CONDITION(wants_mail_to_nowhere,
	user->wants_invitation == 1 && !user->has_email && !user->is_founder)

static bool
is_invited_inactive(const struct policy *policy, const struct user_state *user)
{
	return user->wanted_status == STATUS_INACTIVE && is_invited(policy, user);
}

static bool
starts_active_and_invited(const struct policy *policy, const struct user_state *user)
{
	return starts_active(policy, user) && is_invited(policy, user);
}

/* ---- The table. */

#define BECOMES(status_, reason_) .to = STATUS_##status_, .reason = REASON_##reason_
#define GOES .to = STATUS_GONE, .reason = REASON_BY_ADMIN
#define RETURNS .to = STATUS_BEFORE_LOCK, .reason = REASON_RELEASED
#define STAYS .to = SAME_STATUS
#define DOES(effects_) .effects = (effects_)
#define LINK(effect_) .invitation = INVITATION_##effect_
#define EMAIL(effect_) .email = EMAIL_##effect_
#define MAILS(kind_) .mails = MAIL_BIT(MAIL_##kind_)
#define IS_DELETED "Create a new user instead: this one was deleted, and only the id is left."
#define MAILS_BOTH(kind_, other_) .mails = MAIL_BIT(MAIL_##kind_) | MAIL_BIT(MAIL_##other_)
#define REFUSED(refusal_, detail_) .refusal = REFUSAL_##refusal_, .detail = detail_
#define REFUSED_BY(policy_, detail_) \
	.refusal = REFUSAL_POLICY, .policy = #policy_, .detail = detail_

/* clang-format off */
static const struct rule rules[] = {
	/* -- create */
	{ NOBODY, EVENT_CREATE, email_is_missing,
		REFUSED_BY(email_required, "Give an e-mail address: this organization requires one for every user.") },
	{ NOBODY, EVENT_CREATE, wants_locked,
		REFUSED(STATE_CONFLICT, "Leave the status out: nobody is created locked.") },
	{ NOBODY, EVENT_CREATE, chooses_status,
		REFUSED_BY(initial_status, "Leave the status out: new users start as pending here.") },
	{ NOBODY, EVENT_CREATE, password_is_missing,
		REFUSED_BY(password_at_create, "Give a password: this organization requires one for every new user.") },
	{ NOBODY, EVENT_CREATE, password_is_forbidden,
		REFUSED_BY(password_at_create, "Leave the password out: users set their own through the invitation here.") },
	{ NOBODY, EVENT_CREATE, invitation_is_forbidden,
		REFUSED_BY(invite_on_create, "Leave the invitation out and invite the user after creating: creating sends none here.") },
	{ NOBODY, EVENT_CREATE, declines_invitation,
		REFUSED_BY(invite_on_create, "Leave the invitation to its default: every new user is invited here.") },
	{ NOBODY, EVENT_CREATE, wants_mail_to_nowhere,
		REFUSED(NO_EMAIL, "Give an e-mail address or do not ask for an invitation: there is nowhere to send it.") },
	{ NOBODY, EVENT_CREATE, is_invited_inactive,
		REFUSED(STATE_CONFLICT, "Create the user active or pending, or do not ask for an invitation: inactive users are not invited.") },
	{ NOBODY, EVENT_CREATE, wants_inactive,
		BECOMES(INACTIVE, BY_ADMIN), DOES(SETS_PASSWORD_IF_BROUGHT) },
	{ NOBODY, EVENT_CREATE, starts_active_and_invited,	/* S4-15 */
		BECOMES(ACTIVE, BY_ADMIN), DOES(LETS_IN | SETS_PASSWORD_IF_BROUGHT), LINK(ISSUE), MAILS(INVITATION) },
	{ NOBODY, EVENT_CREATE, starts_active,
		BECOMES(ACTIVE, BY_ADMIN), DOES(LETS_IN | SETS_PASSWORD_IF_BROUGHT) },
	{ NOBODY, EVENT_CREATE, is_invited,			/* S0-15, S1-01, S1-05 */
		BECOMES(PENDING, INVITED), DOES(SETS_PASSWORD_IF_BROUGHT), LINK(ISSUE), MAILS(INVITATION) },
	{ NOBODY, EVENT_CREATE, always,
		BECOMES(PENDING, CREATED), DOES(SETS_PASSWORD_IF_BROUGHT) },
	{ ANYBODY, EVENT_CREATE, always,
		REFUSED(STATE_CONFLICT, "Change the user instead: this one exists already.") },

	/* -- accept the invitation: its link was judged (invitation_link_verdict) before */
	{ NOBODY | INACTIVE | LOCKED, EVENT_ACCEPT_INVITATION, always,
		REFUSED(LINK_REVOKED, "Ask your administrator for access: this link was withdrawn.") },
	{ PENDING | ACTIVE, EVENT_ACCEPT_INVITATION, has_no_open_link,
		REFUSED(LINK_REVOKED, "Ask your administrator for a new invitation: this link was withdrawn.") },
	{ PENDING, EVENT_ACCEPT_INVITATION, password_set_activates,	/* S0-17 */
		BECOMES(ACTIVE, ACCEPTED), DOES(NEW_PASSWORD | LETS_IN), LINK(ACCEPT), MAILS(INVITATION_ACCEPTED_FOR_YOU) },
	{ PENDING | ACTIVE, EVENT_ACCEPT_INVITATION, always,
		STAYS, DOES(NEW_PASSWORD), LINK(ACCEPT), MAILS(INVITATION_ACCEPTED_FOR_YOU) },

	/* -- an administrator sets a password */
	{ INACTIVE, EVENT_ADMIN_SETS_PASSWORD, is_anonymised,
		REFUSED(STATE_CONFLICT, IS_DELETED) },
	{ PENDING, EVENT_ADMIN_SETS_PASSWORD, admin_password_activates,	/* S1-11, S1-22 */
		BECOMES(ACTIVE, BY_ADMIN), DOES(NEW_PASSWORD | LETS_IN), LINK(REVOKE) },
	{ ACTIVE, EVENT_ADMIN_SETS_PASSWORD, always,
		STAYS, DOES(NEW_PASSWORD), LINK(REVOKE), MAILS(PASSWORD_CHANGED) },
	{ PENDING | INACTIVE | LOCKED, EVENT_ADMIN_SETS_PASSWORD, always,
		STAYS, DOES(NEW_PASSWORD), LINK(REVOKE) },

	/* -- log in: the password was right. Who is in has no use for the link: it counts as accepted. */
	{ PENDING, EVENT_LOGIN, first_login_activates,			/* S3-16 */
		BECOMES(ACTIVE, FIRST_LOGIN), DOES(LETS_IN), LINK(ACCEPT) },
	{ ACTIVE, EVENT_LOGIN, always,
		STAYS, DOES(LETS_IN) },
	{ NOBODY | PENDING | INACTIVE | LOCKED, EVENT_LOGIN, always,	/* S0-20, S2-17, S3-25 */
		REFUSED(LOGIN_FAILED, "Check the login and the password, or ask your administrator.") },

	/* -- an administrator activates; may bring a password */
	{ PENDING, EVENT_ACTIVATE, admin_activates_pending,		/* S0-10 */
		BECOMES(ACTIVE, BY_ADMIN), DOES(LETS_IN | ENDS_SESSIONS | SETS_PASSWORD_IF_BROUGHT), LINK(REVOKE) },
	{ PENDING, EVENT_ACTIVATE, always,				/* S0-09 */
		REFUSED_BY(admin_activates_pending, "Set a password for the user or send the invitation again: pending users are not activated by hand here.") },
	{ ACTIVE, EVENT_ACTIVATE, always,
		REFUSED(STATE_CONFLICT, "Nothing to do: the user is active already.") },
	{ INACTIVE, EVENT_ACTIVATE, is_anonymised,
		REFUSED(STATE_CONFLICT, IS_DELETED) },
	{ INACTIVE | LOCKED, EVENT_ACTIVATE, must_reset,		/* the mail goes where there is an address */
		BECOMES(ACTIVE, BY_ADMIN), DOES(LETS_IN | ENDS_SESSIONS | DROPS_PASSWORD | ISSUES_RESET), LINK(REVOKE), MAILS(PASSWORD_RESET) },
	{ INACTIVE | LOCKED, EVENT_ACTIVATE, always,			/* S1-13, S2-21, S2-22, S3-28 */
		BECOMES(ACTIVE, BY_ADMIN), DOES(LETS_IN | ENDS_SESSIONS | SETS_PASSWORD_IF_BROUGHT), LINK(REVOKE) },

	/* -- an administrator inactivates */
	{ ACTIVE, EVENT_INACTIVATE, is_last_administrator,
		REFUSED(LAST_ADMINISTRATOR, "Make another user an administrator first: this is the last one.") },
	{ PENDING | ACTIVE | LOCKED, EVENT_INACTIVATE, always,		/* S0-19, S1-12, S2-15, S3-25, S3-27 */
		BECOMES(INACTIVE, BY_ADMIN), DOES(SHUTS_OUT | LEAVES_ASSIGNMENTS), LINK(REVOKE) },
	{ INACTIVE, EVENT_INACTIVATE, always,
		REFUSED(STATE_CONFLICT, "Nothing to do: the user is inactive already.") },

	/* -- invite again */
	{ INACTIVE | LOCKED, EVENT_INVITE, always,
		REFUSED(STATE_CONFLICT, "Activate the user first: only users who may come in are invited.") },
	{ ACTIVE, EVENT_INVITE, invites_only_pending,
		REFUSED_BY(invitation_resend_to, "Send a password reset instead: only pending users are invited here.") },
	{ PENDING | ACTIVE, EVENT_INVITE, has_no_email,
		REFUSED(NO_EMAIL, "Give the user an e-mail address first: there is nowhere to send the invitation.") },
	{ PENDING | ACTIVE, EVENT_INVITE, is_told_by_hand,		/* S3-13, S3-14 */
		REFUSED_BY(invite_on_email_added, "Hand over login and password yourself: a user whose address came later is not invited here.") },
	{ PENDING | ACTIVE, EVENT_INVITE, always,			/* S0-06, S1-06, S4-19 */
		STAYS, LINK(ISSUE), MAILS(INVITATION) },

	/* -- withdraw the invitation: with an import the address goes that it went to */
	{ PENDING, EVENT_WITHDRAW_INVITATION, always,
		STAYS, DOES(CANCELS_MAILS), LINK(REVOKE) },
	{ ACTIVE | INACTIVE | LOCKED, EVENT_WITHDRAW_INVITATION, always,
		REFUSED(STATE_CONFLICT, "Inactivate the user instead: only pending users wait for an invitation.") },

	/* -- the link expires: only a pending user's is worth a mail */
	{ ANYBODY, EVENT_LINK_EXPIRES, has_no_open_link,
		REFUSED(STATE_CONFLICT, "Nothing to do: no invitation of this user is open.") },
	{ PENDING, EVENT_LINK_EXPIRES, has_letter,			/* S3-12: nothing that could be used is lost */
		STAYS, LINK(EXPIRE) },
	{ PENDING, EVENT_LINK_EXPIRES, renews_for_admin,		/* S1-14 */
		STAYS, LINK(RENEW), MAILS(INVITATION_EXPIRED) },
	{ PENDING, EVENT_LINK_EXPIRES, renews_for_user,
		STAYS, LINK(RENEW), MAILS(INVITATION) },
	{ ACTIVE | INACTIVE | LOCKED, EVENT_LINK_EXPIRES, always,
		STAYS, LINK(EXPIRE) },
	{ PENDING, EVENT_LINK_EXPIRES, expiry_says_nothing,
		STAYS, LINK(EXPIRE) },
	{ PENDING, EVENT_LINK_EXPIRES, always,				/* a notice is wanted, or renewals are used up */
		STAYS, LINK(EXPIRE), MAILS(INVITATION_LAPSED) },

	/* -- idle_due_at passes; and the days of warning before it */
	{ PENDING | INACTIVE | LOCKED, EVENT_IDLE, always,
		REFUSED(STATE_CONFLICT, "Nothing to do: only active users become idle.") },
	{ ACTIVE, EVENT_IDLE, nobody_becomes_idle,			/* S0-19 */
		REFUSED_BY(idle_after, "Set idle_after first: users do not become idle here.") },
	{ ACTIVE, EVENT_IDLE, is_last_administrator,
		REFUSED(LAST_ADMINISTRATOR, "Make another user an administrator first: the last one never becomes idle.") },
	{ ACTIVE, EVENT_IDLE, always,					/* S2-25 */
		BECOMES(INACTIVE, IDLE), DOES(SHUTS_OUT | LEAVES_ASSIGNMENTS), LINK(REVOKE), MAILS(ACCOUNT_IDLE) },
	{ PENDING | INACTIVE | LOCKED, EVENT_IDLE_WARNING, always,
		REFUSED(STATE_CONFLICT, "Nothing to do: only active users are warned.") },
	{ ACTIVE, EVENT_IDLE_WARNING, nobody_becomes_idle,
		REFUSED_BY(idle_after, "Set idle_after first: users do not become idle here.") },
	{ ACTIVE, EVENT_IDLE_WARNING, nobody_is_warned,
		REFUSED_BY(idle_warn_days, "Set idle_warn_days first: users are not warned here.") },
	{ ACTIVE, EVENT_IDLE_WARNING, is_last_administrator,
		REFUSED(LAST_ADMINISTRATOR, "Nothing to do: the last administrator never becomes idle.") },
	{ ACTIVE, EVENT_IDLE_WARNING, always,				/* S2-27 */
		STAYS, MAILS(IDLE_WARNING) },

	/* -- the lockout_threshold-th wrong password in a row */
	{ INACTIVE | LOCKED, EVENT_WRONG_PASSWORD, always,
		REFUSED(STATE_CONFLICT, "Nothing to do: the user cannot log in anyway.") },
	{ PENDING | ACTIVE, EVENT_WRONG_PASSWORD, nobody_is_locked,
		REFUSED_BY(lockout_threshold, "Set lockout_threshold first: guesses are delayed here, users are not locked.") },
	{ PENDING | ACTIVE, EVENT_WRONG_PASSWORD, has_no_password,
		REFUSED(STATE_CONFLICT, "Nothing to do: there is no password to guess.") },
	{ ACTIVE, EVENT_WRONG_PASSWORD, is_last_administrator,
		REFUSED(LAST_ADMINISTRATOR, "Delay the guesses instead: the last administrator is never locked.") },
	{ PENDING | ACTIVE, EVENT_WRONG_PASSWORD, lock_mail_has_link,
		BECOMES(LOCKED, WRONG_PASSWORD), DOES(SHUTS_OUT | ISSUES_RESET), LINK(REVOKE), MAILS(ACCOUNT_LOCKED) },
	{ PENDING | ACTIVE, EVENT_WRONG_PASSWORD, always,		/* S2-19, S2-20 */
		BECOMES(LOCKED, WRONG_PASSWORD), DOES(SHUTS_OUT), LINK(REVOKE), MAILS(ACCOUNT_LOCKED) },

	/* -- lockout_interval is over */
	{ LOCKED, EVENT_RELEASE, time_releases,
		RETURNS, DOES(LETS_IN) },
	{ LOCKED, EVENT_RELEASE, always,
		REFUSED_BY(lockout_release, "Activate the user instead: time alone does not end a lock here.") },
	{ PENDING | ACTIVE | INACTIVE, EVENT_RELEASE, always,
		REFUSED(STATE_CONFLICT, "Nothing to do: the user is not locked.") },

	/* -- "forgot password"; a locked user has the link in his lock mail, or none */
	{ INACTIVE | LOCKED, EVENT_REQUEST_RESET, always,
		REFUSED(STATE_CONFLICT, "Activate the user first: users who may not come in get no reset link.") },
	{ PENDING | ACTIVE, EVENT_REQUEST_RESET, no_self_reset,
		REFUSED_BY(password_self_reset, "Ask an administrator for a new password: users do not reset their own here.") },
	{ PENDING, EVENT_REQUEST_RESET, was_never_let_in,
		REFUSED(STATE_CONFLICT, "Invite the user first: there is no password to reset.") },
	{ PENDING | ACTIVE, EVENT_REQUEST_RESET, has_no_email,		/* S3-23 */
		REFUSED(NO_EMAIL, "Set a password for the user: there is nowhere to send a link.") },
	{ PENDING | ACTIVE, EVENT_REQUEST_RESET, always,		/* S1-20, S3-22 */
		STAYS, DOES(ISSUES_RESET), MAILS(PASSWORD_RESET) },

	/* -- an administrator sends a reset link: S1-18 has none for pending users */
	{ PENDING, EVENT_ADMIN_SENDS_RESET, always,
		REFUSED(STATE_CONFLICT, "Set a password for the user or send the invitation again: a pending user has none to reset.") },
	{ INACTIVE | LOCKED, EVENT_ADMIN_SENDS_RESET, always,
		REFUSED(STATE_CONFLICT, "Activate the user first: users who may not come in get no reset link.") },
	{ ACTIVE, EVENT_ADMIN_SENDS_RESET, has_no_email,
		REFUSED(NO_EMAIL, "Set a password for the user or give an e-mail address: there is nowhere to send a link.") },
	{ ACTIVE, EVENT_ADMIN_SENDS_RESET, always,			/* S1-19 */
		STAYS, DOES(ISSUES_RESET), MAILS(PASSWORD_RESET) },

	/* -- complete a reset: its link was judged before. He who sets his own password has accepted. */
	{ LOCKED, EVENT_COMPLETE_RESET, lock_mail_releases,
		RETURNS, DOES(NEW_PASSWORD | LETS_IN), LINK(REVOKE) },
	{ NOBODY | INACTIVE | LOCKED, EVENT_COMPLETE_RESET, always,
		REFUSED(LINK_REVOKED, "Ask your administrator for access: this link was withdrawn.") },
	{ PENDING, EVENT_COMPLETE_RESET, password_set_activates,
		BECOMES(ACTIVE, ACCEPTED), DOES(NEW_PASSWORD | LETS_IN), LINK(REVOKE) },
	{ PENDING | ACTIVE, EVENT_COMPLETE_RESET, always,
		STAYS, DOES(NEW_PASSWORD), LINK(REVOKE) },

	/* -- change one's own password, signed in */
	{ ACTIVE, EVENT_CHANGE_OWN_PASSWORD, always,
		STAYS, DOES(NEW_PASSWORD), LINK(REVOKE) },
	{ PENDING | INACTIVE | LOCKED, EVENT_CHANGE_OWN_PASSWORD, always,
		REFUSED(STATE_CONFLICT, "Sign in first: only active users change their own password.") },

	/* -- delete: the caller has asked twice where the policy wants it */
	{ ANYBODY, EVENT_DELETE, nobody_is_deleted,			/* S1-31, S2-14, S3-24 */
		REFUSED_BY(deletion, "Inactivate the user instead: nobody is deleted here.") },
	{ INACTIVE, EVENT_DELETE, is_anonymised,
		REFUSED(STATE_CONFLICT, "Nothing to do: the user was deleted already, and only the id is left.") },
	{ ACTIVE, EVENT_DELETE, is_last_administrator,
		REFUSED(LAST_ADMINISTRATOR, "Make another user an administrator first: this is the last one.") },
	{ ANYBODY, EVENT_DELETE, always,				/* S4-23 */
		GOES, DOES(SHUTS_OUT), LINK(REVOKE) },
	/* -- another e-mail address, for somebody who has one and has been let in */
	{ PENDING, EVENT_CHANGE_EMAIL, always,
		REFUSED(STATE_CONFLICT, "Change the address at once: a pending user has nothing to confirm.") },
	{ ACTIVE | INACTIVE | LOCKED, EVENT_CHANGE_EMAIL, nobody_changes_addresses,
		REFUSED_BY(email_change, "An e-mail address is changed only while the user is pending.") },
	{ INACTIVE | LOCKED, EVENT_CHANGE_EMAIL, always,
		REFUSED(STATE_CONFLICT, "Activate the user first: who may not come in confirms no address.") },
	{ ACTIVE, EVENT_CHANGE_EMAIL, has_no_email,
		REFUSED(STATE_CONFLICT, "Give the address at once: there is none yet that could be told.") },
	{ ACTIVE, EVENT_CHANGE_EMAIL, always,				/* S3-18 */
		STAYS, EMAIL(ISSUE), MAILS_BOTH(EMAIL_CHANGE_CONFIRM, EMAIL_CHANGE_NOTICE) },
	{ ANYBODY, EVENT_KEEP_EMAIL, changes_no_email,
		REFUSED(STATE_CONFLICT, "Nothing to do: no new address waits to be confirmed.") },
	{ ANYBODY, EVENT_KEEP_EMAIL, always,
		STAYS, EMAIL(WITHDRAW) },

	/* -- confirm it: its link was judged before. Links that went to the address before die. */
	{ NOBODY | PENDING | INACTIVE | LOCKED, EVENT_CONFIRM_EMAIL, always,
		REFUSED(LINK_REVOKED, "Ask your administrator for access: this link was withdrawn.") },
	{ ACTIVE, EVENT_CONFIRM_EMAIL, changes_no_email,
		REFUSED(LINK_REVOKED, "Ask your administrator to change the address again: this link was withdrawn.") },
	{ ACTIVE, EVENT_CONFIRM_EMAIL, nobody_changes_addresses,
		REFUSED_BY(email_change, "Ask your administrator: addresses of active users are no longer changed here.") },
	{ ACTIVE, EVENT_CONFIRM_EMAIL, always,
		STAYS, DOES(ENDS_SESSIONS), EMAIL(REPLACE), LINK(REVOKE), MAILS(EMAIL_CHANGED) },

	{ NOBODY, ANY_EVENT, always,
		REFUSED(STATE_CONFLICT, "Create the user first: there is none.") },
};
/* clang-format on */

/* ---- The driver. */

static const struct rule *
rule_find(const struct policy *policy, const struct user_state *user, enum user_event event)
{
	unsigned from = 1u << user->status;
	const struct rule *rule = rules;

	while ((rule->from & from) == 0 || (rule->event != (int)event && rule->event != ANY_EVENT)
		|| !rule->when(policy, user)) {
		rule++;
		assert(rule < rules + sizeof rules / sizeof rules[0]);
	}
	return rule;
}

static enum user_status
status_after(const struct rule *rule, const struct user_state *user)
{
	if (rule->to == SAME_STATUS)
		return user->status;
	if (rule->to == STATUS_GONE)
		return STATUS_NONE;
	if (rule->to != STATUS_BEFORE_LOCK)
		return (enum user_status)rule->to;
	assert(user->status_before_lock == STATUS_PENDING || user->status_before_lock == STATUS_ACTIVE);
	return user->status_before_lock;
}

/* An accepted link stays accepted, and where none was made there is none to end. */
static enum invitation_effect
invitation_effect(const struct rule *rule, const struct policy *policy, const struct user_state *user)
{
	bool is_open = user->invitation == INVITATION_PENDING;
	bool is_lapsed = user->invitation == INVITATION_EXPIRED;

	if (rule->invitation == INVITATION_REVOKE && !is_open && !is_lapsed)
		return INVITATION_UNCHANGED;
	if (rule->invitation == INVITATION_ACCEPT && !is_open)
		return INVITATION_UNCHANGED;
	if (rule->invitation == INVITATION_ISSUE && gets_letter(policy, user))
		return INVITATION_ISSUE_LETTER;
	return rule->invitation;
}

/* Nobody is written to without an address, and some mails only by policy. */
static unsigned
mails_due(const struct rule *rule, const struct policy *policy, const struct user_state *user)
{
	const unsigned to_administrators = MAIL_BIT(MAIL_INVITATION_EXPIRED) | MAIL_BIT(MAIL_INVITATION_LAPSED);
	unsigned mails = rule->mails;

	if (!user->has_email)
		mails &= to_administrators;
	if (!policy->admin_password_notice)
		mails &= ~MAIL_BIT(MAIL_PASSWORD_CHANGED);
	if (!user->through_administrator)
		mails &= ~MAIL_BIT(MAIL_INVITATION_ACCEPTED_FOR_YOU);
	if ((mails & MAIL_BIT(MAIL_INVITATION)) != 0 && gets_letter(policy, user))
		mails ^= MAIL_BIT(MAIL_INVITATION) | MAIL_BIT(MAIL_LOGIN_INFO);
	return mails;
}

bool
lifecycle_decide(const struct policy *policy, const struct user_state *user,
	enum user_event event, struct transition *transition)
{
	assert(event < EVENT_COUNT && user->status < STATUS_COUNT);

	const struct rule *rule = rule_find(policy, user, event);
	enum user_status after = status_after(rule, user);
	bool is_active = after == STATUS_ACTIVE;

	*transition = (struct transition){
		.refusal = rule->refusal,
		.policy = rule->policy,
		.detail = rule->detail,
		.status = after,
		.status_changes = after != user->status,
		.reason = rule->reason,
		.ends_sessions = rule->effects & ENDS_SESSIONS,
		.forgets_guesses = rule->effects & FORGETS_GUESSES,
		.restarts_idle_clock = is_active && (rule->effects & RESTARTS_IDLE_CLOCK),
		.keeps_status_before_lock = after == STATUS_LOCKED && user->status != STATUS_LOCKED,
		.sets_password = (rule->effects & SETS_PASSWORD)
			|| ((rule->effects & SETS_PASSWORD_IF_BROUGHT) && user->brings_password),
		.requires_password_reset = rule->effects & DROPS_PASSWORD,
		.issues_password_reset = (rule->effects & ISSUES_RESET) && user->has_email,
		.cancels_mails = rule->effects & CANCELS_MAILS,
		.detaches_assignments = (rule->effects & LEAVES_ASSIGNMENTS)
			&& policy->assignments_on_inactivate == ASSIGNMENTS_DETACH,
		.reduces_administrators = user->is_administrator
			&& user->status == STATUS_ACTIVE && !is_active,
		.invitation = invitation_effect(rule, policy, user),
		.email = rule->email,
		.mails = mails_due(rule, policy, user),
	};
	return rule->refusal == REFUSAL_NONE;
}

enum link_verdict
invitation_link_verdict(enum invitation_state state, uint32_t generation, bool has_passed,
	bool previous_expired, bool is_letter, uint32_t token_generation)
{
	if (state == INVITATION_NONE || token_generation == 0 || token_generation > generation)
		return LINK_UNKNOWN;
	if (is_letter && token_generation == generation)
		return LINK_UNKNOWN;
	if (token_generation < generation)
		return previous_expired && token_generation == generation - 1 ? LINK_EXPIRED : LINK_REVOKED;
	switch (state) {
	case INVITATION_PENDING:
		return has_passed ? LINK_EXPIRED : LINK_ALIVE;
	case INVITATION_EXPIRED:
		return LINK_EXPIRED;
	case INVITATION_ACCEPTED:
		return LINK_USED;
	case INVITATION_REVOKED:
	case INVITATION_NONE:
		break;
	}
	return LINK_REVOKED;
}
