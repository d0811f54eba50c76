/*
 * Groups, and who is in them (S4-04, S4-05, S4-13).
 *
 * What is always true: to come into a group or to leave it is an edit of the user. It
 * moves his version, stands in his history, and is done only by who holds all that he
 * holds. A change of many names every fault, and is done as a whole or not at all. Whoever
 * deletes a group may let all go whom it has when that begins, or nobody goes. They go a page at a time, so that
 * none is held for long, and the last page in one transaction with the group: it goes only
 * if they did. What is broken off goes on when it is asked again. Where somebody joins,
 * leaves or is changed meanwhile, it is looked at anew.
 */
#include "groups.h"

#include <string.h>

#include "list.h"
#include "permission.h"
#include "reply.h"
#include "route.h"
#include "subject.h"
#include "user_steps.h"

/* As many come at once, named in one body, and as many leave whom a new list does not name. */
#define MEMBERS_MAX 1000

/* Of those who leave a group that goes, in one statement, at some 0.4 ms each (their indexes): whoever
 * waits for one of them does so for less than lock_timeout. */
#define LEAVERS_PER_PAGE 250

const struct body_field group_create_fields[] = {
	{ "name", BODY_NAME, .is_required = true },
	{ "users", BODY_READ_ONLY },
	BODY_READ_ONLY_OF_OBJECT,
	{ 0 },
};

const struct body_field group_edit_fields[] = {
	{ "name", BODY_NAME },
	{ "users", BODY_READ_ONLY },
	BODY_READ_ONLY_OF_OBJECT,
	{ 0 },
};

const struct body_field group_members_fields[] = {
	{ "user_ids", BODY_IDS, .is_required = true, .max = MEMBERS_MAX },
	{ 0 },
};

const struct resource groups = {
	.path = "/v1/groups",
	.list = &query_group_list, .count = &query_group_count, .get = &query_group_get,
	.create = &query_group_create, .edit = &query_group_edit, .remove = &query_group_remove,
};

const char *const group_member_list_parameters[] = { "limit", "cursor", "count", NULL };

static enum step
group_member_list(struct request *rq)
{
	struct page_wish *page = list_begin(rq, 'm', true);

	return list_ask_of_one(rq, LANE_SLOW, (const struct statement[]){
		{ &query_group_member_list, (const char *const[]){ rq->org_id, rq->path_values[0], page->after_key,
			page->after_id, page->limit_text } },
		{ &query_group_member_count, (const char *const[]){ rq->org_id, rq->path_values[0], page->wants_count_text } },
	});
}

request_step *const group_member_list_steps[] = { group_member_list, list_reply_of_one, NULL };

/* The group, and everybody whom the change is about: who is named, and as many of the others. */
static enum step
load_members(struct request *rq, const char *user_ids, const char *others)
{
	return request_queries(rq, LANE_SLOW, (const struct statement[]){
		{ &query_group_get, (const char *const[]){ rq->org_id, rq->path_values[0] } },
		{ &query_group_member_load, (const char *const[]){ rq->org_id, rq->path_values[0], user_ids, others } },
	}, 2);
}

static enum step
group_members_load_to_add(struct request *rq)
{
	return load_members(rq, body_ids(rq, "user_ids"), "0");
}

static enum step
group_members_load_to_replace(struct request *rq)
{
	return load_members(rq, body_ids(rq, "user_ids"), arena_printf(rq->scratch, "%d", MEMBERS_MAX + 1));
}

static enum step
group_member_load(struct request *rq)
{
	return load_members(rq, arena_printf(rq->scratch, "{%s}", rq->path_values[1]), "0");
}

/* Faults of the body's form come first: they can be mended without a group. */
static enum step
group_members_check(struct request *rq)
{
	const PGresult *rows = rq->results[1];
	int others = 0;

	if (request_rows(rq, 0) == 0)
		return rq->fault_count > 0 ? request_answer_faults(rq) : request_problem(rq, PROBLEM_NOT_FOUND);
	const enum step step = request_check_match(rq, request_column(rq, "version"));
	if (step != STEP_NEXT)
		return step;
	for (int row = 0; row < PQntuples(rows); row++) {
		if (row_is_true(rows, row, "is_unknown"))
			request_fault(rq, arena_printf(rq->scratch, "/user_ids/%s", row_text(rows, row, "place")), "unknown_id",
				"There is no user with this id.");
		others += row_text(rows, row, "place") == NULL;
	}
	if (rq->fault_count == 0 && others > MEMBERS_MAX)
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL, arena_printf(rq->scratch,
			"More than %d users would leave this group: take some of them out of it first, or delete it.", MEMBERS_MAX));
	return request_answer_faults(rq);
}

/* The version is the user's: it is he who changes. */
static enum step
group_member_check(struct request *rq)
{
	const PGresult *rows = rq->results[1];

	if (request_rows(rq, 0) == 0 || !row_is_true(rows, 0, "is_member"))
		return request_problem(rq, PROBLEM_NOT_FOUND);
	return request_check_match(rq, row_text(rows, 0, "version"));
}

/* Who is named comes, unless he is told to go; who is not named goes. */
static bool
joins(struct request *rq, int row)
{
	return rq->route->method != HTTP_DELETE && row_text(rq->results[1], row, "place") != NULL;
}

static void
write_item(struct request *rq, struct buffer *out, int row, const char *audit_id)
{
	const PGresult *rows = rq->results[1];

	json_write_separator(out);
	buffer_putc(out, '{');
	json_write_string_member(out, "id", row_text(rows, row, "user_id"));
	json_write_string_member(out, "version", row_text(rows, row, "version"));
	json_write_bool_member(out, "joins", joins(rq, row));
	json_write_string_member(out, "audit_id", audit_id);
	buffer_putc(out, '}');
}

/* Writes whom the change really changes, as jsonb; false where one of them holds more than who
 * asks. last_audit_id becomes the line of the last of them, "" where nobody is changed. */
static bool
write_items(struct request *rq, struct buffer *out, char last_audit_id[UUID_TEXT_SIZE])
{
	const PGresult *rows = rq->results[1];
	struct arena *sets = arena_create();
	bool holds = true;

	*last_audit_id = '\0';
	buffer_putc(out, '[');
	for (int row = 0; row < PQntuples(rows) && holds; row++) {
		if (row_is_true(rows, row, "is_member") == joins(rq, row))
			continue;
		const struct permission_set held = permission_set_parse(sets, row_text(rows, row, "permissions"));
		holds = proposal_holds(&rq->proposal, row_text(rows, row, "default_permissions"), &held);
		uuid_make_text(last_audit_id);
		write_item(rq, out, row, last_audit_id);
	}
	buffer_putc(out, ']');
	arena_free(&sets);
	return holds;
}

static enum step
refuse_members(struct request *rq)
{
	return request_problem_detail(rq, PROBLEM_EXCEEDS_YOUR_PERMISSIONS, NULL,
		"One of these users holds permissions that you do not hold.");
}

static enum step
group_members_record(struct request *rq)
{
	const struct statement get = { &query_group_get, (const char *const[]){ rq->org_id, rq->path_values[0] } };
	/* Of many members the version is the group's, of one his own. */
	const bool is_about_group = rq->if_match != NULL && rq->route->method != HTTP_DELETE;
	const char *group_version = is_about_group ? arena_copy(rq->scratch, request_column(rq, "version")) : NULL;
	struct buffer items = BUFFER_INIT;
	char last_audit_id[UUID_TEXT_SIZE];
	enum step step;

	if (!write_items(rq, &items, last_audit_id))
		step = refuse_members(rq);
	else if (*last_audit_id == '\0')
		step = request_queries(rq, LANE_SLOW, &get, 1);
	else
		step = request_effects(rq, LANE_WRITE, (const struct statement[]){
			{ &query_group_member_change, (const char *const[]){ rq->org_id, rq->path_values[0], group_version,
				buffer_text(&items), request_actor(rq) } },
			get,
		}, 2);
	buffer_free(&items);
	return step;
}

request_step *const group_members_add_steps[] = {
	group_members_load_to_add, group_members_check, group_members_record, reply_ok, NULL
};

request_step *const group_members_replace_steps[] = {
	group_members_load_to_replace, group_members_check, group_members_record, reply_ok, NULL
};

request_step *const group_member_remove_steps[] = {
	group_member_load, group_member_check, group_members_record, reply_no_content, NULL
};

/* Deleting: everybody goes, and then the group. */

struct group_removal {
	struct resource_case the;	/* first: resource_take fills it */
	bool may_all_leave;		/* was asked before the first page */
	bool has_more;			/* this page is not the last */
};

static enum step
group_remove_load(struct request *rq)
{
	struct group_removal *removal = rq->data != NULL ? rq->data : arena_take(rq->scratch, sizeof(*removal));
	const char *id = rq->path_values[0], *limit = arena_printf(rq->scratch, "%d", LEAVERS_PER_PAGE);

	rq->data = removal;
	return request_queries(rq, LANE_SLOW, (const struct statement[]){
		{ &query_group_get, (const char *const[]){ rq->org_id, id } },
		{ &query_group_member_load, (const char *const[]){ rq->org_id, id, "{}", limit } },
		{ &query_group_permission_list, (const char *const[]){ rq->org_id, id } },
	}, removal->may_all_leave ? 2 : 3);
}

static enum step
group_remove_check(struct request *rq)
{
	struct group_removal *removal = rq->data;
	const PGresult *sets = removal->may_all_leave ? NULL : rq->results[2];

	for (int row = 0; row < PQntuples(sets); row++) {
		const struct permission_set held = permission_set_parse(rq->scratch, row_text(sets, row, "permissions"));
		if (!proposal_holds(&rq->proposal, row_text(sets, row, "default_permissions"), &held))
			return refuse_members(rq);
	}
	removal->may_all_leave = true;
	return PQntuples(rq->results[1]) > 0 ? user_require(rq, "users:write", "users leave the group") : STEP_NEXT;
}

static enum step
group_remove_record(struct request *rq)
{
	struct group_removal *removal = rq->data;
	const struct resource_case *the = &removal->the;
	struct buffer items = BUFFER_INIT;
	char last_leaver[UUID_TEXT_SIZE];
	const char *actor = request_actor(rq);
	enum step step;

	removal->has_more = PQntuples(rq->results[1]) == LEAVERS_PER_PAGE;
	const bool may_leave = write_items(rq, &items, last_leaver), is_empty = *last_leaver == '\0';
	const struct statement statements[] = {
		{ &query_group_member_change, (const char *const[]){ rq->org_id, the->id, the->version, buffer_text(&items), actor } },
		{ &query_group_remove, (const char *const[]){ rq->org_id, the->id, the->version, is_empty ? NULL : last_leaver,
			request_new_id(rq), actor } },
	};
	if (!may_leave)
		step = refuse_members(rq);
	else if (removal->has_more)
		step = request_queries(rq, LANE_WRITE, statements, 1);
	else if (is_empty)
		step = request_effects(rq, LANE_WRITE, statements + 1, 1);
	else
		step = request_effects(rq, LANE_WRITE, statements, 2);
	buffer_free(&items);
	return step;
}

static enum step
group_remove_go_on(struct request *rq)
{
	const struct group_removal *removal = rq->data;

	return removal->has_more ? request_next_page(rq) : STEP_NEXT;
}

request_step *const group_remove_steps[] = {
	group_remove_load, resource_take, group_remove_check, group_remove_record, group_remove_go_on, reply_no_content, NULL
};
