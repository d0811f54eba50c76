/*
 * Collects what is written of users, and puts it in order: positions and roles, the people
 * who have them, edits, and last the transitions of both.
 */
#include "user_writing.h"

#include <stdlib.h>

#include "queries.h"

void
user_writing_open(struct user_writing *writing, struct proposal *pr)
{
	*writing = (struct user_writing){ .batch = transition_batch_create(pr->scratch, pr->org_id) };
}

/* NULL: there is nothing in the list. */
static const char *
take_list(struct proposal *pr, struct buffer *list)
{
	if (list->length == 0)
		return NULL;
	const char *text = arena_printf(pr->scratch, "[%s]", buffer_text(list));
	buffer_free(list);
	return text;
}

static struct statement
statement_of(struct proposal *pr, const struct query *query, const char *list, const char *third, const char *fourth)
{
	const char **params = arena_take(pr->scratch, sizeof(*params) * 4);

	params[0] = pr->org_id;
	params[1] = list;
	params[2] = third;
	params[3] = fourth;
	return (struct statement){ query, params };
}

/* Behind edits that are gated too, the epoch is one more. */
static struct statement
transitions(struct user_writing *writing, struct proposal *pr)
{
	const bool is_behind = writing->edits_epoch != NULL && transition_batch_reduces_administrators(writing->batch);
	const char *const *params = transition_batch_params(writing->batch, proposal_actor(pr));

	if (is_behind) {
		const char **moved = arena_take(pr->scratch, sizeof(*moved) * 6);
		for (int i = 0; i < 5; i++)
			moved[i] = params[i];
		moved[5] = arena_printf(pr->scratch, "%lld", strtoll(params[5], NULL, 10) + 1);
		params = moved;
	}
	return (struct statement){ &query_user_transition, params };
}

int
user_writing_take(struct user_writing *writing, struct proposal *pr, struct statement *statements)
{
	const char *positions = take_list(pr, &writing->positions), *rows = take_list(pr, &writing->rows);
	const char *edits = take_list(pr, &writing->edits), *roles = take_list(pr, &writing->roles);
	int count = 0;

	if (positions != NULL)
		statements[count++] = statement_of(pr, &query_position_make, positions, proposal_actor(pr), NULL);
	if (roles != NULL)
		statements[count++] = statement_of(pr, writing->leaves_out_taken ? &query_role_make_free : &query_role_make,
			roles, NULL, NULL);
	if (rows != NULL)
		statements[count++] = statement_of(pr, writing->leaves_out_taken ? &query_user_insert_free : &query_user_insert,
			rows, NULL, NULL);
	if (roles != NULL)
		statements[count++] = statement_of(pr, &query_role_tell_made, roles, proposal_actor(pr), NULL);
	if (edits != NULL)
		statements[count++] = statement_of(pr, &query_user_edit, edits, writing->edits_epoch, proposal_actor(pr));
	if (transition_batch_count(writing->batch) > 0)
		statements[count++] = transitions(writing, pr);
	else
		transition_batch_discard(writing->batch);
	return count;
}

void
user_writing_discard(struct user_writing *writing)
{
	buffer_free(&writing->rows);
	buffer_free(&writing->positions);
	buffer_free(&writing->roles);
	buffer_free(&writing->edits);
	transition_batch_discard(writing->batch);
}
