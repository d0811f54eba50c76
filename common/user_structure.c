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

#include "form.h"
#include "pgarray.h"
#include "queries.h"
#include "subject.h"
#include "text.h"

/* "" takes a position away, as null does. */
static const char *
wanted_position(struct proposal *pr)
{
	const char *title = proposal_text(pr, "position");

	return title != NULL && *title != '\0' ? title : NULL;
}

bool
user_structure_names_anything(struct proposal *pr)
{
	return proposal_has(pr, "department_id") || proposal_has(pr, "position") || proposal_has(pr, "group_ids");
}

int
user_structure_load(struct proposal *pr, const char *user_id, struct statement *statement)
{
	if (!user_structure_names_anything(pr))
		return 0;
	const char **params = arena_take(pr->scratch, sizeof(*params) * 5);
	params[0] = pr->org_id;
	params[1] = user_id;
	params[2] = form_id(pr, "department_id");
	params[3] = wanted_position(pr);
	params[4] = form_ids(pr, "group_ids");
	*statement = (struct statement){ &query_user_structure_load, params };
	return 1;
}

void
user_structure_write_named(struct proposal *pr, const char *user_id, int place, struct buffer *named)
{
	if (!user_structure_names_anything(pr))
		return;
	json_write_separator(named);
	buffer_putc(named, '{');
	json_write_int_member(named, "place", place);
	json_write_string_member(named, "user_id", user_id);
	json_write_string_member(named, "department_id", form_id(pr, "department_id"));
	json_write_string_member(named, "position", wanted_position(pr));
	json_write_string_member(named, "group_ids", form_ids(pr, "group_ids"));
	buffer_putc(named, '}');
}

/* Which result it is, most often the last; -1: the body names nothing, so nothing was read. */
static int
loaded(struct proposal *pr)
{
	for (int i = pr->result_count - 1; i >= 0; i--) {
		if (PQfnumber(pr->results[i], "unknown_groups") >= 0)
			return i;
	}
	assert(!user_structure_names_anything(pr));
	return -1;
}

static void
find_unknown_groups(struct proposal *pr, const char *places)
{
	struct buffer place = BUFFER_INIT;
	bool is_null;

	while (pgarray_next(&places, &place, &is_null))
		proposal_fault(pr, arena_printf(pr->scratch, "/group_ids/%s", buffer_text(&place)), "unknown_id",
			"There is no group with this id.");
	buffer_free(&place);
}

/* A kind that somebody has already stays his, whatever the policy has become; or comes back. */
static void
find_kind_fault(struct proposal *pr, const struct policy *policy, const char *kind_before)
{
	const char *kind = proposal_text(pr, "kind");

	if (kind_before != NULL && (kind == NULL || strcmp(kind, kind_before) == 0 || pr->restores))
		return;
	if (kind == NULL && !policy_words_have(policy->user_kinds, "employee"))
		proposal_fault_by(pr, "user_kinds", "/kind", "required", "The policy user_kinds has no employees: say which kind this user is.");
	else if (kind != NULL && (strcmp(kind, "employee") == 0 || strcmp(kind, "external") == 0)
		&& !policy_words_have(policy->user_kinds, kind))
		proposal_fault_by(pr, "user_kinds", "/kind", "invalid", "The policy user_kinds does not have this kind.");
}

void
user_structure_find_faults(struct proposal *pr, const struct policy *policy, const char *kind_before)
{
	const int found = loaded(pr);

	find_kind_fault(pr, policy, kind_before);
	if (found < 0)
		return;
	if (form_id(pr, "department_id") != NULL && proposal_value(pr, found, "department_id") == NULL)
		proposal_fault(pr, "/department_id", "unknown_id", "There is no department with this id.");
	if (wanted_position(pr) != NULL && proposal_value(pr, found, "position_id") == NULL && !policy->position_free_text)
		proposal_fault_by(pr, "position_free_text", "/position", "invalid", "The policy position_free_text takes only positions that there are.");
	find_unknown_groups(pr, proposal_value(pr, found, "unknown_groups"));
}

/* A position to make, as jsonb. */
static void
write_new_position(struct proposal *pr, struct buffer *out)
{
	buffer_putc(out, '{');
	json_write_string_member(out, "id", proposal_new_id(pr));
	json_write_string_member(out, "title", wanted_position(pr));
	json_write_string_member(out, "audit_id", proposal_new_id(pr));
	buffer_putc(out, '}');
}

void
user_structure_write_row(struct proposal *pr, struct buffer *row, struct buffer *changes)
{
	const int found = loaded(pr);

	if (found < 0)
		return;
	const char *position = proposal_value(pr, found, "position"), *groups = proposal_value(pr, found, "group_ids");
	json_write_string_member(row, "position_id", proposal_value(pr, found, "position_id"));
	json_write_string_member(row, "position", wanted_position(pr));
	json_write_name(row, "group_ids");
	buffer_puts(row, groups);
	if (wanted_position(pr) != NULL)
		json_write_change(changes, "position", NULL, position != NULL ? position : wanted_position(pr));
	if (strcmp(groups, "[]") != 0) {
		json_write_name(changes, "group_ids");
		buffer_printf(changes, "[null,%s]", groups);
	}
}

void
user_structure_make_position(struct proposal *pr, struct buffer *positions)
{
	const int found = loaded(pr);

	if (found < 0 || wanted_position(pr) == NULL || proposal_value(pr, found, "position_id") != NULL)
		return;
	if (positions->length > 0)
		buffer_putc(positions, ',');
	write_new_position(pr, positions);
}

static void
collect_position(struct proposal *pr, int found, struct buffer *patch, struct buffer *changes)
{
	const char *id = proposal_value(pr, found, "position_id"), *before = proposal_value(pr, found, "position_id_before");
	const char *title = wanted_position(pr);

	if (title != NULL && id == NULL) {
		json_write_name(patch, "new_position");
		write_new_position(pr, patch);
	} else if (!text_equals(id, before)) {
		json_write_string_member(patch, "position_id", id);
		title = proposal_value(pr, found, "position");
	} else {
		return;
	}
	json_write_change(changes, "position", proposal_value(pr, found, "position_before"), title);
}

static void
collect_groups(struct proposal *pr, int found, struct buffer *patch, struct buffer *changes)
{
	const char *wanted = proposal_value(pr, found, "group_ids"), *before = proposal_value(pr, found, "group_ids_before");

	if (strcmp(wanted, before) == 0)
		return;
	json_write_name(patch, "group_ids");
	buffer_puts(patch, wanted);
	json_write_name(changes, "group_ids");
	buffer_printf(changes, "[%s,%s]", before, wanted);
}

void
user_structure_collect(struct proposal *pr, struct buffer *patch, struct buffer *changes)
{
	const int found = loaded(pr);

	if (found >= 0 && proposal_has(pr, "position"))
		collect_position(pr, found, patch, changes);
	if (found >= 0 && proposal_has(pr, "group_ids"))
		collect_groups(pr, found, patch, changes);
}
