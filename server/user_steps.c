/*
 * The beginning and the end of every route about one user.
 *
 * What is always true: who may not touch a user cannot change him (containment), and
 * a change rests on the version that was decided upon.
 */
#include "user_steps.h"

#include <string.h>

#include "password.h"

struct user_case *
user_case(struct request *rq)
{
	return rq->data;
}

enum step
user_load(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_user_load,
		(const char *const[]){ rq->org_id, rq->path_values[0] });
}

enum step
user_take(struct request *rq)
{
	if (request_rows(rq, 0) == 0)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	struct user_case *the = arena_take(rq->scratch, sizeof(*the));
	subject_from_row(&the->subject, rq->scratch, rq->result, rq->rows[0]);
	the->invitations_this_hour = row_int(rq->result, rq->rows[0], "invitations_this_hour");
	the->resets_this_hour = row_int(rq->result, rq->rows[0], "resets_this_hour");
	the->email_changes_this_hour = row_int(rq->result, rq->rows[0], "email_changes_this_hour");
	the->subject.state.changes_email = request_column(rq, "email_pending") != NULL;
	/* The gate of a decision about administrators begins at who asks: had he been put out
	 * between his authentication and this reading, the epoch would have moved. */
	the->subject.admin_epoch = rq->caller.admin_epoch;
	rq->data = the;
	if (rq->if_match != NULL && strcmp(rq->if_match, the->subject.version) != 0)
		return request_problem(rq, PROBLEM_VERSION_MISMATCH);
	return STEP_NEXT;
}

enum step
user_take_to_change(struct request *rq)
{
	enum step step = user_take(rq);

	if (step != STEP_NEXT)
		return step;
	if (!user_holds(rq, user_case(rq)->subject.policy.default_permissions, &user_case(rq)->subject.permissions))
		return request_problem_detail(rq, PROBLEM_EXCEEDS_YOUR_PERMISSIONS, NULL,
			"This user holds permissions that you do not hold.");
	if (user_case(rq)->subject.state.is_anonymised)
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL,
			"This user was deleted, and only the id is left: nothing can be changed.");
	return STEP_NEXT;
}

enum step
user_refuse(struct request *rq, const struct transition *transition)
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

	return request_problem_detail(rq, problems[transition->refusal], transition->policy, transition->detail);
}

bool
user_decide(struct request *rq, enum user_event event, enum step *step)
{
	struct user_case *the = user_case(rq);

	if (lifecycle_decide(&the->subject.policy, &the->subject.state, event, &the->transition))
		return true;
	*step = user_refuse(rq, &the->transition);
	return false;
}

void
user_check_password(struct request *rq, const struct policy *policy, const char *email,
	const char *first_name, const char *last_name)
{
	const char *password = request_text(rq, "password"), *username = request_text(rq, "username");
	const char *context[] = { email, first_name, last_name,
		username != NULL ? username : user_case(rq)->subject.username };

	/* What is wrong with its form was said already. */
	if (password == NULL || *password == '\0' || strlen(password) > PASSWORD_MAX_BYTES)
		return;
	switch (password_check(password, (size_t)policy->password_min_length, context, 4)) {
	case PASSWORD_OK:
		break;
	case PASSWORD_TOO_SHORT:
		request_fault(rq, "/password", "too_short",
			arena_printf(rq->scratch, "At least %d characters.", policy->password_min_length));
		break;
	case PASSWORD_TOO_LONG:
		request_fault(rq, "/password", "too_long", "At most 1024 bytes.");
		break;
	case PASSWORD_TOO_COMMON:
		request_fault(rq, "/password", "too_common",
			"This is easily guessed: a common password, a pattern, or made of the name or address.");
		break;
	}
}

struct statement
user_view(struct request *rq, const char *user_id)
{
	const char **params = arena_take(rq->scratch, sizeof(*params) * 3);

	params[0] = rq->org_id;
	params[1] = user_id;
	params[2] = rq->caller.language;
	return (struct statement){ &query_user_get, params };
}

enum step
user_record(struct request *rq)
{
	struct user_case *the = user_case(rq);
	struct transition_batch *batch = transition_batch_create(rq->scratch, rq->org_id);

	transition_batch_add(batch, &the->subject, &the->transition, &the->details);
	return request_queries(rq, LANE_WRITE, (const struct statement[]){
		{ &query_user_transition, transition_batch_params(batch, request_actor(rq)) },
		user_view(rq, the->subject.id),
	}, 2);
}

enum step
user_require(struct request *rq, const char *permission, const char *because)
{
	if (request_permits(rq, permission))
		return STEP_NEXT;
	return request_problem_detail(rq, PROBLEM_PERMISSION_MISSING, NULL,
		arena_printf(rq->scratch, "This needs the permission %s: %s.", permission, because));
}

enum step
user_check_mails(struct request *rq)
{
	const struct user_case *the = user_case(rq);
	const bool invites = (the->transition.mails & (MAIL_BIT(MAIL_INVITATION) | MAIL_BIT(MAIL_LOGIN_INFO))) != 0;
	const bool resets = (the->transition.mails & MAIL_BIT(MAIL_PASSWORD_RESET)) != 0;
	const bool asks = (the->transition.mails & MAIL_BIT(MAIL_EMAIL_CHANGE_CONFIRM)) != 0;

	if (!invites && !resets && !asks)
		return STEP_NEXT;
	if (invites && the->invitations_this_hour >= INVITATIONS_PER_HOUR)
		return request_problem_later(rq, PROBLEM_RATE_LIMITED, 3600 / INVITATIONS_PER_HOUR);
	if (resets && the->resets_this_hour >= RESETS_PER_HOUR)
		return request_problem_later(rq, PROBLEM_RATE_LIMITED, 3600 / RESETS_PER_HOUR);
	if (asks && the->email_changes_this_hour >= EMAIL_CHANGES_PER_HOUR)
		return request_problem_later(rq, PROBLEM_RATE_LIMITED, 3600 / EMAIL_CHANGES_PER_HOUR);
	return user_require(rq, "users:invite", "a link is mailed");
}

enum step
user_hash_password(struct request *rq)
{
	const char *password = request_text(rq, "password");
	enum step step;

	if (password == NULL)
		return STEP_NEXT;
	step = request_reserve_hash(rq);
	return step != STEP_NEXT ? step : request_hash_password(rq, password);
}

bool
user_holds(const struct request *rq, const char *default_permissions, const struct permission_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		if (!permission_set_has(&rq->caller.permissions, set->words[i])
			&& !policy_words_have(default_permissions, set->words[i]))
			return false;
	}
	return true;
}

struct permission_set
user_permissions_wanted(struct request *rq)
{
	struct json_object *list = rq->body != NULL ? json_member(rq->body, "own_permissions") : NULL;
	size_t count = list != NULL && json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	const char **words = arena_take(rq->scratch, sizeof(*words) * (count + 1));

	for (size_t i = 0; i < count; i++)
		words[i] = json_object_get_string(json_object_array_get_idx(list, i));
	return (struct permission_set){ words, count };
}
