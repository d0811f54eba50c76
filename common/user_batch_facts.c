/*
 * The facts for many operations, read by one statement for each kind of fact.
 *
 * Each operation then holds the results that its kind reads when it is alone, in the same
 * places, with the row that is its own; what is the same for all stands in the first row, once.
 * What is always true: a fact is read for all of them in one go, so a thousand operations cost
 * the statements of one, and the definitions of fields are parsed for all of them together.
 */
#include "user_batch_priv.h"

#include <assert.h>

#include "queries.h"
#include "role_making.h"
#include "subject.h"
#include "user_structure.h"

enum { FACTS_USERS, FACTS_ROLES, FACTS_TAKEN, FACTS_STRUCTURE };

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
	const char *text = has_place(operation) ? proposal_text(&operation->pr, "role_id") : NULL;

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
		json_write_string_member(wanted, names[i], proposal_text(&operation->pr, names[i]));
	if (operation->kind == OPERATION_CREATE)
		json_write_string_member(wanted, "role_name", inline_role_name(&operation->pr));
	buffer_putc(wanted, '}');
}

/* A parameter of one of the statements: the list, closed. */
static const char *
take_list(struct user_batch *batch, struct buffer *list, char end)
{
	buffer_putc(list, end);
	return proposal_take_text(batch->origin, list);
}

static struct statement
statement_of(struct user_batch *batch, const struct query *query, const char *list, const char *third)
{
	const char **params = arena_take(batch->origin->scratch, sizeof(*params) * 3);

	params[0] = batch->origin->org_id;
	params[1] = list;
	params[2] = third;
	return (struct statement){ query, params };
}

void
user_batch_load(struct user_batch *batch, struct statement *statements)
{
	struct buffer users = BUFFER_INIT, roles = BUFFER_INIT, wanted = BUFFER_INIT, named = BUFFER_INIT;
	struct uuid role;

	buffer_putc(&users, '{');
	buffer_putc(&roles, '{');
	buffer_putc(&wanted, '[');
	buffer_putc(&named, '[');
	for (int i = 0; i < batch->count; i++) {
		struct operation *operation = &batch->operations[i];
		if (!is_asked(operation))
			continue;
		write_id(&users, operation->user_id);
		write_id(&roles, named_role(operation, &role));
		if (has_place(operation)) {
			write_wanted(operation, i, &wanted);
			user_structure_write_named(&operation->pr, operation->user_id, i, &named);
		}
	}
	const struct query *load = users.length > 1 ? &query_user_batch_load : &query_user_batch_load_nobody;
	statements[FACTS_USERS] = statement_of(batch, load, take_list(batch, &users, '}'), NULL);
	statements[FACTS_ROLES] = statement_of(batch, &query_user_batch_load_roles, take_list(batch, &roles, '}'), NULL);
	statements[FACTS_TAKEN] = statement_of(batch, &query_user_batch_load_taken, take_list(batch, &wanted, ']'),
		batch->among_themselves ? "true" : "false");
	statements[FACTS_STRUCTURE] = statement_of(batch, &query_user_batch_load_structure, take_list(batch, &named, ']'), NULL);
}

/* The ids of a column; one that is null is all zeros, which no id is. */
static const struct uuid *
ids_of(struct user_batch *batch, const PGresult *rows, const char *column)
{
	struct uuid *ids = arena_take(batch->origin->scratch, sizeof(*ids) * (size_t)(PQntuples(rows) + 1));

	for (int i = 0; i < PQntuples(rows); i++) {
		const char *text = row_text(rows, i, column);
		if (text != NULL && !uuid_parse(text, &ids[i]))
			assert(false && "PostgreSQL writes ids as we do");
	}
	return ids;
}

static void
hold(struct operation *operation, PGresult *rows, int row)
{
	struct proposal *own = &operation->pr;

	own->results[own->result_count] = rows;
	own->rows[own->result_count] = row;
	own->result_count++;
	own->result = own->results[0];
}

/* A new role may ask for more, and of a new user everything is asked. */
static bool
asks_for_fields(struct operation *operation)
{
	return operation->kind == OPERATION_CREATE
		|| (operation->kind == OPERATION_UPDATE
			&& (proposal_has(&operation->pr, "attributes") || proposal_has(&operation->pr, "role_id")));
}

/* The definitions, which the first row has. */
static void
share_fields(struct user_batch *batch, const PGresult *rows, struct operation *operation, const struct field_set **fields)
{
	if (*fields == NULL && asks_for_fields(operation))
		*fields = field_definitions_read(batch->definitions, row_text(rows, 0, "fields"));
	operation->pr.fields = *fields;
}

static void
hold_taken(struct operation *operation, PGresult *rows, int row)
{
	operation->is_taken_email = row_is_true(rows, row, "email_taken");
	operation->is_taken_username = row_is_true(rows, row, "username_taken");
	operation->is_taken_external_id = row_is_true(rows, row, "external_id_taken");
	operation->is_taken_role_name = row_is_true(rows, row, "role_name_taken");
	if (operation->kind == OPERATION_UPDATE)
		hold(operation, rows, row_text(rows, row, "id") != NULL ? row : -1);
}

void
user_batch_take_facts(struct user_batch *batch, PGresult *const *facts)
{
	const struct uuid *users = ids_of(batch, facts[FACTS_USERS], "user_id");
	const struct uuid *roles = ids_of(batch, facts[FACTS_ROLES], "named_role_id");
	const struct field_set *fields = NULL;
	int taken = 0, named = 0;

	for (int i = 0; i < batch->count; i++) {
		struct operation *operation = &batch->operations[i];
		struct uuid role = { { 0 } };
		if (!is_asked(operation))
			continue;
		operation->pr.result_count = 0;
		if (operation->kind != OPERATION_CREATE)
			hold(operation, facts[FACTS_USERS], uuid_find(users, PQntuples(facts[FACTS_USERS]), &operation->uuid));
		if (!has_place(operation))
			continue;
		(void)named_role(operation, &role);
		hold(operation, facts[FACTS_ROLES], uuid_find(roles, PQntuples(facts[FACTS_ROLES]), &role));
		share_fields(batch, facts[FACTS_ROLES], operation, &fields);
		hold_taken(operation, facts[FACTS_TAKEN], taken++);
		if (user_structure_names_anything(&operation->pr))
			hold(operation, facts[FACTS_STRUCTURE], named++);
	}
}
