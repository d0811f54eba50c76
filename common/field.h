/*
 * field: what organizations add to what is known of people, and what may stand in it.
 *
 * Pure: definitions come in as JSON that the database made, values as JSON or as text of a
 * file's cell. API, import and console ask the same functions, so that all of them say the
 * same of a value. Which faults block is the policy's to say (required_fields), not ours.
 */
#ifndef ROLLCALL_FIELD_H
#define ROLLCALL_FIELD_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct json_object;
struct pattern;

#define FIELDS_PER_ORGANIZATION 100
#define FIELD_OPTIONS_MAX 200
#define FIELD_TEXT_MAX 1000		/* characters */
#define FIELD_LABEL_MAX 200		/* characters of a label or an option */
#define FIELD_KEY_MAX 63
#define FIELD_DIGITS_MAX 18		/* of a number, written out */

enum field_type { FIELD_TEXT, FIELD_NUMBER, FIELD_BOOLEAN, FIELD_DATE, FIELD_CHOICE };
extern const char *const field_types[];		/* words in the enum's order, NULL-ended */

struct field {
	const char *key;
	const char *label;			/* NULL where the query reads none */
	enum field_type type;
	const char *const *options;		/* FIELD_CHOICE, NULL-ended */
	size_t option_count;
	const char *const *sorted_options;	/* from the first value that is looked for among them on */
	const char *pattern;			/* FIELD_TEXT; NULL: any text */
	const char *const *roles;		/* ids of the roles that require it, sorted */
	size_t role_count;
	struct pattern *compiled;		/* from the first text that is held against it on */
	struct arena *arena;
};

struct field_set {
	struct field *fields;			/* by key, as the query sorted them */
	struct field **by_key;			/* as strcmp does */
	size_t count;
};

/* Definitions that are asked of for many users: they are read again only where they have
 * become others. Begins zeroed but for the arena, in which all of it lives. */
struct field_definitions {
	struct arena *arena;
	const char *json;			/* as they were read; NULL: not yet */
	struct field_set set;
};

/* Why a value is refused: an errors[].code and a sentence, both static. */
struct field_fault {
	const char *code, *detail;
};

/* Reads [{key, type, options, pattern, required_for_roles, label?}] as PostgreSQL prints it;
 * anything else aborts. All of it lives in the arena. */
void field_set_read(struct field_set *set, struct arena *arena, const char *json);
/* The same of what may have been read already; stays until it is called with others. */
const struct field_set *field_definitions_read(struct field_definitions *definitions, const char *json);
struct field *field_find(const struct field_set *set, const char *key);
/* [a-z][a-z0-9_]{0,62} */
bool field_key_is_valid(const char *key);

/* Whether a value, not null, may stand in the field. */
bool field_takes(struct field *field, struct json_object *value, struct field_fault *fault)
	__attribute__((warn_unused_result));
/* Reads a cell of a file, with blanks about it: what people write for a number, a date
 * (2026-11-27, 27.11.2026) or a yes (yes, true, 1, так, да). The value is the caller's to
 * put. An empty cell is no value: NULL without a fault, for the caller to see to. */
struct json_object *field_value_from_text(struct field *field, const char *text, struct field_fault *fault)
	__attribute__((warn_unused_result));

/* Whether the role requires it; nobody's role (NULL) requires nothing. */
bool field_is_required(const struct field *field, const char *role_id);
/* The next field at or behind *at that the role requires and the attributes lack, and *at
 * moved behind it; NULL when there is none left. */
const struct field *field_next_missing(const struct field_set *set, size_t *at, const char *role_id,
	struct json_object *attributes);

#endif
