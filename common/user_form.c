/*
 * The texts of a user, and how the audit tells of them: one table says which are personal,
 * for his making as for his editing.
 */
#include "user_form.h"

#include <string.h>

#include "proposal.h"

const struct user_text user_texts[] = {
	{ "email", true }, { "username", true }, { "first_name", true }, { "last_name", true }, { "phone", true },
	{ "external_id", true }, { "kind", false }, { "role_id", false }, { "locale", false },
	{ "department_id", false },
	{ 0 },
};

const char *
user_text_wanted(struct proposal *pr, const struct user_text *text)
{
	return strcmp(text->name, "phone") == 0 ? form_phone(pr, text->name) : proposal_text(pr, text->name);
}

void
user_text_write_change(const struct user_text *text, const char *before, const char *after,
	struct buffer *changes, struct buffer *personal)
{
	json_write_change(text->is_personal ? personal : changes, text->name, before, after);
	/* That it changed stays known when the values are erased. */
	if (text->is_personal) {
		json_write_name(changes, text->name);
		buffer_puts(changes, "[]");
	}
}
