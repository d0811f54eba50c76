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
/* A fragment for LIKE; lower case is the query's. NULL when nothing is searched for. */
const char *list_read_search(struct request *rq, const char *parameter);
/* A UUID. */
const char *list_read_id(struct request *rq, const char *parameter);
/* An RFC 3339 moment. */
const char *list_read_time(struct request *rq, const char *parameter);

/* A page of a list from the first statement, of which limit + 1 rows were asked; a
 * second statement, where there is one, holds `total`. `cursor_prefix` names the sort;
 * the cursor is the last row's cursor_key (if the query has it) and its id. */
enum step list_reply_page(struct request *rq, int limit, char cursor_prefix, const char *id_column);

/* Which page of a list is wanted. All texts live in scratch. */
struct page_wish {
	char cursor_prefix;		/* names the list and its order */
	int limit;
	const char *limit_text;		/* limit + 1, for the query */
	const char *after_key, *after_id;	/* NULL: from the beginning; no key where the id alone sorts */
	bool wants_count;
	const char *wants_count_text;	/* "true", "false" */
	const char *id_column;		/* "id", unless the list says another */
};
/* Reads `limit`, `cursor` and `count`; faults go to the request. */
void list_read_page(struct request *rq, char cursor_prefix, bool has_key, struct page_wish *wish);

/* The steps of most lists. list_begin reads the page into rq->data; list_ask answers the
 * faults, or asks for the page and, where it is wished for, the count behind it. */
struct page_wish *list_begin(struct request *rq, char cursor_prefix, bool has_key);
enum step list_ask(struct request *rq, const struct statement page_and_count[2]);
enum step list_reply(struct request *rq);

/* The same of what one thing has: the second statement is asked in any case, and has no
 * row where there is no such thing: 404. */
enum step list_ask_of_one(struct request *rq, enum lane lane, const struct statement page_and_count[2]);
enum step list_reply_of_one(struct request *rq);

/* For a list whose key goes to PostgreSQL as a number: a forged one must not get that far. */
void list_check_number_key(struct request *rq, const struct page_wish *wish);

#endif
