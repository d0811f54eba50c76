/*
 * The policy: read as it is, changed by a merge patch or to a preset, or tried out.
 *
 * What a column may hold is said by policy_columns (common/policy.h); a value that it
 * does not take, a column that there is not, and a combination that contradicts itself
 * are all named at once.
 */
#include "policies.h"

#include <string.h>

#include "changes.h"
#include "policy.h"
#include "policy_roles.h"
#include "reply.h"
#include "subject.h"

/* A patch on its way: the body, or its member `policy` (given, or made of a preset). */
struct policy_editing {
	struct policy old, policy;	/* as it is, and as it would become */
	const char *version;
	const char *before;		/* the row as JSON text */
	struct json_object *patch;	/* the body's */
	const char *prefix;		/* of pointers into the patch */
	bool asks_username, asks_email;	/* of all users: from now on they would have to have one */
};

static enum step
policy_get(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_policy_get, (const char *const[]){ rq->org_id });
}

request_step *const policy_get_steps[] = { policy_get, reply_ok, NULL };

static void
check_value(struct request *rq, const char *pointer, const char *name, struct json_object *value)
{
	const struct policy_column *column = policy_column_find(name);
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
merge_labels(const struct policy_editing *edit)
{
	const char *const name = "status_labels", *reason;
	struct json_object *labels = json_member(edit->patch, name), *before;

	if (!json_object_is_type(labels, json_type_object))
		return;
	before = json_parse(edit->policy.status_labels, strlen(edit->policy.status_labels), &reason);
	json_object_object_add(edit->patch, name, json_merge_patch(before, labels));
	json_object_put(before);
}

/* Some combinations cannot be lived with: nobody could sign in. What is so already is not
 * this change's fault. */
static void
check_together(struct request *rq, struct policy_editing *edit)
{
	const struct policy_contradiction *contradiction = policy_contradiction(&edit->policy);

	if (contradiction != NULL)
		request_fault(rq, body_pointer(rq, edit->prefix, contradiction->column), "invalid", contradiction->detail);
	edit->asks_username = edit->policy.login_identifier == LOGIN_BY_USERNAME && edit->old.login_identifier != LOGIN_BY_USERNAME;
	edit->asks_email = edit->policy.email_required && !edit->old.email_required;
}

/* What was loaded, and what would become of it. */
static enum step
policy_take(struct request *rq, struct json_object *patch, const char *prefix)
{
	struct policy_editing *edit = arena_take(rq->scratch, sizeof(*edit));

	rq->data = edit;
	edit->patch = patch;
	edit->prefix = prefix;
	edit->version = arena_copy(rq->scratch, request_column(rq, "version"));
	const enum step step = request_check_match(rq, edit->version);
	if (step != STEP_NEXT)
		return step;
	edit->before = reply_row_text(rq, rq->result, 0);
	policy_from_row(&edit->policy, rq->scratch, rq->result, 0);
	edit->old = edit->policy;
	return STEP_NEXT;
}

static enum step
policy_judge(struct request *rq)
{
	struct policy_editing *edit = rq->data;
	const int faults_before = rq->fault_count;

	json_object_object_foreach(edit->patch, name, value) {
		check_value(rq, body_pointer(rq, edit->prefix, name), name, value);
	}
	if (rq->fault_count == faults_before) {
		policy_apply_json(&edit->policy, rq->scratch, edit->patch);
		check_together(rq, edit);
	}
	if (!edit->asks_username && !edit->asks_email)
		return STEP_NEXT;
	return request_query(rq, LANE_SLOW, &query_policy_lacking, (const char *const[]){
		rq->org_id, edit->asks_username ? "true" : "false", edit->asks_email ? "true" : "false" });
}

static enum step
policy_judge_users(struct request *rq)
{
	const struct policy_editing *edit = rq->data;

	if (edit->asks_username && request_column_is_true(rq, "some_lack_username"))
		request_fault(rq, body_pointer(rq, edit->prefix, "login_identifier"), "invalid",
			"Some users have no username and could not sign in: give them one first.");
	if (edit->asks_email && request_column_is_true(rq, "some_lack_email"))
		request_fault(rq, body_pointer(rq, edit->prefix, "email_required"), "invalid",
			"Some users have no e-mail address: give them one first.");
	return request_answer_faults(rq);
}

/* Everybody who is made from now on starts with these: so nobody sets what he does not
 * hold. What a preset brings is known. */
static enum step
policy_check_containment(struct request *rq)
{
	const struct policy_editing *edit = rq->data;
	const struct permission_set wanted = permission_set_parse(rq->scratch, edit->policy.default_permissions);

	if (strcmp(edit->policy.default_permissions, edit->old.default_permissions) == 0
		|| permission_set_contains(&rq->caller.permissions, &wanted))
		return STEP_NEXT;
	return request_problem_detail(rq, PROBLEM_EXCEEDS_YOUR_PERMISSIONS, NULL,
		"You cannot give new users permissions that you do not hold.");
}

static enum step
policy_edit_take(struct request *rq)
{
	enum step step = policy_take(rq, rq->body, "");

	if (step == STEP_NEXT)
		merge_labels(rq->data);
	return step;
}

static enum step
policy_record(struct request *rq)
{
	struct policy_editing *edit = rq->data;
	const char *changes = changes_of(rq->scratch, edit->before, edit->patch);
	const struct statement get = { &query_policy_get, (const char *const[]){ rq->org_id } };

	if (strcmp(changes, "{}") == 0)
		return request_queries(rq, LANE_READ, &get, 1);
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ &query_policy_edit, (const char *const[]){ rq->org_id, edit->version, changes_json(rq->scratch, edit->patch), request_new_id(rq),
			request_actor(rq), changes } },
		get,
	}, 2);
}

request_step *const policy_edit_steps[] = {
	policy_get, policy_edit_take, policy_judge, policy_judge_users, policy_check_containment, policy_record, reply_ok, NULL
};

/* To a preset: all columns at once, under the rules that hold for a patch. */

const struct body_field policy_preset_body[] = {
	{ "preset", BODY_TEXT, .is_required = true, .max = 40 },
	{ 0 },
};

/* Puts the preset's columns where a simulation has its patch. */
static void
spell_out_preset(struct request *rq)
{
	const struct policy_preset_value *preset = policy_preset(request_text(rq, "preset"));
	struct buffer text = BUFFER_INIT;
	const char *reason;

	if (preset == NULL) {
		request_fault(rq, "/preset", "invalid", "Presets are default, hesh, urbantz, keycrm and wetrack.");
		return;
	}
	policy_write_preset(&text, preset);
	json_object_object_add(rq->body, "policy", json_parse(buffer_text(&text), text.length, &reason));
	buffer_free(&text);
}

static enum step
policy_preset_take(struct request *rq)
{
	spell_out_preset(rq);
	if (rq->fault_count > 0)
		return request_answer_faults(rq);
	return policy_take(rq, json_member(rq->body, "policy"), "");
}

/* With the roles that the preset knows, and the fields that they ask for, where there are
 * none of these names. */
static enum step
policy_preset_record(struct request *rq)
{
	const struct policy_editing *edit = rq->data;
	const char *preset = request_text(rq, "preset"), *changes = changes_of(rq->scratch, edit->before, edit->patch);
	const char *actor = request_actor(rq);
	struct buffer roles = BUFFER_INIT, fields = BUFFER_INIT;
	const char *get_params[] = { rq->org_id };
	struct statement statements[5];
	int count = 0;

	policy_write_preset_roles(&roles, preset, NULL);
	policy_write_preset_fields(&fields, preset);
	const char *edit_params[] = { rq->org_id, edit->version, changes_json(rq->scratch, edit->patch), request_new_id(rq), actor, changes };
	if (strcmp(changes, "{}") != 0)
		statements[count++] = (struct statement){ &query_policy_edit, edit_params };
	if (count > 0)	/* neither roles nor fields beside a policy that has moved */
		statements[count++] = (struct statement){ &query_policy_keep_whole, get_params };
	const char *role_params[] = { rq->org_id, buffer_text(&roles), actor };
	statements[count++] = (struct statement){ &query_preset_role_create, role_params };
	const char *field_params[] = { rq->org_id, buffer_text(&fields), actor };
	statements[count++] = (struct statement){ &query_preset_field_create, field_params };
	statements[count++] = (struct statement){ &query_policy_get, get_params };
	enum step step = request_effects(rq, LANE_WRITE, statements, count);
	buffer_free(&roles);
	buffer_free(&fields);
	return step;
}

request_step *const policy_preset_steps[] = {
	policy_get, policy_preset_take, policy_judge, policy_judge_users, policy_preset_record, reply_ok, NULL
};

/* Trying it out: what would change, for how many, and who they are. Nothing is written. */

const struct body_field policy_simulate_body[] = {
	{ "policy", BODY_OBJECT },
	{ "preset", BODY_TEXT, .max = 40 },
	{ 0 },
};

static enum step
policy_simulate_take(struct request *rq)
{
	const bool has_policy = request_has(rq, "policy"), has_preset = request_text(rq, "preset") != NULL;
	enum step step;

	if (has_policy == has_preset)
		request_fault(rq, has_policy ? "/preset" : "/policy", has_policy ? "invalid" : "required",
			"Give either the policies that would change, or a preset.");
	else if (has_preset)
		spell_out_preset(rq);
	if (rq->fault_count > 0)
		return request_answer_faults(rq);
	step = policy_take(rq, json_member(rq->body, "policy"), has_preset ? "" : "/policy");
	if (step == STEP_NEXT && !has_preset)
		merge_labels(rq->data);
	return step;
}

static enum step
policy_simulate(struct request *rq)
{
	const struct policy_editing *edit = rq->data;

	return request_query(rq, LANE_SLOW, &query_policy_simulate, (const char *const[]){
		rq->org_id, changes_json(rq->scratch, edit->patch), changes_of(rq->scratch, edit->before, edit->patch) });
}

static enum step
policy_simulate_reply(struct request *rq)
{
	struct buffer *out = &rq->reply;

	buffer_clear(out);
	buffer_puts(out, "{\"changes\":[");
	for (int row = 0; row < request_rows(rq, 0); row++) {
		json_write_separator(out);
		reply_write_row(out, rq->result, row);
	}
	buffer_puts(out, "]}");
	return request_reply(rq, 200, "application/json");
}

request_step *const policy_simulate_steps[] = {
	policy_get, policy_simulate_take, policy_judge, policy_judge_users, policy_simulate, policy_simulate_reply, NULL
};

/* The brake was right to ask: an administrator lets one day of sweeping go on. */
static enum step
idle_release(struct request *rq)
{
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ &query_idle_release, (const char *const[]){ rq->org_id, request_new_id(rq), request_actor(rq) } },
		{ &query_idle_release_get, (const char *const[]){ rq->org_id } } }, 2);
}

request_step *const idle_release_steps[] = { idle_release, reply_ok, NULL };
