/*
 * Founds an organization: what a preset brings, and who is invited first.
 *
 * What is always true: an organization has a policy and a first administrator, who was
 * invited like anybody else, or it is not there.
 */
#include "founding.h"

#include <string.h>

#include "buffer.h"
#include "config.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "policy.h"
#include "policy_roles.h"
#include "queries.h"
#include "token.h"
#include "transition.h"
#include "user_form.h"

bool
founding_needs_username(const char *preset)
{
	const struct policy_preset_value *value = policy_preset(preset);

	for (; value != NULL && value->column != NULL; value++) {
		if (strcmp(value->column, "login_identifier") == 0)
			return strcmp(value->value, "username") == 0;
	}
	return false;
}

static const char *
take_text(struct arena *arena, struct buffer *out)
{
	const char *text = arena_copy(arena, buffer_text(out));

	buffer_free(out);
	return text;
}

/* The preset's policy as a row for policy_create. */
static const char *
policy_row(struct arena *arena, const struct founding *founding)
{
	struct buffer out = BUFFER_INIT;

	policy_write_preset(&out, policy_preset(founding->preset));
	return take_text(arena, &out);
}

/* The preset's roles and fields as rows; the first role is the founder's. */
static const char *
role_rows(struct arena *arena, const struct founding *founding)
{
	struct buffer out = BUFFER_INIT;

	policy_write_preset_roles(&out, founding->preset, founding->role_id);
	return take_text(arena, &out);
}

static const char *
field_rows(struct arena *arena, const struct founding *founding)
{
	struct buffer out = BUFFER_INIT;

	policy_write_preset_fields(&out, founding->preset);
	return take_text(arena, &out);
}

static const char *
text_of_founder(const struct founding *founding, const char *name)
{
	const char *const texts[][2] = {
		{ "email", founding->email }, { "username", founding->username }, { "first_name", "Administrator" },
		{ "last_name", founding->name }, { "kind", "employee" }, { "role_id", founding->role_id },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strcmp(texts[i][0], name) == 0)
			return texts[i][1];
	}
	return NULL;
}

/* His row, and in the details what the audit tells of it. */
static const char *
founder_row(struct arena *arena, const struct founding *founding, struct transition_details *details)
{
	struct buffer row = BUFFER_INIT, changes = BUFFER_INIT, personal = BUFFER_INIT;

	buffer_puts(&row, "[{");
	json_write_string_member(&row, "id", founding->user_id);
	for (const struct user_text *text = user_texts; text->name != NULL; text++) {
		const char *value = text_of_founder(founding, text->name);
		if (value == NULL)
			continue;
		json_write_string_member(&row, text->name, value);
		user_text_write_change(text, NULL, value, &changes, &personal);
	}
	buffer_puts(&row, "}]");
	details->begins_with = take_text(arena, &changes);
	details->begins_with_personal = take_text(arena, &personal);
	return take_text(arena, &row);
}

/* The first administrator is invited like anybody; whoever founds gets the link, too. */
static const char *const *
founder_transition(struct arena *arena, const struct founding *founding, const struct transition_details *details,
	const char *actor)
{
	struct subject subject = { .id = founding->user_id, .version = "0",
		.state = { .status = STATUS_NONE, .has_email = true, .is_founder = true, .wants_invitation = -1 } };
	struct transition transition;

	policy_set_defaults(&subject.policy);
	if (!lifecycle_decide(&subject.policy, &subject.state, EVENT_CREATE, &transition))
		die("could not make the first administrator: %s", transition.detail);
	struct transition_batch *batch = transition_batch_create(arena, founding->org_id);
	transition_batch_add(batch, &subject, &transition, details);
	return transition_batch_params(batch, actor);
}

/* A list of texts that outlives the call. */
static const char *const *
keep(struct arena *arena, size_t count, const char *const *texts)
{
	const char **kept = arena_take(arena, sizeof(*kept) * count);

	memcpy(kept, texts, sizeof(*kept) * count);
	return kept;
}

#define KEEP(...) keep(arena, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *), (const char *const[]){ __VA_ARGS__ })

void
founding_statements(struct arena *arena, struct founding *founding, const char *actor,
	struct statement statements[FOUNDING_STATEMENTS])
{
	char *audit_id = arena_take(arena, UUID_TEXT_SIZE);
	const char *org_id = founding->org_id;

	uuid_make_text(founding->org_id);
	uuid_make_text(founding->role_id);
	uuid_make_text(founding->user_id);
	uuid_make_text(audit_id);
	struct transition_details details = { .action = "user.created" };
	const char *founder = founder_row(arena, founding, &details);
	const struct statement all[FOUNDING_STATEMENTS] = {
		{ &query_organization_create, KEEP(org_id, founding->slug, founding->name, founding->email, founding->locale,
			founding->timezone, audit_id, actor) },
		{ &query_policy_create, KEEP(org_id, policy_row(arena, founding)) },
		{ &query_preset_role_create, KEEP(org_id, role_rows(arena, founding), actor) },
		{ &query_preset_field_create, KEEP(org_id, field_rows(arena, founding), actor) },
		{ &query_user_insert, KEEP(org_id, founder) },
		{ &query_user_transition, founder_transition(arena, founding, &details, actor) },
	};
	memcpy(statements, all, sizeof(all));
}

const char *
founding_invitation_url(struct arena *arena, const struct config *config, const char *org_id, const char *user_id,
	uint32_t generation)
{
	struct link link = { .purpose = LINK_INVITATION, .channel = CHANNEL_USER, .generation = generation };
	char token[LINK_TOKEN_SIZE];

	if (!uuid_parse(org_id, &link.org_id) || !uuid_parse(user_id, &link.subject_id))
		die("could not read an id of our own");
	link_token_make(config->keyring, &link, token);
	return arena_printf(arena, "%s/accept#%s", config->public_url, token);
}
