/*
 * list: the parameters of lists, and their pages.
 *
 * Each reader returns NULL (or false) when the parameter was not given or has a fault, which
 * is then in the request: answer with request_answer_faults before the query.
 */
#ifndef ROLLCALL_LIST_H
#define ROLLCALL_LIST_H

#include "request.h"

/* "a,b" as a PostgreSQL array, each word one of `allowed` (NULL-ended). */
const char *list_read_words(struct request *rq, const char *parameter, const char *const *allowed);
/* true or false. */
bool list_read_flag(struct request *rq, const char *parameter);
/* A UUID. */
/* A fragment for LIKE; lower case is the query's. NULL when nothing is searched for. */
const char *list_read_search(struct request *rq, const char *parameter);
const char *list_read_id(struct request *rq, const char *parameter);
/* An RFC 3339 moment. */
const char *list_read_time(struct request *rq, const char *parameter);

/* A page of a list from the first statement, of which limit + 1 rows were asked; a
 * second statement, where there is one, holds `total`. `cursor_prefix` names the sort;
 * the cursor is the last row's cursor_key (if the query has it) and its id. */
enum step list_reply_page(struct request *rq, int limit, char cursor_prefix, const char *id_column);

/* A page of what one user has: the second statement is asked in any case, for its `total`,
 * and has no row where there is no such user: 404. */
struct page_wish;
enum step list_reply_page_of_one(struct request *rq, const struct page_wish *page, char cursor_prefix, const char *id_column);

/* Reads `limit` and `cursor` of a list; faults go to the request. `key` is NULL for
 * lists that sort by id alone. All texts live in scratch. */
struct page_wish {
	int limit;
	const char *limit_text;		/* limit + 1, for the query */
	const char *after_key, *after_id;
	bool wants_count;
};
void list_read_page(struct request *rq, char cursor_prefix, bool has_key, struct page_wish *wish);
/* For a list whose key goes to PostgreSQL as a number: a forged one must not get that far. */
void list_check_number_key(struct request *rq, const struct page_wish *wish);

#endif
