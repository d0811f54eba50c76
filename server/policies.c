/*
 * The policy: read as it is, changed by a merge patch.
 *
 * What a column may hold is said by policy_columns (common/policy.h); a value that it
 * does not take, a column that there is not, and a combination that contradicts itself
 * are all named at once.
 */
#include "policies.h"

#include <string.h>

#include "changes.h"
#include "policy.h"
#include "reply.h"
#include "subject.h"

struct policy_editing {
	struct policy policy;		/* as it would become */
	const char *version;
	const char *before;		/* the row as JSON text */
};

static enum step
policy_get(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_policy_get, (const char *const[]){ rq->org_id });
}

request_step *const policy_get_steps[] = { policy_get, reply_ok, NULL };

static enum step
policy_load(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_policy_load, (const char *const[]){ rq->org_id });
}

static void
check_value(struct request *rq, const char *name, struct json_object *value)
{
	const struct policy_column *column = policy_column_find(name);
	const char *pointer = arena_printf(rq->scratch, "/%s", name);
	struct buffer text = BUFFER_INIT;
	const char *code, *detail;

	if (strcmp(name, "version") == 0 || strcmp(name, "updated_at") == 0)
		request_fault(rq, pointer, "read_only", "This is set by Rollcall.");
	else if (column == NULL)
		request_fault(rq, pointer, "unknown_field", "There is no such policy.");
	else if (!policy_value_from_json(column, value, &text, &code, &detail))
		request_fault(rq, pointer, code, detail);
	buffer_free(&text);
}

/* Labels are merged member by member, as a merge patch wants it; the rest are scalars and
 * lists, which replace. */
static void
merge_labels(struct request *rq, const struct policy *policy)
{
	const char *const name = "status_labels", *reason;
	struct json_object *patch = json_member(rq->body, name), *before;

	if (!json_object_is_type(patch, json_type_object))
		return;
	before = json_parse(policy->status_labels, strlen(policy->status_labels), &reason);
	json_object_object_add(rq->body, name, json_merge_patch(before, patch));
	json_object_put(before);
}

/* Some combinations cannot be lived with: nobody could sign in. */
static void
check_together(struct request *rq, struct policy_editing *edit)
{
	const struct policy_contradiction *contradiction = policy_contradiction(&edit->policy);

	if (contradiction != NULL)
		request_fault(rq, arena_printf(rq->scratch, "/%s", contradiction->column), "invalid", contradiction->detail);
	if (edit->policy.login_identifier == LOGIN_BY_USERNAME && request_column_is_true(rq, "some_lack_username"))
		request_fault(rq, "/login_identifier", "invalid",
			"Some users have no username and could not sign in: give them one first.");
	if (edit->policy.email_required && request_has(rq, "email_required") && request_column_is_true(rq, "some_lack_email"))
		request_fault(rq, "/email_required", "invalid", "Some users have no e-mail address: give them one first.");
}

static enum step
policy_check(struct request *rq)
{
	struct policy_editing *edit = arena_take(rq->scratch, sizeof(*edit));

	rq->data = edit;
	edit->version = arena_copy(rq->scratch, request_column(rq, "version"));
	if (rq->if_match != NULL && strcmp(rq->if_match, edit->version) != 0)
		return request_problem(rq, PROBLEM_VERSION_MISMATCH);
	edit->before = changes_row(rq, rq->result, 0);
	policy_from_row(&edit->policy, rq->scratch, rq->result, 0);
	merge_labels(rq, &edit->policy);
	json_object_object_foreach(rq->body, name, value) {
		check_value(rq, name, value);
	}
	if (rq->fault_count == 0) {
		policy_apply_json(&edit->policy, rq->scratch, rq->body);
		check_together(rq, edit);
	}
	return request_answer_faults(rq);
}

static enum step
policy_record(struct request *rq)
{
	struct policy_editing *edit = rq->data;
	char *audit_id = arena_take(rq->scratch, UUID_TEXT_SIZE);
	const char *changes = changes_of(rq, edit->before, rq->body);
	const struct statement get = { &query_policy_get, (const char *const[]){ rq->org_id } };

	if (strcmp(changes, "{}") == 0)
		return request_queries(rq, LANE_READ, &get, 1);
	uuid_make_text(audit_id);
	return request_queries(rq, LANE_WRITE, (const struct statement[]){
		{ &query_policy_edit, (const char *const[]){ rq->org_id, edit->version, changes_body(rq), audit_id,
			request_actor(rq), changes } },
		get,
	}, 2);
}

request_step *const policy_edit_steps[] = { policy_load, policy_check, policy_record, reply_ok, NULL };

/* The brake was right to ask: an administrator lets one day of sweeping go on. */
static enum step
idle_release(struct request *rq)
{
	char *audit_id = arena_take(rq->scratch, UUID_TEXT_SIZE);

	uuid_make_text(audit_id);
	return request_query(rq, LANE_WRITE, &query_idle_release,
		(const char *const[]){ rq->org_id, audit_id, request_actor(rq) });
}

request_step *const idle_release_steps[] = { idle_release, reply_ok, NULL };
