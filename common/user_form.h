/*
 * user_form: what the bodies about a user have in common.
 */
#ifndef ROLLCALL_USER_FORM_H
#define ROLLCALL_USER_FORM_H

#include <stdbool.h>

#include "form.h"

struct buffer;

/* What a user's object says of him, and no body may (rows of a table of fields). */
#define USER_READ_ONLY_FIELDS \
	BODY_READ_ONLY_OF_OBJECT, \
	{ "organization_id", BODY_READ_ONLY }, { "status_reason", BODY_READ_ONLY }, { "status_label", BODY_READ_ONLY }, \
	{ "status_changed_at", BODY_READ_ONLY }, { "permissions", BODY_READ_ONLY }, { "invitation", BODY_READ_ONLY }, \
	{ "incomplete", BODY_READ_ONLY }, { "on_day_off", BODY_READ_ONLY }, { "assignable", BODY_READ_ONLY }, \
	{ "photo_url", BODY_READ_ONLY }, { "last_login_at", BODY_READ_ONLY }, { "last_active_at", BODY_READ_ONLY }

/* Those of his columns that a body says as one text. */
struct user_text {
	const char *name;		/* NULL ends the list */
	bool is_personal;		/* the audit keeps its values apart, where erasing reaches them */
};
extern const struct user_text user_texts[];

/* What the body wants it to be; NULL: nothing. */
const char *user_text_wanted(struct proposal *pr, const struct user_text *text);
/* From what to what, as members of the audit's two objects. */
void user_text_write_change(const struct user_text *text, const char *before, const char *after,
	struct buffer *changes, struct buffer *personal);

#endif
