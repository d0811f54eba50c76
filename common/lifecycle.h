/*
 * lifecycle: the heart. A pure table of (status, event, policy) to a new status,
 * a reason and effects, or to a refusal that names the policy which refuses.
 *
 * It knows no database and no HTTP. Server and worker both ask it; nothing else
 * compares statuses to decide. The table is DESIGN.md §4.
 */
#ifndef ROLLCALL_LIFECYCLE_H
#define ROLLCALL_LIFECYCLE_H

#include <stdbool.h>
#include <stdint.h>

struct policy;

enum user_status {
	STATUS_NONE,		/* does not exist yet */
	STATUS_PENDING,
	STATUS_ACTIVE,
	STATUS_INACTIVE,
	STATUS_LOCKED,
};
#define STATUS_COUNT (STATUS_LOCKED + 1)

enum status_reason {
	REASON_INVITED, REASON_CREATED, REASON_ACCEPTED, REASON_FIRST_LOGIN, REASON_BY_ADMIN,
	REASON_IDLE, REASON_WRONG_PASSWORD, REASON_RELEASED,
};
#define REASON_COUNT (REASON_RELEASED + 1)

enum invitation_state {
	INVITATION_NONE, INVITATION_PENDING, INVITATION_EXPIRED, INVITATION_ACCEPTED, INVITATION_REVOKED,
};

enum user_event {
	EVENT_CREATE,			/* with the caller's wishes in user_state */
	EVENT_ACCEPT_INVITATION,	/* the link was checked already; sets the password */
	EVENT_ADMIN_SETS_PASSWORD,
	EVENT_LOGIN,			/* the password was right; ends pending under first_login */
	EVENT_ACTIVATE,			/* by an administrator; may bring a password */
	EVENT_INACTIVATE,		/* by an administrator */
	EVENT_INVITE,			/* again */
	EVENT_WITHDRAW_INVITATION,	/* the only address of a pending user is taken back */
	EVENT_LINK_EXPIRES,
	EVENT_IDLE,
	EVENT_IDLE_WARNING,
	EVENT_WRONG_PASSWORD,		/* the threshold-th in a row */
	EVENT_RELEASE,			/* lockout_interval is over */
	EVENT_REQUEST_RESET,		/* the user himself: "forgot password" */
	EVENT_ADMIN_SENDS_RESET,
	EVENT_COMPLETE_RESET,		/* the link was checked already; sets the password */
	EVENT_CHANGE_OWN_PASSWORD,	/* signed in, knows the current one */
	EVENT_DELETE,			/* by an administrator; STATUS_NONE after it */
	EVENT_CHANGE_EMAIL,		/* an administrator wants another address for who has one and is in */
	EVENT_KEEP_EMAIL,		/* he wants it no longer */
	EVENT_CONFIRM_EMAIL,		/* the link was checked already; the new address counts */
};
#define EVENT_COUNT (EVENT_CONFIRM_EMAIL + 1)

/* Facts about the user that a decision may need. Zero is a fact too: who leaves a
 * member out says "no". */
struct user_state {
	enum user_status status;
	enum user_status status_before_lock;	/* pending or active, while locked */
	enum invitation_state invitation;
	bool invitation_is_letter;	/* it carried no link (invitation_letter login_info) */
	bool has_email;
	bool email_added_later;		/* he was made without one */
	bool changes_email;		/* a new address waits to be confirmed */
	bool has_password;		/* one that lets him in: not a dropped one (must_reset) */
	bool is_last_administrator;	/* active, administers, and nobody else does */
	bool is_administrator;		/* active and administers */
	bool is_anonymised;		/* deleted: only the id is left; inactive for ever */
	int renewals;			/* of the invitation, in a row */
	bool lock_mail_release;		/* a reset link made for a lock (mail_link) is what is completed */
	bool through_administrator;	/* the invitation link had been issued to an administrator */
	/* EVENT_CREATE only */
	enum user_status wanted_status;	/* STATUS_NONE: not said */
	int wants_invitation;		/* -1 not said, 0 no, 1 yes */
	/* EVENT_CREATE, EVENT_ACTIVATE: a password comes with it */
	bool brings_password;
	/* EVENT_CREATE, EVENT_INVITE: the first administrator of an organization, by command;
	 * he always gets a link */
	bool is_founder;
};

/* What becomes of the invitation. */
enum invitation_effect {
	INVITATION_UNCHANGED,
	INVITATION_ISSUE,	/* generation + 1, pending, new lifetime, renewals 0 */
	INVITATION_ISSUE_LETTER,	/* as issue, but no link leads in */
	INVITATION_RENEW,	/* as issue, but counts as a renewal */
	INVITATION_REVOKE,	/* generation + 1, revoked; only an open or lapsed one */
	INVITATION_ACCEPT,	/* same generation, accepted */
	INVITATION_EXPIRE,	/* same generation, expired */
};

/* What becomes of the e-mail address. */
enum email_effect {
	EMAIL_UNCHANGED,
	EMAIL_ISSUE,		/* a new one is to be confirmed: generation + 1, new lifetime */
	EMAIL_WITHDRAW,		/* it is no longer: its link is dead */
	EMAIL_REPLACE,		/* it was confirmed, and is the user's */
};

/* Mails that a transition causes. */
enum mail_kind {
	MAIL_INVITATION,		/* to the user, with link */
	MAIL_INVITATION_EXPIRED,	/* to an administrator, with a new link */
	MAIL_INVITATION_LAPSED,		/* to an administrator, without: it stays lapsed */
	MAIL_INVITATION_ACCEPTED_FOR_YOU,	/* to the user: accepted through an administrator's link */
	MAIL_PASSWORD_RESET,		/* to the user, with link */
	MAIL_PASSWORD_CHANGED,		/* to the user: by an administrator */
	MAIL_ACCOUNT_LOCKED,		/* to the user; with a reset link under mail_link */
	MAIL_LOCK_DIGEST,		/* to administrators; made by the clock */
	MAIL_IDLE_WARNING,		/* to the user */
	MAIL_ACCOUNT_IDLE,		/* to the user: inactivated */
	MAIL_IDLE_BRAKE,		/* to administrators; made by the clock */
	MAIL_LOGIN_INFO,		/* to the user: the invitation as a letter, without link */
	MAIL_EMAIL_CHANGE_CONFIRM,	/* to the new address, with link */
	MAIL_EMAIL_CHANGE_NOTICE,	/* to the user, where he is now: another address was asked for */
	MAIL_EMAIL_CHANGED,		/* to the user, where he was: another address counts */
	MAIL_IMPORT_DONE,		/* to an administrator; made by his import */
	MAIL_TEST,			/* to whom an administrator asks for it */
	MAIL_KIND_COUNT
};
#define MAIL_BIT(kind) (1u << (kind))

enum refusal {
	REFUSAL_NONE,
	REFUSAL_STATE_CONFLICT,		/* 409: nothing would change, or not from here */
	REFUSAL_POLICY,			/* 403 with the policy's name */
	REFUSAL_LAST_ADMINISTRATOR,	/* 403 */
	REFUSAL_LINK_REVOKED,		/* 410 */
	REFUSAL_NO_EMAIL,		/* 409: nowhere to send it to */
	REFUSAL_LOGIN_FAILED,		/* 401 */
};

struct transition {
	enum refusal refusal;
	const char *policy;		/* the column that refused; NULL when a rule did */
	const char *detail;		/* a refusal's sentence that says what to do */

	enum user_status status;	/* after; the same as before when unchanged; STATUS_NONE: gone */
	bool status_changes;
	enum status_reason reason;	/* where status_changes */
	/* session_epoch + 1: sessions and reset links from before die with it. The one
	 * session that changes its own password is carried over by the caller; a reset link
	 * that the same transition issues carries the new epoch. */
	bool ends_sessions;
	bool forgets_guesses;		/* failed_attempts = 0 */
	bool restarts_idle_clock;
	bool keeps_status_before_lock;	/* locking: remember where it came from */
	bool sets_password;		/* the caller's new hash is stored, must_reset is over */
	bool requires_password_reset;	/* reactivation_password must_reset: the old one is dropped */
	bool issues_password_reset;	/* a new reset link */
	bool cancels_mails;		/* queued links and warnings to this user die */
	bool detaches_assignments;	/* what applications have assigned to him is nobody's */
	bool reduces_administrators;	/* gate the statement by admin_epoch */
	enum invitation_effect invitation;
	enum email_effect email;
	unsigned mails;			/* MAIL_BIT of each; none to a user without an e-mail address */
};

/* True when the event is allowed; false when refused, with the reason in
 * *transition. Every other member is defined in both cases: after a refusal the
 * status is the one before and there are no effects.
 *
 * The texts in *transition are static. A caller that decides again because the
 * version moved reads the facts again, and judges a link again, too. */
bool lifecycle_decide(const struct policy *policy, const struct user_state *user,
	enum user_event event, struct transition *transition);

/* Words as they stand in the database and the API. */
const char *user_status_word(enum user_status status);		/* NULL for STATUS_NONE */
const char *status_reason_word(enum status_reason reason);
const char *invitation_state_word(enum invitation_state state);
const char *mail_kind_word(enum mail_kind kind);
/* STATUS_NONE, INVITATION_NONE, MAIL_KIND_COUNT for an unknown word or NULL. */
enum user_status user_status_from_word(const char *word);
enum invitation_state invitation_state_from_word(const char *word);
enum mail_kind mail_kind_from_word(const char *word);

/* What a genuine link of token_generation means while the row is as the other
 * arguments say: DESIGN.md §4 below the table. has_passed: expires_at, by the
 * database's clock. LINK_UNKNOWN: no row, or a generation that was never issued as a
 * link (is_letter: the present one). */
enum link_verdict { LINK_ALIVE, LINK_EXPIRED, LINK_USED, LINK_REVOKED, LINK_UNKNOWN };
enum link_verdict invitation_link_verdict(enum invitation_state state, uint32_t generation,
	bool has_passed, bool previous_expired, bool is_letter, uint32_t token_generation);

#endif
