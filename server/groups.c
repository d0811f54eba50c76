/*
 * Groups, and who is in them (S4-04, S4-05, S4-13).
 *
 * What is always true: to come into a group or to leave it is an edit of the user. It
 * moves his version, stands in his history, and is done only by who holds all that he
 * holds. A change of many names every fault, and is done as a whole or not at all. Whoever
 * deletes a group lets all of them go first, in the same transaction: the group goes only if
 * they did. Where somebody joins, leaves or is changed meanwhile, it is looked at anew.
 */
#include "groups.h"

#include <string.h>

#include "list.h"
#include "permission.h"
#include "reply.h"
#include "route.h"
#include "subject.h"
#include "user_steps.h"

#define MEMBERS_MAX 1000	/* in one body */

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

/* The group, and everybody whom the change is about. */
static enum step
load_members(struct request *rq, const char *user_ids, bool replaces)
{
	return request_queries(rq, LANE_READ, (const struct statement[]){
		{ &query_group_get, (const char *const[]){ rq->org_id, rq->path_values[0] } },
		{ &query_group_member_load, (const char *const[]){ rq->org_id, rq->path_values[0], user_ids,
			replaces ? "true" : "false" } },
	}, 2);
}

static enum step
group_members_load_to_add(struct request *rq)
{
	return load_members(rq, body_ids(rq, "user_ids"), false);
}

static enum step
group_members_load_to_replace(struct request *rq)
{
	return load_members(rq, body_ids(rq, "user_ids"), true);
}

static enum step
group_member_load(struct request *rq)
{
	return load_members(rq, arena_printf(rq->scratch, "{%s}", rq->path_values[1]), false);
}

/* Faults of the body's form come first: they can be mended without a group. */
static enum step
group_members_check(struct request *rq)
{
	const PGresult *rows = rq->results[1];

	if (request_rows(rq, 0) == 0)
		return rq->fault_count > 0 ? request_answer_faults(rq) : request_problem(rq, PROBLEM_NOT_FOUND);
	const enum step step = request_check_match(rq, request_column(rq, "version"));
	if (step != STEP_NEXT)
		return step;
	for (int row = 0; row < PQntuples(rows); row++) {
		if (row_is_true(rows, row, "is_unknown"))
			request_fault(rq, arena_printf(rq->scratch, "/user_ids/%s", row_text(rows, row, "place")), "unknown_id",
				"There is no user with this id.");
	}
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

/* Whom the change really changes, as jsonb; NULL where one of them holds more than who
 * asks, "[]" where nobody. *last_audit_id is the line of the last of them, NULL where nobody. */
static const char *
members_to_change(struct request *rq, const char **last_audit_id)
{
	const PGresult *rows = rq->results[1];
	struct buffer items = BUFFER_INIT;
	const char *text = NULL;

	*last_audit_id = NULL;
	buffer_putc(&items, '[');
	for (int row = 0; row < PQntuples(rows); row++) {
		if (row_is_true(rows, row, "is_member") == joins(rq, row))
			continue;
		struct permission_set held = permission_set_parse(rq->scratch, row_text(rows, row, "permissions"));
		if (!proposal_holds(&rq->proposal, row_text(rows, row, "default_permissions"), &held))
			goto out;
		*last_audit_id = request_new_id(rq);
		write_item(rq, &items, row, *last_audit_id);
	}
	buffer_putc(&items, ']');
	text = arena_copy(rq->scratch, buffer_text(&items));
out:
	buffer_free(&items);
	return text;
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
	const char *last_audit_id, *items = members_to_change(rq, &last_audit_id);
	const struct statement get = { &query_group_get, (const char *const[]){ rq->org_id, rq->path_values[0] } };
	/* Of many members the version is the group's, of one his own. */
	const bool is_about_group = rq->if_match != NULL && rq->route->method != HTTP_DELETE;
	const char *group_version = is_about_group ? arena_copy(rq->scratch, request_column(rq, "version")) : NULL;

	if (items == NULL)
		return refuse_members(rq);
	if (last_audit_id == NULL)
		return request_queries(rq, LANE_READ, &get, 1);
	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ &query_group_member_change, (const char *const[]){ rq->org_id, rq->path_values[0], group_version, items, request_actor(rq) } },
		get,
	}, 2);
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

static enum step
group_remove_load(struct request *rq)
{
	return load_members(rq, "{}", true);
}

static enum step
group_remove_record(struct request *rq)
{
	const struct resource_case *the = rq->data;
	const char *last_leaver, *items = members_to_change(rq, &last_leaver), *actor = request_actor(rq);
	struct statement statements[2];
	int count = 0;

	if (items == NULL)
		return refuse_members(rq);
	const char *change_params[] = { rq->org_id, the->id, the->version, items, actor };
	if (last_leaver != NULL) {
		enum step step = user_require(rq, "users:write", "users leave the group");
		if (step != STEP_NEXT)
			return step;
		statements[count++] = (struct statement){ &query_group_member_change, change_params };
	}
	const char *remove_params[] = { rq->org_id, the->id, the->version, last_leaver, request_new_id(rq), actor };
	statements[count++] = (struct statement){ &query_group_remove, remove_params };
	return request_effects(rq, LANE_WRITE, statements, count);
}

request_step *const group_remove_steps[] = {
	group_remove_load, resource_take, group_remove_record, reply_no_content, NULL
};
