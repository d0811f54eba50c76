/*
 * body: the body of a request, as its route wants it (form.h).
 */
#ifndef ROLLCALL_BODY_H
#define ROLLCALL_BODY_H

#include "form.h"
#include "request.h"

/* For a route whose body is checked by its own step (policy). */
extern const struct body_field body_any[];

/* A step: parses and checks the body, or takes it as it is (route->takes_bytes). Malformed JSON and a
 * wrong media type are refused at once; faults of members are collected in the request. */
enum step body_check(struct request *rq);

/* As form.h has them, of the request's body. */
static inline const char *
body_pointer(struct request *rq, const char *prefix, const char *name)
{
	return form_pointer(&rq->proposal, prefix, name);
}

static inline const char *
body_id(struct request *rq, const char *member)
{
	return form_id(&rq->proposal, member);
}

static inline const char *
body_ids(struct request *rq, const char *member)
{
	return form_ids(&rq->proposal, member);
}

#endif
