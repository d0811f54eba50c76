/*
 * The table of roles by preset.
 *
 * What is always true: the first role of a list holds everything, for the founder has it
 * and somebody must be able to give what the others hold (containment). Words that are
 * none of Rollcall's own (DESIGN.md §6) are the client application's, stored and reported.
 */
#include "policy_roles.h"

#include <assert.h>
#include <string.h>

#include "json.h"
#include "uuid.h"

static const struct preset_role administrator_alone[] = {
	{ "Administrator", "[\"*\"]", NULL },
	{ 0 },
};

/* S2-03: a fixed list, one for each user. */
static const struct preset_role roles_urbantz[] = {
	{ "Admin", "[\"*\"]", NULL },
	{ "Dispatcher", "[\"routes:read\",\"routes:write\",\"tasks:read\",\"tasks:write\",\"users:read\"]", NULL },
	{ "Driver", "[\"routes:read\",\"tasks:read\"]", NULL },
	{ "Customer care", "[\"tasks:read\",\"users:read\"]", NULL },
	{ 0 },
};

/* S3-02, S3-08: a start; more are written by hand. Their badges have colours. */
static const struct preset_role roles_keycrm[] = {
	{ "Administrator", "[\"*\"]", "#9b51e0" },
	{ "Manager", "[\"clients:read\",\"clients:write\",\"orders:read\",\"orders:write\",\"reports:read\",\"users:read\"]", "#2f80ed" },
	{ "Operator", "[\"clients:read\",\"orders:read\",\"orders:write\"]", "#27ae60" },
	{ 0 },
};

/* S4-12: exactly these four. A User Admin holds what Admin and General hold, so that he
 * may give them; modules come on top, user by user (S4-14). */
static const struct preset_role roles_wetrack[] = {
	{ "Account Admin", "[\"*\"]", NULL },
	{ "User Admin", "[\"audit:read\",\"imports:write\",\"users:delete\",\"users:invite\",\"users:password\",\"users:read\","
		"\"users:write\"]", NULL },
	{ "Admin", "[\"users:read\"]", NULL },
	{ "General", "[]", NULL },
	{ 0 },
};

static const struct preset_field no_fields[] = { { 0 } };

/* S2-04, S2-05: who drives or dispatches does it for a hub. */
static const struct preset_field fields_urbantz[] = {
	{ "hub", "{\"en\":\"Hub\",\"uk\":\"Хаб\",\"ru\":\"Хаб\"}", "text", "[\"Dispatcher\",\"Driver\"]" },
	{ 0 },
};

static const struct {
	const char *preset;
	const struct preset_role *roles;
	const struct preset_field *fields;
} presets[] = {
	{ "default", administrator_alone, no_fields },
	{ "hesh", administrator_alone, no_fields },	/* S1-02: people live by default_permissions */
	{ "urbantz", roles_urbantz, fields_urbantz },
	{ "keycrm", roles_keycrm, no_fields },
	{ "wetrack", roles_wetrack, no_fields },
};

const struct preset_role *
policy_preset_roles(const char *preset)
{
	for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++) {
		if (strcmp(presets[i].preset, preset) == 0)
			return presets[i].roles;
	}
	return NULL;
}

const struct preset_field *
policy_preset_fields(const char *preset)
{
	for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++) {
		if (strcmp(presets[i].preset, preset) == 0)
			return presets[i].fields;
	}
	return NULL;
}

/* Opens an object with ids for the row and for its line in the audit. */
static void
begin_row(struct buffer *out, const char *id)
{
	char made[UUID_TEXT_SIZE];

	json_write_separator(out);
	buffer_putc(out, '{');
	uuid_make_text(made);
	json_write_string_member(out, "id", id != NULL ? id : made);
	uuid_make_text(made);
	json_write_string_member(out, "audit_id", made);
}

static void
write_json_member(struct buffer *out, const char *name, const char *json)
{
	json_write_name(out, name);
	buffer_puts(out, json);
}

void
policy_write_preset_roles(struct buffer *out, const char *preset, const char *founder_role_id)
{
	const struct preset_role *role = policy_preset_roles(preset);

	assert(role != NULL);
	buffer_putc(out, '[');
	for (; role->name != NULL; role++) {
		begin_row(out, founder_role_id);
		founder_role_id = NULL;
		json_write_string_member(out, "name", role->name);
		write_json_member(out, "permissions", role->permissions);
		json_write_string_member(out, "color", role->color);
		buffer_putc(out, '}');
	}
	buffer_putc(out, ']');
}

void
policy_write_preset_fields(struct buffer *out, const char *preset)
{
	const struct preset_field *field = policy_preset_fields(preset);

	assert(field != NULL);
	buffer_putc(out, '[');
	for (; field->key != NULL; field++) {
		begin_row(out, NULL);
		json_write_string_member(out, "key", field->key);
		write_json_member(out, "labels", field->labels);
		json_write_string_member(out, "type", field->type);
		write_json_member(out, "roles", field->roles);
		buffer_putc(out, '}');
	}
	buffer_putc(out, ']');
}
