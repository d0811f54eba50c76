/*
 * form: what may stand in a JSON object, as data.
 *
 * Whoever takes one lists its fields; form_check finds every fault at once: members that
 * are missing, of the wrong type, malformed, read-only or unknown.
 */
#ifndef ROLLCALL_FORM_H
#define ROLLCALL_FORM_H

#include <stdbool.h>

struct json_object;
struct proposal;

enum body_type {
	BODY_TEXT,		/* any text of 1..max characters */
	BODY_NAME,		/* a person's name */
	BODY_EMAIL,
	BODY_USERNAME,
	BODY_PHONE,		/* normalised to E.164 where it is read: form_phone */
	BODY_LOCALE,
	BODY_ID,
	BODY_PASSWORD,		/* length in bytes only; password_check does the rest */
	BODY_BOOL,
	BODY_COUNT,		/* a whole number of 1 or more; how many are too many is the step's to say */
	BODY_PERMISSIONS,	/* an array of permission words */
	BODY_IDS,		/* an array of different ids; at most `max`, else 200 */
	BODY_NETWORKS,		/* an array of 1 to 32 addresses and networks: form_take_networks */
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

/* What every object says of itself, and no client may. */
#define BODY_READ_ONLY_OF_OBJECT \
	{ "id", BODY_READ_ONLY }, { "version", BODY_READ_ONLY }, { "created_at", BODY_READ_ONLY }, { "updated_at", BODY_READ_ONLY }

/* Collects the faults of an object, whose pointer is `at`: "" for the body itself, "/role". */
void form_check(struct proposal *pr, struct json_object *object, const char *at, const struct body_field *fields);
/* A member's name as a JSON Pointer behind `prefix` ("" for the body itself), in scratch. */
const char *form_pointer(struct proposal *pr, const char *prefix, const char *name);
/* A phone number of the body in E.164. */
const char *form_phone(struct proposal *pr, const char *member);
/* An id of the body. NULL also for one that is none: it was named as a fault, and no query
 * must see it. */
const char *form_id(struct proposal *pr, const char *member);
/* An array of ids of the body as PostgreSQL reads it, NULL in the place of what is no id;
 * empty without the member. */
const char *form_ids(struct proposal *pr, const char *member);
/* An array of networks of the body as PostgreSQL reads it; in the body they stand in the one
 * spelling from then on, each once. NULL without one, and for one that has faults. */
const char *form_take_networks(struct proposal *pr, const char *member);

#endif
