/*
 * Deleting users: the first call says what would go and asks for a number, the second
 * one repeats it (DESIGN.md §6, Deletion).
 *
 * Both read the same facts and decide in the same way, for much may have happened in
 * between. What is always true: a set is deleted as it was seen, all of it or nobody; one
 * that is not as it was announced kills its deletion; the administrators of the set are
 * counted together, so that the last ones do not go hand in hand.
 */
#include "deletions.h"

#include <assert.h>
#include <string.h>

#include "confirmation.h"
#include "policy.h"
#include "reply.h"
#include "user_steps.h"

#define USERS_MAX 1000	/* as in one bulk request */

const struct body_field deletion_create_fields[] = {
	{ "user_ids", BODY_IDS, .is_required = true, .max = USERS_MAX },
	{ 0 },
};

struct deletion_case {
	const char *id;
	/* Announced, as PostgreSQL prints it; NULL while it is only asked for. */
	const char *mode, *user_ids, *versions, *references;
	/* As it is now. */
	struct policy policy;
	struct subject *subjects;
	int count;
	const char *user_ids_now, *versions_now, *references_now;
	bool administrator_remains;
	bool is_gated;			/* administrators become fewer: admin_epoch */
	bool has_changed;		/* not what was announced */
};

static const char *
take_array(struct request *rq, struct buffer *array)
{
	buffer_putc(array, '}');
	return request_take_text(rq, array);
}

static void
append_item(struct buffer *array, const char *item)
{
	buffer_putc(array, array->length == 0 ? '{' : ',');
	buffer_puts(array, item);
}

/* As PostgreSQL prints the column of the rows as an array. */
static const char *
array_of_column(struct request *rq, const PGresult *rows, const char *column)
{
	struct buffer array = BUFFER_INIT;

	for (int row = 0; row < PQntuples(rows); row++)
		append_item(&array, row_text(rows, row, column));
	if (array.length == 0)
		buffer_putc(&array, '{');
	return take_array(rq, &array);
}

/* ---- What both calls read and decide. */

static enum step
load(struct request *rq, const char *user_ids)
{
	const char *const params[] = { rq->org_id, user_ids };

	return request_queries(rq, LANE_READ, (const struct statement[]){
		{ &query_deletion_facts, params },
		{ &query_deletion_subjects, params },
	}, 2);
}

static void
take(struct request *rq, struct deletion_case *deletion)
{
	const PGresult *facts = rq->results[0], *rows = rq->results[1];

	policy_from_row(&deletion->policy, rq->scratch, facts, 0);
	deletion->administrator_remains = row_is_true(facts, 0, "administrator_remains");
	deletion->references_now = arena_copy(rq->scratch, row_text(facts, 0, "references"));
	deletion->user_ids_now = array_of_column(rq, rows, "user_id");
	deletion->versions_now = array_of_column(rq, rows, "version");
	deletion->count = PQntuples(rows);
	deletion->subjects = arena_take(rq->scratch, sizeof(*deletion->subjects) * (size_t)(deletion->count + 1));
	for (int i = 0; i < deletion->count; i++)
		subject_from_row(&deletion->subjects[i], rq->scratch, rows, i);
}

static bool
has_references(const struct deletion_case *deletion)
{
	return strcmp(deletion->references_now, "[]") != 0;
}

static enum step
refuse_references(struct request *rq)
{
	return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, "deletion_references",
		"Client applications refer to some of these users: detach them there first. Nobody who has references is deleted here.");
}

/* Which of them it is that cannot go. */
static enum step
refuse_user(struct request *rq, const struct deletion_case *deletion, const char *user_id, struct transition *transition)
{
	if (deletion->count > 1 && transition->refusal != REFUSAL_POLICY)
		transition->detail = arena_printf(rq->scratch, "User %s: %s", user_id, transition->detail);
	return user_refuse(rq, transition);
}

static enum step
decide(struct request *rq, struct deletion_case *deletion)
{
	for (int i = 0; i < deletion->count; i++) {
		struct subject *subject = &deletion->subjects[i];
		struct transition transition;

		subject->state.is_last_administrator = subject->state.is_administrator && !deletion->administrator_remains;
		if (!proposal_holds(&rq->proposal, deletion->policy.default_permissions, &subject->permissions))
			return request_problem_detail(rq, PROBLEM_EXCEEDS_YOUR_PERMISSIONS, NULL,
				arena_printf(rq->scratch, "User %s holds permissions that you do not hold.", subject->id));
		if (!lifecycle_decide(&subject->policy, &subject->state, EVENT_DELETE, &transition))
			return refuse_user(rq, deletion, subject->id, &transition);
		deletion->is_gated = deletion->is_gated || transition.reduces_administrators;
	}
	return STEP_NEXT;
}

static const char *
mode_of(const struct policy *policy)
{
	return policy->deletion == DELETION_ERASE ? "erase" : "anonymise";
}

/* One id for the audit row of each. */
static const char *
audit_ids(struct request *rq, int count)
{
	struct buffer array = BUFFER_INIT;

	for (int i = 0; i < count; i++)
		append_item(&array, request_new_id(rq));
	return take_array(rq, &array);
}

static enum step
delete_users(struct request *rq, const struct deletion_case *deletion)
{
	/* The gate of a decision about administrators begins at who asks, as everywhere. */
	const char *admin_epoch = deletion->is_gated ? rq->caller.admin_epoch : NULL;

	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ &query_deletion_lock, (const char *const[]){ rq->org_id, deletion->user_ids_now } },
		{ &query_user_delete, (const char *const[]){ rq->org_id, deletion->id, mode_of(&deletion->policy),
			deletion->user_ids_now, deletion->versions_now, audit_ids(rq, deletion->count),
			deletion->references_now, admin_epoch, request_new_id(rq), request_actor(rq) } },
		{ &query_deletion_get, (const char *const[]){ rq->org_id, deletion->id } },
	}, 3);
}

/* ---- Asking for it. */

/* The ids of the body that are ids; the others were named as faults already. */
static const char *
wanted_ids(struct request *rq)
{
	struct json_object *list = json_member(rq->body, "user_ids");
	const size_t count = list != NULL && json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	struct buffer array = BUFFER_INIT;
	struct uuid id;

	buffer_putc(&array, '{');
	for (size_t i = 0; i < count && i < USERS_MAX; i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(list, i));
		if (text != NULL && uuid_parse(text, &id))
			buffer_printf(&array, "%s%s", array.length > 1 ? "," : "", text);
	}
	return take_array(rq, &array);
}

static enum step
deletion_ask(struct request *rq)
{
	return load(rq, wanted_ids(rq));
}

static struct uuid *
known_ids(struct request *rq, const struct deletion_case *deletion)
{
	struct uuid *ids = arena_take(rq->scratch, sizeof(*ids) * (size_t)(deletion->count + 1));

	for (int i = 0; i < deletion->count; i++) {
		if (!uuid_parse(deletion->subjects[i].id, &ids[i]))
			assert(false && "PostgreSQL writes ids as we do");
	}
	return ids;
}

static void
find_unknown(struct request *rq, const struct deletion_case *deletion)
{
	struct json_object *list = json_member(rq->body, "user_ids");
	const struct uuid *known = known_ids(rq, deletion);
	struct uuid id;

	if (list == NULL || !json_object_is_type(list, json_type_array))
		return;
	if (json_object_array_length(list) == 0)
		request_fault(rq, "/user_ids", "too_short", "Name at least one user.");
	for (size_t i = 0; i < json_object_array_length(list) && i < USERS_MAX; i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(list, i));
		if (text != NULL && uuid_parse(text, &id) && uuid_find(known, deletion->count, &id) < 0)
			request_fault(rq, arena_printf(rq->scratch, "/user_ids/%zu", i), "unknown_id", "There is no user with this id.");
	}
}

static enum step
deletion_decide(struct request *rq)
{
	struct deletion_case *deletion = arena_take(rq->scratch, sizeof(*deletion));
	enum step step;

	rq->data = deletion;
	deletion->id = request_new_id(rq);
	take(rq, deletion);
	find_unknown(rq, deletion);
	step = request_answer_faults(rq);
	if (step == STEP_NEXT)
		step = decide(rq, deletion);
	if (step == STEP_NEXT && deletion->policy.deletion_references == REFERENCES_REFUSE && has_references(deletion))
		step = refuse_references(rq);
	return step;
}

static enum step
deletion_record(struct request *rq)
{
	struct deletion_case *deletion = rq->data;

	if (deletion->policy.deletion_confirmation == DELETION_UNCONFIRMED)
		return delete_users(rq, deletion);
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ &query_deletion_create, (const char *const[]){ rq->org_id, deletion->id, mode_of(&deletion->policy),
			confirmation_new_code(rq),
			deletion->user_ids_now, deletion->versions_now, deletion->references_now, request_new_id(rq), request_actor(rq) } },
		{ &query_deletion_get, (const char *const[]){ rq->org_id, deletion->id } },
	}, 2);
}

request_step *const deletion_create_steps[] = { deletion_ask, deletion_decide, deletion_record, reply_created, NULL };

/* ---- Confirming it. */

static enum step
deletion_try(struct request *rq)
{
	const char *maker_kind = request_actor_kind(rq);

	return request_queries(rq, LANE_WRITE, (const struct statement[]){
		{ &query_deletion_find, (const char *const[]){ rq->org_id, rq->path_values[0], maker_kind, rq->caller.id } },
		{ &query_deletion_try, (const char *const[]){ rq->org_id, rq->path_values[0], maker_kind, rq->caller.id,
			request_text(rq, "code"), request_new_id(rq), request_actor(rq) } },
	}, 2);
}

static enum step
deletion_judge(struct request *rq)
{
	const PGresult *tried = rq->results[1];
	struct deletion_case *deletion;
	enum step step;

	if (request_rows(rq, 0) == 0)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	step = confirmation_judge(rq, tried, PROBLEM_DELETION_DEAD);
	if (step != STEP_NEXT)
		return step;
	deletion = arena_take(rq->scratch, sizeof(*deletion));
	deletion->id = rq->path_values[0];
	deletion->mode = arena_copy(rq->scratch, row_text(tried, 0, "mode"));
	deletion->user_ids = arena_copy(rq->scratch, row_text(tried, 0, "user_ids"));
	deletion->versions = arena_copy(rq->scratch, row_text(tried, 0, "versions"));
	deletion->references = arena_copy(rq->scratch, row_text(tried, 0, "reference_counts"));
	rq->data = deletion;
	return load(rq, deletion->user_ids);
}

static bool
is_as_announced(const struct deletion_case *deletion)
{
	return deletion->policy.deletion != DELETION_FORBIDDEN
		&& strcmp(mode_of(&deletion->policy), deletion->mode) == 0
		&& strcmp(deletion->user_ids_now, deletion->user_ids) == 0
		&& strcmp(deletion->versions_now, deletion->versions) == 0
		&& strcmp(deletion->references_now, deletion->references) == 0
		&& (deletion->policy.deletion_references != REFERENCES_REFUSE || !has_references(deletion));
}

static enum step
deletion_finish(struct request *rq)
{
	struct deletion_case *deletion = rq->data;
	enum step step;

	take(rq, deletion);
	deletion->has_changed = !is_as_announced(deletion);
	if (deletion->has_changed)
		return request_query(rq, LANE_WRITE, &query_deletion_kill,
			(const char *const[]){ rq->org_id, deletion->id, request_new_id(rq), request_actor(rq) });
	step = decide(rq, deletion);
	return step == STEP_NEXT ? delete_users(rq, deletion) : step;
}

static enum step
deletion_judge_end(struct request *rq)
{
	const struct deletion_case *deletion = rq->data;

	if (deletion->has_changed && request_rows(rq, 0) == 0)
		return request_problem(rq, PROBLEM_DELETION_DEAD);
	if (deletion->has_changed)
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT,
			deletion->policy.deletion == DELETION_FORBIDDEN ? "deletion" : NULL,
			"These users, what refers to them or the policy have changed since the deletion was asked for, and it is dead. Ask for a new one.");
	return STEP_NEXT;
}

request_step *const deletion_confirm_steps[] = { deletion_try, deletion_judge, deletion_finish, deletion_judge_end, reply_ok, NULL };
