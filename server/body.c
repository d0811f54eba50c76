/*
 * Takes the body of a request: the JSON object that its route lists the fields of, or bytes.
 */
#include "body.h"

#include <string.h>
#include <strings.h>

#include "json.h"
#include "route.h"

const struct body_field body_any[] = { { 0 } };

static bool
is_json(struct request *rq)
{
	const char *type = http_header(rq->exchange, "Content-Type");
	size_t length = type != NULL ? strcspn(type, "; \t") : 0;

	return (length == 16 && strncasecmp(type, "application/json", 16) == 0)
		|| (length == 28 && strncasecmp(type, "application/merge-patch+json", 28) == 0);
}

/* Copied: steps look at them when the client may have gone. Once is enough, however
 * often the request is decided anew. */
static void
take_bytes(struct request *rq)
{
	const char *type = http_header(rq->exchange, "Content-Type");
	size_t length;
	const char *bytes = http_body(rq->exchange, &length);

	if (rq->bytes != NULL)
		return;
	rq->bytes = (const uint8_t *)arena_copy_n(rq->scratch, bytes, length);
	rq->byte_count = length;
	rq->media_type = type != NULL ? arena_copy_n(rq->scratch, type, strcspn(type, "; \t")) : NULL;
}

enum step
body_check(struct request *rq)
{
	const struct body_field *fields = rq->route->fields;
	const char *reason = NULL;
	size_t length;
	const char *bytes = http_body(rq->exchange, &length);

	if (rq->route->takes_bytes && (fields == NULL || !is_json(rq))) {
		take_bytes(rq);
		return STEP_NEXT;
	}
	if (fields == NULL) {
		if (length == 0 || (length == 2 && memcmp(bytes, "{}", 2) == 0))
			return STEP_NEXT;
		return request_problem_detail(rq, PROBLEM_MALFORMED_BODY, NULL, "This request takes no body.");
	}
	if (length > 0 && !is_json(rq))
		return request_problem(rq, PROBLEM_UNSUPPORTED_MEDIA_TYPE);
	if (rq->body != NULL)	/* request_again: it was looked at before */
		return STEP_NEXT;
	/* Nothing at all is an empty object: actions need no body. */
	rq->body = length > 0 ? json_parse(bytes, length, &reason) : json_object_new_object();
	if (rq->body == NULL || !json_object_is_type(rq->body, json_type_object))
		return request_problem_detail(rq, PROBLEM_MALFORMED_BODY, NULL,
			reason != NULL ? arena_printf(rq->scratch, "Not acceptable as JSON: %s.", reason)
				       : "The body must be one JSON object.");
	if (fields != body_any)
		form_check(&rq->proposal, rq->body, "", fields);
	return STEP_NEXT;
}
