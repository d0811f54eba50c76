/*
 * Assignments: what client applications have given to users and departments.
 *
 * An application calls its things as it likes: app, type and resource in the path, and a
 * relation of which each has one holder. Rollcall knows what none of it means, but nobody
 * is given anything who may not have it: only active users, who are not on a day off unless
 * the policy says so (S0-16, S0-20, S3-17). What is given already stays, until the policy
 * assignments_on_inactivate takes it away (sql/queries/transition.sql).
 */
#include "assignments.h"

#include <limits.h>
#include <string.h>

#include "list.h"
#include "reply.h"
#include "text.h"
#include "user_steps.h"

#define WORD_MAX 64
#define RESOURCE_MAX 200
#define RELATION_DEFAULT "assignee"

const struct body_field assignment_fields[] = {
	{ "user_id", BODY_ID, .is_nullable = true },
	{ "department_id", BODY_ID, .is_nullable = true },
	{ "relation", BODY_TEXT, .max = WORD_MAX },
	{ "app", BODY_READ_ONLY }, { "type", BODY_READ_ONLY }, { "resource", BODY_READ_ONLY },
	BODY_READ_ONLY_OF_OBJECT,
	{ 0 },
};

const char *const assignment_remove_parameters[] = { "relation", NULL };
const char *const assignment_list_parameters[] = { "limit", "cursor", "count", NULL };

static bool
is_word(const char *text)
{
	const size_t length = strlen(text);

	return length >= 1 && length <= WORD_MAX && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == length;
}

/* A step: what is named so cannot be there. */
static enum step
check_path(struct request *rq)
{
	for (int i = 0; i < 3; i++) {
		if (segment_is_dots(rq->path_values[i]))
			return request_problem_detail(rq, PROBLEM_NOT_FOUND, NULL, "Dots alone name nothing in a path.");
	}
	if (!is_word(rq->path_values[0]) || !is_word(rq->path_values[1]))
		return request_problem_detail(rq, PROBLEM_NOT_FOUND, NULL,
			"App and type are words of a to z, digits, underscores, dots and hyphens, at most 64 characters.");
	if (utf8_length(rq->path_values[2]) > RESOURCE_MAX)
		return request_problem_detail(rq, PROBLEM_NOT_FOUND, NULL, "A resource is named in at most 200 characters.");
	return STEP_NEXT;
}

/* All relations of the resource in the path, or one. */
static struct statement
assignment_read(struct request *rq, const char *relation)
{
	const char **params = arena_take(rq->scratch, sizeof(*params) * 5);

	params[0] = rq->org_id;
	for (int i = 0; i < 3; i++)
		params[1 + i] = rq->path_values[i];
	params[4] = relation;
	return (struct statement){ &query_assignment_get, params };
}

/* GET: whoever holds it, by relation. */

static enum step
assignment_get(struct request *rq)
{
	const struct statement read = assignment_read(rq, NULL);

	return request_queries(rq, LANE_READ, &read, 1);
}

static enum step
assignment_get_reply(struct request *rq)
{
	return list_reply_page(rq, INT_MAX, 'a', "id");
}

request_step *const assignment_get_steps[] = { check_path, assignment_get, assignment_get_reply, NULL };

/* PUT: one relation, given to a user or a department. */

struct assignment {
	const char *id, *version;	/* version NULL: not there yet */
	const char *relation;
	const char *user_id, *department_id;		/* who shall hold it */
	const char *user_before, *department_before;	/* who does */
};

static const char *
relation_of(struct request *rq)
{
	const char *relation = request_text(rq, "relation");

	return relation != NULL && is_word(relation) ? relation : RELATION_DEFAULT;
}

static enum step
assignment_load(struct request *rq)
{
	return request_queries(rq, LANE_READ, (const struct statement[]){
		{ &query_assignment_load_holder, (const char *const[]){ rq->org_id, body_id(rq, "user_id"), body_id(rq, "department_id") } },
		assignment_read(rq, relation_of(rq)),
	}, 2);
}

static enum step
assignment_check(struct request *rq)
{
	const char *user_id = body_id(rq, "user_id"), *department_id = body_id(rq, "department_id");
	const char *relation = request_text(rq, "relation");

	if (relation != NULL && *relation != '\0' && !is_word(relation) && utf8_length(relation) <= WORD_MAX)
		request_fault(rq, "/relation", "invalid", "A word of a to z, digits, underscores, dots and hyphens.");
	if (user_id != NULL && row_text(rq->results[0], 0, "user_id") == NULL)
		request_fault(rq, "/user_id", "unknown_id", "There is no user with this id.");
	if (department_id != NULL && row_text(rq->results[0], 0, "department_id") == NULL)
		request_fault(rq, "/department_id", "unknown_id", "There is no department with this id.");
	if (request_text(rq, "user_id") != NULL && request_text(rq, "department_id") != NULL)
		request_fault(rq, "/department_id", "invalid", "Give it to a user or to a department, not to both.");
	if (json_member(rq->body, "user_id") == NULL && json_member(rq->body, "department_id") == NULL)
		request_fault(rq, "/user_id", "required", "A user or a department is needed.");
	return request_answer_faults(rq);
}

/* Why the user may be given nothing now; NULL when he may. */
static const char *
unassignable_because(struct request *rq, const char **policy)
{
	const PGresult *holder = rq->results[0];

	*policy = NULL;
	switch (user_status_from_word(row_text(holder, 0, "status"))) {
	case STATUS_PENDING:
		return "The user is pending: only active users are assigned anything.";
	case STATUS_INACTIVE:
		return "The user is inactive: only active users are assigned anything.";
	case STATUS_LOCKED:
		return "The user is locked: only active users are assigned anything.";
	case STATUS_ACTIVE:
	case STATUS_NONE:
		break;
	}
	if (!row_is_true(holder, 0, "on_day_off") || row_is_true(holder, 0, "assignable_on_day_off"))
		return NULL;
	*policy = "assignable_on_day_off";
	return "The user is on a day off now: who is away is assigned nothing here.";
}

static const char *
kept(struct request *rq, int row, const char *column)
{
	const PGresult *rows = rq->results[rq->result_count - 1];
	const char *text = row < PQntuples(rows) ? row_text(rows, row, column) : NULL;

	return text != NULL ? arena_copy(rq->scratch, text) : NULL;
}

static void
take_before(struct request *rq, int row, struct assignment *assignment)
{
	assignment->id = kept(rq, row, "id");
	assignment->version = kept(rq, row, "version");
	assignment->relation = kept(rq, row, "relation");
	assignment->user_before = kept(rq, row, "user_id");
	assignment->department_before = kept(rq, row, "department_id");
}

static enum step
assignment_decide(struct request *rq)
{
	struct assignment *assignment = arena_take(rq->scratch, sizeof(*assignment));
	const char *policy, *why = body_id(rq, "user_id") != NULL ? unassignable_because(rq, &policy) : NULL;

	if (why != NULL)
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, policy, why);
	rq->data = assignment;
	take_before(rq, 0, assignment);
	const enum step step = request_check_match(rq, assignment->version);
	if (step != STEP_NEXT)
		return step;
	assignment->relation = relation_of(rq);
	/* As the database spells them: they are compared with what it says. */
	const char *user_id = row_text(rq->results[0], 0, "user_id"), *department_id = row_text(rq->results[0], 0, "department_id");
	assignment->user_id = user_id != NULL ? arena_copy(rq->scratch, user_id) : NULL;
	assignment->department_id = department_id != NULL ? arena_copy(rq->scratch, department_id) : NULL;
	return STEP_NEXT;
}

/* What the audit tells; where `is_over`, it was somebody's and is nobody's. */
static const char *
changes_of_assignment(struct request *rq, const struct assignment *assignment, bool is_over)
{
	const char *const *path = rq->path_values;
	const char *resource = arena_printf(rq->scratch, "%s/%s/%s", path[0], path[1], path[2]);
	const bool was_there = assignment->version != NULL;
	struct buffer out = BUFFER_INIT;

	buffer_putc(&out, '{');
	json_write_change(&out, "resource", was_there ? resource : NULL, is_over ? NULL : resource);
	json_write_change(&out, "relation", was_there ? assignment->relation : NULL, is_over ? NULL : assignment->relation);
	if (!text_equals(assignment->user_before, assignment->user_id))
		json_write_change(&out, "user_id", assignment->user_before, assignment->user_id);
	if (!text_equals(assignment->department_before, assignment->department_id))
		json_write_change(&out, "department_id", assignment->department_before, assignment->department_id);
	buffer_putc(&out, '}');
	return request_take_text(rq, &out);
}

static enum step
assignment_write(struct request *rq)
{
	const struct assignment *now = rq->data;
	const char *const *path = rq->path_values;

	if (now->version != NULL && text_equals(now->user_before, now->user_id) && text_equals(now->department_before, now->department_id))
		return STEP_NEXT;	/* as it was read */
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ &query_assignment_put, (const char *const[]){ rq->org_id, request_new_id(rq), path[0], path[1], path[2], now->relation, now->version,
			now->user_id, now->department_id, request_new_id(rq), request_actor(rq), changes_of_assignment(rq, now, false) } },
		assignment_read(rq, now->relation),
	}, 2);
}

request_step *const assignment_put_steps[] = {
	check_path, assignment_load, assignment_check, assignment_decide, assignment_write, reply_ok, NULL
};

/* DELETE: all relations, or the one that is named. */

static enum step
assignment_remove_load(struct request *rq)
{
	const char *relation = request_parameter(rq, "relation");

	if (relation != NULL && !is_word(relation)) {
		rq->faults_in_query = true;
		request_fault(rq, "relation", "invalid", "A word of a to z, digits, underscores, dots and hyphens.");
		return request_answer_faults(rq);
	}
	const struct statement read = assignment_read(rq, relation);
	return request_queries(rq, LANE_READ, &read, 1);
}

static void
write_removed(struct request *rq, struct buffer *out, int row)
{
	struct assignment gone = { 0 };

	take_before(rq, row, &gone);
	json_write_separator(out);
	buffer_putc(out, '{');
	json_write_string_member(out, "id", gone.id);
	json_write_string_member(out, "version", gone.version);
	json_write_string_member(out, "audit_id", request_new_id(rq));
	json_write_name(out, "changes");
	buffer_puts(out, changes_of_assignment(rq, &gone, true));
	buffer_putc(out, '}');
}

static enum step
assignment_remove(struct request *rq)
{
	const char *const *path = rq->path_values;
	const int count = request_rows(rq, 0);
	struct buffer items = BUFFER_INIT;

	if (count == 0)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	for (int row = 0; row < count; row++) {
		const enum step matched = request_check_match(rq, row_text(rq->result, row, "version"));
		if (matched != STEP_NEXT)
			return matched;
	}
	buffer_putc(&items, '[');
	for (int row = 0; row < count; row++)
		write_removed(rq, &items, row);
	buffer_putc(&items, ']');
	const enum step step = request_effect(rq, LANE_WRITE, &query_assignment_remove, (const char *const[]){ rq->org_id, path[0], path[1],
		path[2], buffer_text(&items), request_actor(rq) });
	buffer_free(&items);
	return step;
}

request_step *const assignment_remove_steps[] = {
	check_path, assignment_remove_load, assignment_remove, reply_no_content, NULL
};

/* What a user holds. */

static enum step
assignment_list_of_user(struct request *rq)
{
	struct page_wish *page = list_begin(rq, 'a', false);

	return list_ask_of_one(rq, LANE_READ, (const struct statement[]){
		{ &query_assignment_list_of_user, (const char *const[]){ rq->org_id, rq->path_values[0], page->after_id, page->limit_text } },
		{ &query_assignment_count_of_user, (const char *const[]){ rq->org_id, rq->path_values[0] } },
	});
}

request_step *const assignment_list_of_user_steps[] = { assignment_list_of_user, list_reply_of_one, NULL };
