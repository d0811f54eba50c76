/*
 * The facts for many operations, read by one statement for each kind of fact.
 *
 * Each operation then holds the results that its kind reads when it is alone, in the same
 * places, with the row that is its own. What is always true: a fact is read for all of
 * them in one go, so a thousand operations cost the statements of one.
 */
#include "user_bulk_priv.h"

#include <assert.h>

#include "user_structure.h"

enum { FACTS_USERS, FACTS_ROLES, FACTS_TAKEN, FACTS_STRUCTURE, FACTS_COUNT };

static bool
has_place(const struct operation *operation)
{
	return operation->kind == OPERATION_CREATE || operation->kind == OPERATION_UPDATE;
}

static bool
is_asked(const struct operation *operation)
{
	return !operation->is_over;
}

static const char *
named_role(struct operation *operation, struct uuid *id)
{
	const char *text = has_place(operation) ? request_text(&operation->rq, "role_id") : NULL;

	return text != NULL && uuid_parse(text, id) ? text : NULL;
}

static void
write_id(struct buffer *ids, const char *id)
{
	if (id != NULL)
		buffer_printf(ids, "%s%s", ids->length > 1 ? "," : "", id);
}

static void
write_wanted(struct operation *operation, int place, struct buffer *wanted)
{
	static const char *const names[] = { "email", "username", "external_id" };

	json_write_separator(wanted);
	buffer_putc(wanted, '{');
	json_write_int_member(wanted, "place", place);
	json_write_string_member(wanted, "id", operation->user_id);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		json_write_string_member(wanted, names[i], request_text(&operation->rq, names[i]));
	buffer_putc(wanted, '}');
}

static const char *
take_list(struct request *rq, struct buffer *list, char end)
{
	buffer_putc(list, end);
	const char *text = arena_copy(rq->scratch, buffer_text(list));
	buffer_free(list);
	return text;
}

enum step
user_bulk_load(struct request *rq)
{
	struct bulk *bulk = rq->data;
	struct buffer users = BUFFER_INIT, roles = BUFFER_INIT, wanted = BUFFER_INIT, named = BUFFER_INIT;
	struct uuid role;

	buffer_putc(&users, '{');
	buffer_putc(&roles, '{');
	buffer_putc(&wanted, '[');
	buffer_putc(&named, '[');
	for (int i = 0; i < bulk->count; i++) {
		struct operation *operation = &bulk->operations[i];
		if (!is_asked(operation))
			continue;
		write_id(&users, operation->user_id);
		write_id(&roles, named_role(operation, &role));
		if (has_place(operation)) {
			write_wanted(operation, i, &wanted);
			user_structure_write_named(&operation->rq, operation->user_id, i, &named);
		}
	}
	return request_queries(rq, LANE_SLOW, (const struct statement[FACTS_COUNT]){
		[FACTS_USERS] = { &query_user_bulk_load, (const char *const[]){ rq->org_id, take_list(rq, &users, '}') } },
		[FACTS_ROLES] = { &query_user_bulk_load_roles, (const char *const[]){ rq->org_id, take_list(rq, &roles, '}') } },
		[FACTS_TAKEN] = { &query_user_bulk_load_taken, (const char *const[]){ rq->org_id, take_list(rq, &wanted, ']'),
			bulk->among_themselves ? "true" : "false" } },
		[FACTS_STRUCTURE] = { &query_user_bulk_load_structure, (const char *const[]){ rq->org_id, take_list(rq, &named, ']') } },
	}, FACTS_COUNT);
}

/* The ids of a column; one that is null is all zeros, which no id is. */
static const struct uuid *
ids_of(struct request *rq, const PGresult *rows, const char *column)
{
	struct uuid *ids = arena_take(rq->scratch, sizeof(*ids) * (size_t)(PQntuples(rows) + 1));

	for (int i = 0; i < PQntuples(rows); i++) {
		const char *text = row_text(rows, i, column);
		if (text != NULL && !uuid_parse(text, &ids[i]))
			assert(false && "PostgreSQL writes ids as we do");
	}
	return ids;
}

static int
find_id(const struct uuid *ids, int count, const struct uuid *id)
{
	for (int i = 0; i < count; i++) {
		if (uuid_equal(&ids[i], id))
			return i;
	}
	return -1;
}

static void
hold(struct operation *operation, PGresult *rows, int row)
{
	struct request *own = &operation->rq;

	own->results[own->result_count] = rows;
	own->rows[own->result_count] = row;
	own->result_count++;
	own->result = own->results[0];
}

static void
hold_taken(struct operation *operation, PGresult *rows, int row)
{
	operation->is_taken_email = row_is_true(rows, row, "email_taken");
	operation->is_taken_username = row_is_true(rows, row, "username_taken");
	operation->is_taken_external_id = row_is_true(rows, row, "external_id_taken");
	if (operation->kind == OPERATION_UPDATE)
		hold(operation, rows, row_text(rows, row, "id") != NULL ? row : -1);
}

void
user_bulk_share(struct request *rq, struct bulk *bulk)
{
	PGresult *const *facts = rq->results;
	const struct uuid *users = ids_of(rq, facts[FACTS_USERS], "user_id");
	const struct uuid *roles = ids_of(rq, facts[FACTS_ROLES], "named_role_id");
	int taken = 0, named = 0;

	for (int i = 0; i < bulk->count; i++) {
		struct operation *operation = &bulk->operations[i];
		struct uuid role = { { 0 } };
		if (!is_asked(operation))
			continue;
		operation->rq.result_count = 0;
		if (operation->kind != OPERATION_CREATE)
			hold(operation, facts[FACTS_USERS], find_id(users, request_rows(rq, FACTS_USERS), &operation->uuid));
		if (!has_place(operation))
			continue;
		(void)named_role(operation, &role);
		hold(operation, facts[FACTS_ROLES], find_id(roles, request_rows(rq, FACTS_ROLES), &role));
		hold_taken(operation, facts[FACTS_TAKEN], taken++);
		if (user_structure_names_anything(&operation->rq))
			hold(operation, facts[FACTS_STRUCTURE], named++);
	}
}
