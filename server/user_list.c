/*
 * The list of users: what it is narrowed to, its order, its pages.
 *
 * A list by name or by status is one query, forward or backward, that is told the rank of
 * each status (sql/queries/user_list.sql); the cursor is the last user's rank, name and id.
 * A list by creation follows the ids.
 */
#include "user_list.h"

#include <string.h>

#include "list.h"
#include "user_filter.h"

const char *const user_list_parameters[] = {
	"limit", "cursor", "count", "sort", "status", "q", "kind", "role_id", "email", "username", "external_id",
	"updated_since", "department_id", "group_id", "incomplete", "vacation", "assignable", "at", NULL
};

/* The filter, and where the page is. */
#define PARAMS_MAX (USER_FILTER_PARAMS + 6)

static const struct user_sort {
	const char *word;
	/* In the cursor, and where the blocked sink: a cursor of one order is none of another. */
	char letter, letter_sinking;
	const struct query *query, *search;	/* without q, and with it */
	const char *ranks;	/* of pending, active, inactive, locked; NULL: goes by id */
	const char *ranks_sinking;	/* where the blocked sink to the bottom */
} user_sorts[] = {
	{ "name", 'n', 'b', &query_user_list_forward, &query_user_search_forward, "{0,0,0,0}", "{0,0,1,1}" },
	{ "-name", 'N', 'B', &query_user_list_backward, &query_user_search_backward, "{0,0,0,0}", "{0,0,1,1}" },
	{ "status", 's', 's', &query_user_list_forward, &query_user_search_forward, "{3,0,1,2}", "{3,0,1,2}" },
	{ "-status", 'S', 'S', &query_user_list_backward, &query_user_search_backward, "{0,3,2,1}", "{0,3,2,1}" },
	{ "created_at", 'c', 'c', &query_user_list_oldest, &query_user_search_oldest, NULL, NULL },
	{ "-created_at", 'C', 'C', &query_user_list_newest, &query_user_search_newest, NULL, NULL },
};

struct user_list {
	struct page_wish page;
	const struct user_sort *sort;
	char letter;
};

static const struct user_sort *
read_sort(struct request *rq)
{
	const char *word = request_parameter(rq, "sort");

	for (size_t i = 0; word != NULL && i < sizeof(user_sorts) / sizeof(user_sorts[0]); i++) {
		if (strcmp(user_sorts[i].word, word) == 0)
			return &user_sorts[i];
	}
	if (word != NULL)
		request_fault(rq, "sort", "invalid", "Sort by name, status or created_at, with - for descending.");
	return &user_sorts[0];
}

/* The policy says where the blocked stand; other orders need not ask. */
static enum step
user_list_load(struct request *rq)
{
	struct user_list *list = arena_take(rq->scratch, sizeof(*list));

	rq->data = list;
	rq->faults_in_query = true;
	list->sort = read_sort(rq);
	if (list->sort->ranks == list->sort->ranks_sinking)
		return STEP_NEXT;
	return request_query(rq, LANE_READ, &query_user_list_load, (const char *const[]){ rq->org_id });
}

/* A key begins with the rank, a digit; a forged one must not get as far as PostgreSQL. */
static const char *
take_rank(struct request *rq, struct page_wish *page)
{
	const char *rank;

	if (page->after_id == NULL)
		return NULL;
	if (page->after_key[0] < '0' || page->after_key[0] > '3') {
		request_fault(rq, "cursor", "invalid", "This is not a cursor of this list in this order.");
		return NULL;
	}
	rank = arena_copy_n(rq->scratch, page->after_key, 1);
	page->after_key++;
	return rank;
}

static enum step
user_list(struct request *rq)
{
	struct user_list *list = rq->data;
	struct page_wish *page = &list->page;
	const bool goes_by_id = list->sort->ranks == NULL;
	const bool sinks = rq->result_count > 0 && list->sort->ranks != list->sort->ranks_sinking
		&& request_column_is_true(rq, "blocked_sink");
	const char *params[PARAMS_MAX];
	int n = USER_FILTER_PARAMS;

	list->letter = sinks ? list->sort->letter_sinking : list->sort->letter;
	list_read_page(rq, list->letter, !goes_by_id, page);
	user_filter_read(rq, params);
	const bool has_search = params[USER_FILTER_SEARCH] != NULL;
	if (!goes_by_id) {
		params[n++] = sinks ? list->sort->ranks_sinking : list->sort->ranks;
		params[n++] = take_rank(rq, page);
		params[n++] = page->after_key;
	}
	params[n++] = page->after_id;
	params[n++] = page->limit_text;
	params[n++] = rq->caller.language;
	if (rq->fault_count > 0)
		return request_answer_faults(rq);
	return request_queries(rq, LANE_SLOW, (const struct statement[]){
		{ has_search ? list->sort->search : list->sort->query, params },
		{ &query_user_count, params },
	}, page->wants_count ? 2 : 1);
}

static enum step
user_list_reply(struct request *rq)
{
	struct user_list *list = rq->data;

	return list_reply_page(rq, list->page.limit, list->letter, "id");
}

request_step *const user_list_steps[] = { user_list_load, user_list, user_list_reply, NULL };
