/*
 * The facts of one user for a decision about him, and what many decisions share.
 *
 * What is always true: who may not touch a user cannot change him (containment), and
 * a change rests on the version that was decided upon.
 */
#include "user_case.h"

#include <string.h>

#include "password.h"

struct user_case *
user_case_of(const struct proposal *pr)
{
	return pr->data;
}

bool
user_case_take(struct proposal *pr)
{
	if (proposal_rows(pr, 0) == 0)
		return proposal_refuse(pr, PROBLEM_NOT_FOUND, NULL, NULL);
	struct user_case *the = arena_take(pr->scratch, sizeof(*the));
	subject_from_row(&the->subject, pr->scratch, pr->result, pr->rows[0]);
	the->invitations_this_hour = row_int(pr->result, pr->rows[0], "invitations_this_hour");
	the->resets_this_hour = row_int(pr->result, pr->rows[0], "resets_this_hour");
	the->email_changes_this_hour = row_int(pr->result, pr->rows[0], "email_changes_this_hour");
	the->subject.state.changes_email = proposal_column(pr, "email_pending") != NULL;
	/* The gate of a decision about administrators begins at who asks: had he been put out
	 * between his authentication and this reading, the epoch would have moved. */
	the->subject.admin_epoch = pr->caller.admin_epoch;
	pr->data = the;
	return proposal_check_match(pr, the->subject.version);
}

bool
user_case_take_to_change(struct proposal *pr)
{
	if (!user_case_take(pr))
		return false;
	if (!proposal_holds(pr, user_case_of(pr)->subject.policy.default_permissions, &user_case_of(pr)->subject.permissions))
		return proposal_refuse(pr, PROBLEM_EXCEEDS_YOUR_PERMISSIONS, NULL,
			"This user holds permissions that you do not hold.");
	if (user_case_of(pr)->subject.state.is_anonymised)
		return proposal_refuse(pr, PROBLEM_STATE_CONFLICT, NULL,
			"This user was deleted, and only the id is left: nothing can be changed.");
	return true;
}

bool
user_case_refuse(struct proposal *pr, const struct transition *transition)
{
	static const enum problem problems[] = {
		[REFUSAL_NONE] = PROBLEM_INTERNAL,
		[REFUSAL_STATE_CONFLICT] = PROBLEM_STATE_CONFLICT,
		[REFUSAL_POLICY] = PROBLEM_REFUSED_BY_POLICY,
		[REFUSAL_LAST_ADMINISTRATOR] = PROBLEM_LAST_ADMINISTRATOR,
		[REFUSAL_LINK_REVOKED] = PROBLEM_LINK_REVOKED,
		[REFUSAL_NO_EMAIL] = PROBLEM_STATE_CONFLICT,
		[REFUSAL_LOGIN_FAILED] = PROBLEM_LOGIN_FAILED,
	};

	return proposal_refuse(pr, problems[transition->refusal], transition->policy, transition->detail);
}

bool
user_case_decide(struct proposal *pr, enum user_event event)
{
	struct user_case *the = user_case_of(pr);

	return lifecycle_decide(&the->subject.policy, &the->subject.state, event, &the->transition)
		|| user_case_refuse(pr, &the->transition);
}

void
user_case_check_password(struct proposal *pr, const struct policy *policy, const char *email,
	const char *first_name, const char *last_name)
{
	const char *password = proposal_text(pr, "password"), *username = proposal_text(pr, "username");
	const char *context[] = { email, first_name, last_name,
		username != NULL ? username : user_case_of(pr)->subject.username };

	/* What is wrong with its form was said already. */
	if (password == NULL || *password == '\0' || strlen(password) > PASSWORD_MAX_BYTES)
		return;
	switch (password_check(password, (size_t)policy->password_min_length, context, 4)) {
	case PASSWORD_OK:
		break;
	case PASSWORD_TOO_SHORT:
		proposal_fault_by(pr, "password_min_length", "/password", "too_short",
			arena_printf(pr->scratch, "At least %d characters.", policy->password_min_length));
		break;
	case PASSWORD_TOO_LONG:
		proposal_fault(pr, "/password", "too_long", "At most 1024 bytes.");
		break;
	case PASSWORD_TOO_COMMON:
		proposal_fault(pr, "/password", "too_common",
			"This is easily guessed: a common password, a pattern, or made of the name or address.");
		break;
	}
}

bool
user_case_check_mails(struct proposal *pr)
{
	const struct user_case *the = user_case_of(pr);
	const bool invites = (the->transition.mails & (MAIL_BIT(MAIL_INVITATION) | MAIL_BIT(MAIL_LOGIN_INFO))) != 0;
	const bool resets = (the->transition.mails & MAIL_BIT(MAIL_PASSWORD_RESET)) != 0;
	const bool asks = (the->transition.mails & MAIL_BIT(MAIL_EMAIL_CHANGE_CONFIRM)) != 0;

	if (!invites && !resets && !asks)
		return true;
	if (invites && the->invitations_this_hour >= INVITATIONS_PER_HOUR)
		return proposal_refuse_later(pr, PROBLEM_RATE_LIMITED, 3600 / INVITATIONS_PER_HOUR);
	if (resets && the->resets_this_hour >= RESETS_PER_HOUR)
		return proposal_refuse_later(pr, PROBLEM_RATE_LIMITED, 3600 / RESETS_PER_HOUR);
	if (asks && the->email_changes_this_hour >= EMAIL_CHANGES_PER_HOUR)
		return proposal_refuse_later(pr, PROBLEM_RATE_LIMITED, 3600 / EMAIL_CHANGES_PER_HOUR);
	return proposal_require(pr, "users:invite", "a link is mailed");
}

struct permission_set
user_permissions_wanted(struct proposal *pr)
{
	struct json_object *list = pr->body != NULL ? json_member(pr->body, "own_permissions") : NULL;
	size_t count = list != NULL && json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	const char **words = arena_take(pr->scratch, sizeof(*words) * (count + 1));

	for (size_t i = 0; i < count; i++)
		words[i] = json_object_get_string(json_object_array_get_idx(list, i));
	return (struct permission_set){ words, count };
}
