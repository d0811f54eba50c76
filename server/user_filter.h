/*
 * user_filter: what a list of users, an export or a selection is narrowed to.
 *
 * One reading for all of them: the parameters of GET /v1/users, from a query string, or as
 * the members of an object in a body.
 */
#ifndef ROLLCALL_USER_FILTER_H
#define ROLLCALL_USER_FILTER_H

#include "request.h"

/* How many parameters of a query it fills, in the order of sql/queries/user_list.sql; the
 * organization is the first. */
#define USER_FILTER_PARAMS 15
#define USER_FILTER_SEARCH 8

/* From the query string; faults go to the request. */
void user_filter_read(struct request *rq, const char **params);
/* From an object of the body whose pointer is `at` ("/filter"): texts and booleans; null is
 * as good as no member. Returns the object with nothing but texts, as JSON, to be kept. */
const char *user_filter_read_object(struct request *rq, struct json_object *object, const char *at, const char **params);

#endif
