/*
 * user_attributes: what a body says of an organization's own fields.
 *
 * A role may require fields (S2-05), and a change of roles may require more (S2-13). Under
 * required_fields = block a body that makes a user, or changes his role or his attributes,
 * is refused while one is missing; under mark_incomplete he is listed as incomplete. An
 * edit of other things is never refused for what was missing before, nor is who gets his
 * values of before back.
 */
#ifndef ROLLCALL_USER_ATTRIBUTES_H
#define ROLLCALL_USER_ATTRIBUTES_H

#include "policy.h"
#include "proposal.h"

struct user_attributes {
	const char *text;		/* all of them as they will be, JSON; NULL: nothing changes */
	const char *names;		/* members of a JSON object: what changes, */
	const char *values;		/* and from what to what */
};

/* What a check needs besides the body. */
struct user_attributes_facts {
	const char *fields;		/* the column of user_create_load */
	const char *role_id;		/* that he will have; NULL: none */
	bool role_changes;		/* true also for a new user */
	const char *before;		/* JSON; NULL: a new user */
};

/* Adds every fault of the body's attributes; without any, says what they become. */
void user_attributes_check(struct proposal *pr, const struct policy *policy, const struct user_attributes_facts *facts,
	struct user_attributes *attributes);
/* The member "attributes" of a row or a patch, if anything changes. */
void user_attributes_write(const struct user_attributes *attributes, struct buffer *out);
/* For the audit: that they changed, and the values, which are personal. */
void user_attributes_write_changes(const struct user_attributes *attributes, struct buffer *changes,
	struct buffer *personal);

#endif
