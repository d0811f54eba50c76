/*
 * body: what may stand in a JSON body, as data.
 *
 * A route lists its fields; body_check finds every fault at once: members that are
 * missing, of the wrong type, malformed, read-only or unknown.
 */
#ifndef ROLLCALL_BODY_H
#define ROLLCALL_BODY_H

#include <stdbool.h>

struct json_object;
struct request;

enum body_type {
	BODY_TEXT,		/* any text of 1..max characters */
	BODY_NAME,		/* a person's name */
	BODY_EMAIL,
	BODY_USERNAME,
	BODY_PHONE,		/* normalised to E.164 where it is read: body_phone */
	BODY_LOCALE,
	BODY_ID,
	BODY_PASSWORD,		/* length in bytes only; password_check does the rest */
	BODY_BOOL,
	BODY_COUNT,		/* a whole number of 1 or more; how many are too many is the step's to say */
	BODY_PERMISSIONS,	/* an array of permission words */
	BODY_IDS,		/* an array of different ids; at most `max`, else 200 */
	BODY_TIME,		/* RFC 3339 */
	BODY_COLOR,		/* #rrggbb */
	BODY_OBJECT,		/* an object that the route's own step looks into */
	BODY_LIST,		/* an array that the route's own step looks into */
	BODY_CHOICE,
	BODY_TOKEN,
	BODY_READ_ONLY,		/* known, but never to be written */
};

struct body_field {
	const char *name;		/* NULL ends the list */
	enum body_type type;
	bool is_required;
	bool is_nullable;
	bool may_be_empty;		/* "" is as good as null */
	int max;			/* characters; 0: 200 */
	const char *const *choices;	/* BODY_CHOICE, NULL-ended */
};

/* For a route whose body is checked by its own step (policy). */
extern const struct body_field body_any[];

/* Parses and checks the body, or takes it as it is (route->takes_bytes). False: answered (malformed
 * JSON, wrong media type); faults of members are collected in the request. */
bool body_check(struct request *rq);
/* A member's name as a JSON Pointer behind `prefix` ("" for the body itself), in scratch. */
const char *body_pointer(struct request *rq, const char *prefix, const char *name);
/* Collects the faults of an object inside of the body, whose pointer is `at` ("/role"). */
void body_check_object(struct request *rq, struct json_object *object, const char *at,
	const struct body_field *fields);
/* A phone number of the body in E.164. */
const char *body_phone(struct request *rq, const char *member);
/* An id of the body. NULL also for one that is none: it was named as a fault, and no query
 * must see it. */
const char *body_id(struct request *rq, const char *member);
/* An array of ids of the body as PostgreSQL reads it, NULL in the place of what is no id;
 * empty without the member. */
const char *body_ids(struct request *rq, const char *member);

#endif
