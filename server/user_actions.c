/*
 * Actions on one user, and the list of those that are possible.
 *
 * Each is: load, decide, maybe hash, record, reply. What is possible is asked of the
 * same lifecycle table that decides the action itself, so the list cannot lie.
 */
#include "user_actions.h"

#include <string.h>

#include "reply.h"
#include "user_steps.h"

/* Each decision as a step (user_moving.h). */

static enum step
user_activate_decide(struct request *rq)
{
	return request_decide(rq, user_activate_decisions);
}

static enum step
user_inactivate_decide(struct request *rq)
{
	return request_decide(rq, user_inactivate_decisions);
}

static enum step
user_invite_decide(struct request *rq)
{
	return request_decide(rq, user_invite_decisions);
}

static enum step
user_password_decide(struct request *rq)
{
	return request_decide(rq, user_password_decisions);
}

static enum step
user_send_reset_decide(struct request *rq)
{
	return request_decide(rq, user_send_reset_decisions);
}

static enum step
user_record_with_password(struct request *rq)
{
	user_case(rq)->details.password_hash = rq->password_hash;
	return user_record(rq);
}

request_step *const user_activate_steps[] = {
	user_load, user_activate_decide, user_hash_password, user_record_with_password, reply_ok, NULL
};

request_step *const user_inactivate_steps[] = { user_load, user_inactivate_decide, user_record, reply_ok, NULL };

request_step *const user_invite_steps[] = { user_load, user_invite_decide, user_record, reply_accepted, NULL };

request_step *const user_password_steps[] = {
	user_load, user_password_decide, user_hash_password, user_record_with_password, reply_ok, NULL
};

request_step *const user_send_reset_steps[] = { user_load, user_send_reset_decide, user_record, reply_accepted, NULL };

/* What can be done now. */

static const struct action {
	const char *name, *menu;
	enum user_event event;
	const char *permission, *permission_too;
} actions[] = {
	{ "activate", "status", EVENT_ACTIVATE, "users:write", NULL },
	{ "inactivate", "status", EVENT_INACTIVATE, "users:write", NULL },
	{ "invite", "status", EVENT_INVITE, "users:write", "users:invite" },
	{ "set_password", "security", EVENT_ADMIN_SETS_PASSWORD, "users:write", "users:password" },
	{ "send_password_reset", "security", EVENT_ADMIN_SENDS_RESET, "users:write", "users:invite" },
	{ "edit", "other", EVENT_COUNT, "users:write", NULL },
	{ "delete", "other", EVENT_DELETE, "users:write", "users:delete" },
};

static const char *
refusal_code(enum refusal refusal)
{
	switch (refusal) {
	case REFUSAL_POLICY: return "refused_by_policy";
	case REFUSAL_LAST_ADMINISTRATOR: return "last_administrator";
	case REFUSAL_NO_EMAIL: return "email_missing";
	default: return "state_conflict";
	}
}

static void
write_action(struct request *rq, const struct action *action, const struct subject *subject)
{
	struct transition transition = { 0 };
	const char *reason = NULL, *policy = NULL;
	struct buffer *out = &rq->reply;

	if (!request_permits(rq, action->permission)
		|| (action->permission_too != NULL && !request_permits(rq, action->permission_too))) {
		reason = "permission_missing";
	} else if (!proposal_holds(&rq->proposal, subject->policy.default_permissions, &subject->permissions)) {
		reason = "exceeds_your_permissions";
	} else if (action->event == EVENT_COUNT && subject->state.is_anonymised) {
		reason = "state_conflict";
	} else if (action->event != EVENT_COUNT
		&& !lifecycle_decide(&subject->policy, &subject->state, action->event, &transition)) {
		reason = refusal_code(transition.refusal);
		policy = transition.policy;
	}
	json_write_separator(out);
	buffer_putc(out, '{');
	json_write_string_member(out, "action", action->name);
	json_write_string_member(out, "menu", action->menu);
	json_write_bool_member(out, "allowed", reason == NULL);
	if (reason != NULL)
		json_write_string_member(out, "reason", reason);
	if (policy != NULL)
		json_write_string_member(out, "policy", policy);
	buffer_putc(out, '}');
}

static enum step
user_actions_reply(struct request *rq)
{
	const struct subject *subject = &user_case(rq)->subject;

	buffer_clear(&rq->reply);
	buffer_puts(&rq->reply, "{\"items\":[");
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		write_action(rq, &actions[i], subject);
	buffer_puts(&rq->reply, "]}");
	return request_reply(rq, 200, "application/json");
}

request_step *const user_actions_steps[] = { user_load, user_take, user_actions_reply, NULL };
