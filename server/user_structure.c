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

static bool
names_anything(struct request *rq)
{
	return request_has(rq, "department_id") || request_has(rq, "position") || request_has(rq, "group_ids");
}

int
user_structure_load(struct request *rq, const char *user_id, struct statement *statement)
{
	if (!names_anything(rq))
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

/* NULL: the body names nothing, so nothing was read. */
static const PGresult *
loaded(struct request *rq)
{
	for (int i = 0; i < rq->result_count; i++) {
		if (PQfnumber(rq->results[i], "unknown_groups") >= 0)
			return rq->results[i];
	}
	assert(!names_anything(rq));
	return NULL;
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
	const PGresult *found = loaded(rq);

	find_kind_fault(rq, policy, kind_before);
	if (found == NULL)
		return;
	if (body_id(rq, "department_id") != NULL && row_text(found, 0, "department_id") == NULL)
		request_fault(rq, "/department_id", "unknown_id", "There is no department with this id.");
	if (wanted_position(rq) != NULL && row_text(found, 0, "position_id") == NULL && !policy->position_free_text)
		request_fault(rq, "/position", "invalid", "The policy position_free_text takes only positions that there are.");
	find_unknown_groups(rq, row_text(found, 0, "unknown_groups"));
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
	const PGresult *found = loaded(rq);

	if (found == NULL)
		return;
	json_write_string_member(row, "department_id", row_text(found, 0, "department_id"));
	json_write_string_member(row, "position_id", row_text(found, 0, "position_id"));
	json_write_string_member(row, "position", wanted_position(rq));
	json_write_name(row, "group_ids");
	buffer_puts(row, row_text(found, 0, "group_ids"));
}

int
user_structure_make_position(struct request *rq, struct statement *statement)
{
	const PGresult *found = loaded(rq);
	struct buffer position = BUFFER_INIT;

	if (found == NULL || wanted_position(rq) == NULL || row_text(found, 0, "position_id") != NULL)
		return 0;
	write_new_position(rq, &position);
	const char **params = arena_take(rq->scratch, sizeof(*params) * 3);
	params[0] = rq->org_id;
	params[1] = request_take_text(rq, &position);
	params[2] = request_actor(rq);
	*statement = (struct statement){ &query_position_make, params };
	return 1;
}

static void
collect_position(struct request *rq, const PGresult *found, struct buffer *patch, struct buffer *changes)
{
	const char *id = row_text(found, 0, "position_id"), *before = row_text(found, 0, "position_id_before");
	const char *title = wanted_position(rq);

	if (title != NULL && id == NULL) {
		json_write_name(patch, "new_position");
		write_new_position(rq, patch);
	} else if (!text_equals(id, before)) {
		json_write_string_member(patch, "position_id", id);
		title = row_text(found, 0, "position");
	} else {
		return;
	}
	json_write_change(changes, "position", row_text(found, 0, "position_before"), title);
}

static void
collect_groups(const PGresult *found, struct buffer *patch, struct buffer *changes)
{
	const char *wanted = row_text(found, 0, "group_ids"), *before = row_text(found, 0, "group_ids_before");

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
	const PGresult *found = loaded(rq);

	if (found != NULL && request_has(rq, "position"))
		collect_position(rq, found, patch, changes);
	if (found != NULL && request_has(rq, "group_ids"))
		collect_groups(found, patch, changes);
}
