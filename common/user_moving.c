/*
 * Decisions that move a user from one status to another, or send him a link.
 */
#include "user_moving.h"

#include "user_case.h"

const struct body_field user_activate_fields[] = {
	{ "password", BODY_PASSWORD, .is_nullable = true },
	{ 0 },
};

const struct body_field user_inactivate_fields[] = {
	{ "reason", BODY_TEXT, .is_nullable = true, .max = 500 },
	{ 0 },
};

const struct body_field user_password_fields[] = {
	{ "password", BODY_PASSWORD, .is_required = true },
	{ 0 },
};

static void
check_password(struct proposal *pr)
{
	const struct subject *subject = &user_case_of(pr)->subject;

	user_case_check_password(pr, &subject->policy, subject->email, subject->first_name, subject->last_name);
}

/* A locked or inactive user comes back, with a new password if one is given. */

static bool
user_activate_decide(struct proposal *pr)
{
	struct user_case *the = user_case_of(pr);
	const bool brings_password = proposal_brings_password(pr);

	the->details.action = "user.activated";
	the->subject.state.brings_password = brings_password;
	if (!user_case_decide(pr, EVENT_ACTIVATE))
		return false;
	check_password(pr);
	if (!proposal_answer_faults(pr) || (brings_password && !proposal_require(pr, "users:password", "a password is set")))
		return false;
	return user_case_check_mails(pr);
}

proposal_step *const user_activate_decisions[] = { user_case_take_to_change, user_activate_decide, NULL };

/* Out at once. */

static bool
user_inactivate_decide(struct proposal *pr)
{
	user_case_of(pr)->details.action = "user.inactivated";
	user_case_of(pr)->details.note = proposal_text(pr, "reason");
	return user_case_decide(pr, EVENT_INACTIVATE);
}

proposal_step *const user_inactivate_decisions[] = { user_case_take_to_change, user_inactivate_decide, NULL };

/* Invited again: the link before is dead. */

static bool
user_invite_decide(struct proposal *pr)
{
	struct user_case *the = user_case_of(pr);

	the->details.action = "user.invited";
	the->details.invited_by = pr->caller.kind == CALLER_USER ? pr->caller.id : NULL;
	return user_case_decide(pr, EVENT_INVITE) && user_case_check_mails(pr);
}

proposal_step *const user_invite_decisions[] = { user_case_take_to_change, user_invite_decide, NULL };

/* A pending user whose password is set becomes active, and his link is withdrawn. */

static bool
user_password_decide(struct proposal *pr)
{
	user_case_of(pr)->details.action = "user.password_set";
	if (!user_case_decide(pr, EVENT_ADMIN_SETS_PASSWORD))
		return false;
	check_password(pr);
	return proposal_answer_faults(pr);
}

proposal_step *const user_password_decisions[] = { user_case_take_to_change, user_password_decide, NULL };

static bool
user_send_reset_decide(struct proposal *pr)
{
	user_case_of(pr)->details.action = "user.reset_sent";
	return user_case_decide(pr, EVENT_ADMIN_SENDS_RESET) && user_case_check_mails(pr);
}

proposal_step *const user_send_reset_decisions[] = { user_case_take_to_change, user_send_reset_decide, NULL };
