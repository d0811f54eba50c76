/*
 * Where a user stands: his department, his position, his groups, and his kind.
 *
 * What a body names was read by one statement (user_structure_load); that result is
 * looked up again by each hook while it is there. What is always true: a position is
 * found whatever the case of its letters, and is no place in the tree of departments
 * (S1-25). Everything is written in the transaction of the user's own change.
 */
#include "user_structure.h"

#include <assert.h>
#include <string.h>

#include "body.h"
#include "pgarray.h"
#include "subject.h"
#include "text.h"

/* "" takes a position away, as null does. */
static const char *
wanted_position(struct request *rq)
{
	const char *title = request_text(rq, "position");

	return title != NULL && *title != '\0' ? title : NULL;
}

bool
user_structure_names_anything(struct request *rq)
{
	return request_has(rq, "department_id") || request_has(rq, "position") || request_has(rq, "group_ids");
}

int
user_structure_load(struct request *rq, const char *user_id, struct statement *statement)
{
	if (!user_structure_names_anything(rq))
		return 0;
	const char **params = arena_take(rq->scratch, sizeof(*params) * 5);
	params[0] = rq->org_id;
	params[1] = user_id;
	params[2] = body_id(rq, "department_id");
	params[3] = wanted_position(rq);
	params[4] = body_ids(rq, "group_ids");
	*statement = (struct statement){ &query_user_structure_load, params };
	return 1;
}

void
user_structure_write_named(struct request *rq, const char *user_id, int place, struct buffer *named)
{
	if (!user_structure_names_anything(rq))
		return;
	json_write_separator(named);
	buffer_putc(named, '{');
	json_write_int_member(named, "place", place);
	json_write_string_member(named, "user_id", user_id);
	json_write_string_member(named, "department_id", body_id(rq, "department_id"));
	json_write_string_member(named, "position", wanted_position(rq));
	json_write_string_member(named, "group_ids", body_ids(rq, "group_ids"));
	buffer_putc(named, '}');
}

/* Which result it is; -1: the body names nothing, so nothing was read. */
static int
loaded(struct request *rq)
{
	for (int i = 0; i < rq->result_count; i++) {
		if (PQfnumber(rq->results[i], "unknown_groups") >= 0)
			return i;
	}
	assert(!user_structure_names_anything(rq));
	return -1;
}

static void
find_unknown_groups(struct request *rq, const char *places)
{
	struct buffer place = BUFFER_INIT;
	bool is_null;

	while (pgarray_next(&places, &place, &is_null))
		request_fault(rq, arena_printf(rq->scratch, "/group_ids/%s", buffer_text(&place)), "unknown_id",
			"There is no group with this id.");
	buffer_free(&place);
}

/* A kind that somebody has already stays his, whatever the policy has become. */
static void
find_kind_fault(struct request *rq, const struct policy *policy, const char *kind_before)
{
	const char *kind = request_text(rq, "kind");

	if (kind_before != NULL && (kind == NULL || strcmp(kind, kind_before) == 0))
		return;
	if (kind == NULL && !policy_words_have(policy->user_kinds, "employee"))
		request_fault(rq, "/kind", "required", "The policy user_kinds has no employees: say which kind this user is.");
	else if (kind != NULL && (strcmp(kind, "employee") == 0 || strcmp(kind, "external") == 0)
		&& !policy_words_have(policy->user_kinds, kind))
		request_fault(rq, "/kind", "invalid", "The policy user_kinds does not have this kind.");
}

void
user_structure_find_faults(struct request *rq, const struct policy *policy, const char *kind_before)
{
	const int found = loaded(rq);

	find_kind_fault(rq, policy, kind_before);
	if (found < 0)
		return;
	if (body_id(rq, "department_id") != NULL && request_value(rq, found, "department_id") == NULL)
		request_fault(rq, "/department_id", "unknown_id", "There is no department with this id.");
	if (wanted_position(rq) != NULL && request_value(rq, found, "position_id") == NULL && !policy->position_free_text)
		request_fault(rq, "/position", "invalid", "The policy position_free_text takes only positions that there are.");
	find_unknown_groups(rq, request_value(rq, found, "unknown_groups"));
}

/* A position to make, as jsonb. */
static void
write_new_position(struct request *rq, struct buffer *out)
{
	buffer_putc(out, '{');
	json_write_string_member(out, "id", request_new_id(rq));
	json_write_string_member(out, "title", wanted_position(rq));
	json_write_string_member(out, "audit_id", request_new_id(rq));
	buffer_putc(out, '}');
}

void
user_structure_write_row(struct request *rq, struct buffer *row)
{
	const int found = loaded(rq);

	if (found < 0)
		return;
	json_write_string_member(row, "department_id", request_value(rq, found, "department_id"));
	json_write_string_member(row, "position_id", request_value(rq, found, "position_id"));
	json_write_string_member(row, "position", wanted_position(rq));
	json_write_name(row, "group_ids");
	buffer_puts(row, request_value(rq, found, "group_ids"));
}

void
user_structure_make_position(struct request *rq, struct buffer *positions)
{
	const int found = loaded(rq);

	if (found < 0 || wanted_position(rq) == NULL || request_value(rq, found, "position_id") != NULL)
		return;
	if (positions->length > 0)
		buffer_putc(positions, ',');
	write_new_position(rq, positions);
}

static void
collect_position(struct request *rq, int found, struct buffer *patch, struct buffer *changes)
{
	const char *id = request_value(rq, found, "position_id"), *before = request_value(rq, found, "position_id_before");
	const char *title = wanted_position(rq);

	if (title != NULL && id == NULL) {
		json_write_name(patch, "new_position");
		write_new_position(rq, patch);
	} else if (!text_equals(id, before)) {
		json_write_string_member(patch, "position_id", id);
		title = request_value(rq, found, "position");
	} else {
		return;
	}
	json_write_change(changes, "position", request_value(rq, found, "position_before"), title);
}

static void
collect_groups(struct request *rq, int found, struct buffer *patch, struct buffer *changes)
{
	const char *wanted = request_value(rq, found, "group_ids"), *before = request_value(rq, found, "group_ids_before");

	if (strcmp(wanted, before) == 0)
		return;
	json_write_name(patch, "group_ids");
	buffer_puts(patch, wanted);
	json_write_name(changes, "group_ids");
	buffer_printf(changes, "[%s,%s]", before, wanted);
}

void
user_structure_collect(struct request *rq, struct buffer *patch, struct buffer *changes)
{
	const int found = loaded(rq);

	if (found >= 0 && request_has(rq, "position"))
		collect_position(rq, found, patch, changes);
	if (found >= 0 && request_has(rq, "group_ids"))
		collect_groups(rq, found, patch, changes);
}
