/*
 * policy_presets: the products that Rollcall grew out of, as differences from the defaults.
 *
 * DESIGN.md §5, column "presets that differ"; the reasons are rows of SEEDS.md. Each is
 * applied on top of the defaults, so what is not listed is the default. A test checks
 * that every value is one that its column takes, and that no preset contradicts itself.
 */
#include <stddef.h>
#include <string.h>

#include "json.h"
#include "policy.h"

#define END { NULL, NULL }

static const struct policy_preset_value preset_default[] = { END };

/* S0, S1: invited, never locked or idled by the system; a pending user becomes active by
 * a password, not by hand. */
static const struct policy_preset_value preset_hesh[] = {
	{ "email_change", "never" },
	{ "admin_activates_pending", "false" },
	{ "default_permissions", "{product:view}" },
	{ "lockout_threshold", "0" },
	{ "idle_after", NULL },
	END,
};

/* S2: ten wrong passwords lock, three months without a login inactivate. */
static const struct policy_preset_value preset_urbantz[] = {
	{ "email_change", "never" },
	{ "role_required", "true" },
	{ "custom_roles", "false" },
	{ "permissions_per_user", "false" },
	{ "status_labels", "{\"en\":{\"pending\":\"Pending\",\"active\":\"Validated\",\"inactive_by_admin\":\"Banned\","
		"\"inactive_idle\":\"Inactive\",\"locked\":\"DENIED\"}}" },
	{ "import_invites", "true" },
	END,
};

/* S3: a username and a password from the administrator; active from the first login. */
static const struct policy_preset_value preset_keycrm[] = {
	{ "email_required", "false" },
	{ "email_change", "admin" },
	{ "login_identifier", "username" },
	{ "username_change", "admin" },
	{ "invite_on_email_added", "false" },
	{ "invitation_letter", "login_info" },
	{ "invitation_on_expiry", "nothing" },
	{ "activation_on", "first_login" },
	{ "admin_password_activates", "false" },
	{ "password_at_create", "required" },
	{ "role_required", "true" },
	{ "permissions_per_user", "false" },
	{ "status_labels", "{\"en\":{\"pending\":\"Pending\",\"active\":\"Active\",\"inactive_by_admin\":\"Blocked\","
		"\"inactive_idle\":\"Inactive\",\"locked\":\"Locked\"},"
		"\"uk\":{\"pending\":\"Очікує\",\"active\":\"Активний\",\"inactive_by_admin\":\"Заблокований\","
		"\"inactive_idle\":\"Неактивний\",\"locked\":\"Замкнений\"},"
		"\"ru\":{\"pending\":\"В ожидании\",\"active\":\"Активный\",\"inactive_by_admin\":\"Заблокирован\","
		"\"inactive_idle\":\"Неактивный\",\"locked\":\"Заперт\"}}" },
	{ "blocked_position", "bottom" },
	{ "lockout_threshold", "0" },
	{ "idle_after", NULL },
	{ "admin_password_notice", "false" },
	END,
};

/* S4: active or not from the start, invited when somebody says so, anybody again. */
static const struct policy_preset_value preset_wetrack[] = {
	{ "email_change", "never" },
	{ "invite_on_create", "ask" },
	{ "invitation_on_expiry", "nothing" },
	{ "invitation_resend_to", "any" },
	{ "initial_status", "chosen_by_admin" },
	{ "role_required", "true" },
	{ "custom_roles", "false" },
	{ "deletion", "erase" },
	{ "status_labels", "{\"en\":{\"pending\":\"Pending\",\"active\":\"Active User\",\"inactive_by_admin\":\"Inactive User\","
		"\"inactive_idle\":\"Inactive User\",\"locked\":\"Locked\"}}" },
	{ "user_kinds", "{employee,external}" },
	{ "import_invites", "false" },
	{ "lockout_threshold", "0" },
	{ "idle_after", NULL },
	END,
};

const struct policy_preset policy_presets[] = {
	{ "default", preset_default },
	{ "hesh", preset_hesh },
	{ "urbantz", preset_urbantz },
	{ "keycrm", preset_keycrm },
	{ "wetrack", preset_wetrack },
	{ NULL, NULL },
};

const struct policy_preset_value *
policy_preset(const char *name)
{
	const struct policy_preset *preset = policy_presets;

	while (preset->name != NULL && strcmp(preset->name, name) != 0)
		preset++;
	return preset->values;
}

static const char *
preset_value(const struct policy_preset_value *preset, const struct policy_column *column)
{
	for (; preset->column != NULL; preset++) {
		if (strcmp(preset->column, column->name) == 0)
			return preset->value;
	}
	return column->initial;
}

void
policy_write_preset(struct buffer *out, const struct policy_preset_value *preset)
{
	buffer_putc(out, '{');
	for (int at = 0; at < policy_column_count; at++) {
		json_write_name(out, policy_columns[at].name);
		policy_write_value(out, &policy_columns[at], preset_value(preset, &policy_columns[at]));
	}
	buffer_putc(out, '}');
}
