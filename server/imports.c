/*
 * See imports.h. The server writes down what shall be done, and the job for it, in one
 * transaction; the worker does it.
 *
 * What is always true: an import moves from one state to the next by a statement that names
 * the state before, so of two who begin the same thing one wins. What it writes it writes
 * with its maker's permissions; so nobody else says what his file means, or applies it. To
 * undo is open to all who may: it only takes back.
 */
#include "imports.h"

#include <stdlib.h>
#include <string.h>

#include "list.h"
#include "reply.h"
#include "subject.h"
#include "user_steps.h"

const char *const import_list_parameters[] = { "limit", "cursor", "count", "state", NULL };
const char *const import_row_list_parameters[] = { "limit", "cursor", "count", "outcome", NULL };

const struct body_field import_apply_fields[] = {
	{ "invite", BODY_BOOL },
	{ 0 },
};

/* Looking at them. */

static enum step
import_list(struct request *rq)
{
	static const char *const states[] = { "uploading", "parsing", "ready", "failed", "applying", "applied", "undoing", "undone", NULL };
	struct page_wish *page = list_begin(rq, 'i', false);

	const char *params[] = { rq->org_id, list_read_words(rq, "state", states), page->after_id, page->limit_text };
	return list_ask(rq, (const struct statement[]){
		{ &query_import_list, params },
		{ &query_import_count, params },
	});
}

request_step *const import_list_steps[] = { import_list, list_reply, NULL };

struct statement
import_view(struct request *rq, const char *id)
{
	const char **params = arena_take(rq->scratch, sizeof(*params) * 2);

	params[0] = rq->org_id;
	params[1] = id;
	return (struct statement){ &query_import_get, params };
}

static enum step
import_get(struct request *rq)
{
	const struct statement view = import_view(rq, rq->path_values[0]);

	return request_queries(rq, LANE_READ, &view, 1);
}

request_step *const import_get_steps[] = { import_get, reply_ok, NULL };

static enum step
import_row_list(struct request *rq)
{
	static const char *const outcomes[] = { "create", "update", "unchanged", "error", "applied", "skipped", "undone", "left", NULL };
	struct page_wish *page = list_begin(rq, 'w', true);

	page->id_column = "cursor_id";
	list_check_number_key(rq, page);
	const char *outcome = list_read_words(rq, "outcome", outcomes);
	return list_ask_of_one(rq, LANE_SLOW, (const struct statement[]){
		{ &query_import_row_list, (const char *const[]){ rq->org_id, rq->path_values[0], outcome, page->after_key, page->limit_text } },
		{ &query_import_row_count, (const char *const[]){ rq->org_id, rq->path_values[0], outcome, page->wants_count_text } },
	});
}

request_step *const import_row_list_steps[] = { import_row_list, list_reply_of_one, NULL };

/* One of them, to do something with it. */

struct import_case *
import_case(struct request *rq)
{
	return rq->data;
}

bool
import_is(const struct import_case *import, const char *state)
{
	return strcmp(import->state, state) == 0;
}

enum step
import_load(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_import_load, (const char *const[]){ rq->org_id, rq->path_values[0] });
}

enum step
import_take(struct request *rq)
{
	struct import_case *import = rq->data != NULL ? rq->data : arena_take(rq->scratch, sizeof(*import));
	const char *missing;

	if (request_rows(rq, 0) == 0)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	missing = request_column(rq, "missing");
	import->id = rq->path_values[0];
	import->state = arena_copy(rq->scratch, request_column(rq, "state"));
	import->is_own = strcmp(request_column(rq, "maker_kind"), request_actor_kind(rq)) == 0
		&& strcmp(request_column(rq, "maker_id"), rq->caller.id) == 0;
	import->size = atoll(request_column(rq, "size"));
	import->missing = arena_copy(rq->scratch, missing != NULL ? missing : "");
	import->has_effect = row_int(rq->result, 0, "applied") > 0;
	import->has_undone = row_int(rq->result, 0, "undone") > 0;
	import->invites = (enum import_invites)policy_choice_index(policy_column_find("import_invites"), request_column(rq, "import_invites"));
	rq->data = import;
	return STEP_NEXT;
}

enum step
import_take_own(struct request *rq)
{
	enum step step = import_take(rq);

	if (step == STEP_NEXT && !import_case(rq)->is_own)
		return request_problem_detail(rq, PROBLEM_PERMISSION_MISSING, NULL,
			"An import writes with the permissions of whoever made it, and only he says what becomes of it. Make your own of the file.");
	return step;
}

/* ---- Applying. */

/* Whether people are invited: the policy's word, or the caller's where it leaves it to him. */
static enum step
decide_invite(struct request *rq, bool *invite)
{
	const enum import_invites policy = import_case(rq)->invites;
	const bool says = request_has(rq, "invite");

	*invite = says ? json_member_bool(rq->body, "invite", false) : policy == IMPORT_INVITES_TRUE;
	if (policy == IMPORT_INVITES_TRUE && !*invite)
		return request_problem_detail(rq, PROBLEM_REFUSED_BY_POLICY, "import_invites",
			"Whoever is made by an import is invited here: leave invite to its default.");
	if (policy == IMPORT_INVITES_FALSE && *invite)
		return request_problem_detail(rq, PROBLEM_REFUSED_BY_POLICY, "import_invites",
			"Imports invite nobody here: leave invite out, and invite users afterwards.");
	return *invite ? user_require(rq, "users:invite", "the users that it makes are invited") : STEP_NEXT;
}

static enum step
import_apply(struct request *rq)
{
	const struct import_case *import = import_case(rq);
	bool invite = false;

	if (!import_is(import, "ready"))
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL,
			arena_printf(rq->scratch, "Only an import that is ready can be applied; this one is %s.", import->state));
	enum step step = decide_invite(rq, &invite);
	if (step != STEP_NEXT)
		return step;
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ &query_import_apply, (const char *const[]){ rq->org_id, import->id, invite ? "true" : "false", request_new_id(rq),
			request_actor(rq) } },
		import_view(rq, import->id),
	}, 2);
}

request_step *const import_apply_steps[] = { import_load, import_take_own, import_apply, reply_accepted, NULL };

/* ---- Undoing. It goes from a failed import, too: what was applied of it stands. */

static enum step
import_undo(struct request *rq)
{
	const struct import_case *import = import_case(rq);

	if (!proposal_require(&rq->proposal, "users:delete", "whoever the import has made goes"))
		return request_answer_refusal(rq);
	if (!import_is(import, "applied") && !(import_is(import, "failed") && import->has_effect))
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL,
			arena_printf(rq->scratch, "Only what was applied can be undone; this import is %s.", import->state));
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ &query_import_undo, (const char *const[]){ rq->org_id, import->id, request_new_id(rq), request_actor(rq) } },
		import_view(rq, import->id),
	}, 2);
}

request_step *const import_undo_steps[] = { import_load, import_take, import_undo, reply_accepted, NULL };
