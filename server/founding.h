/*
 * founding: an organization comes into being, by the command line or by an operator's key:
 * its policy, roles and fields, and the first administrator with his invitation.
 */
#ifndef ROLLCALL_FOUNDING_H
#define ROLLCALL_FOUNDING_H

#include <stdint.h>

#include "query.h"
#include "uuid.h"

struct arena;
struct config;

/* Checked by whoever fills it in; the texts are his. */
struct founding {
	const char *slug, *name, *email, *username, *preset, *locale, *timezone;	/* username NULL: none */
	char org_id[UUID_TEXT_SIZE], role_id[UUID_TEXT_SIZE], user_id[UUID_TEXT_SIZE];
};

#define FOUNDING_STATEMENTS 6
/* The first generation of a link. */
#define FOUNDING_GENERATION 1

/* Whether people sign in by username alone under this preset: the first one needs one, too. */
bool founding_needs_username(const char *preset);
/* Makes the ids, and the statements that found it together or not at all; `actor` is the
 * audit's, as jsonb. Everything lives in the arena. */
void founding_statements(struct arena *arena, struct founding *founding, const char *actor,
	struct statement statements[FOUNDING_STATEMENTS]);
/* The link that sets an administrator's password: a secret. */
const char *founding_invitation_url(struct arena *arena, const struct config *config, const char *org_id, const char *user_id,
	uint32_t generation);

#endif
