/*
 * policy_presets: the products that Rollcall grew out of, as differences from the defaults.
 *
 * DESIGN.md §5, column "presets that differ"; the reasons are rows of SEEDS.md. Each is
 * applied on top of the defaults, so what is not listed is the default. A test checks
 * that every value is one that its column takes, and that no preset contradicts itself.
 */
#include <stddef.h>
#include <string.h>

#include "policy.h"

#define END { NULL, NULL }

static const struct policy_preset_value preset_default[] = { END };

/* S0, S1: invited, never locked or idled by the system; a pending user becomes active by
 * a password, not by hand. */
static const struct policy_preset_value preset_hesh[] = {
	{ "email_change", "never" },
	{ "admin_activates_pending", "false" },
	{ "lockout_threshold", "0" },
	{ "idle_after", NULL },
	END,
};

/* S2: ten wrong passwords lock, three months without a login inactivate. */
static const struct policy_preset_value preset_urbantz[] = {
	{ "email_change", "never" },
	END,
};

/* S3: a username and a password from the administrator; active from the first login. */
static const struct policy_preset_value preset_keycrm[] = {
	{ "email_required", "false" },
	{ "login_identifier", "username" },
	{ "username_change", "admin" },
	{ "invitation_on_expiry", "nothing" },
	{ "activation_on", "first_login" },
	{ "admin_password_activates", "false" },
	{ "password_at_create", "required" },
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
