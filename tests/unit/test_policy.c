/*
 * The table of policy columns against the migration that makes the table in the
 * database, and everything generic that stands on it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "memory.h"
#include "policy.h"
#include "schema.h"
#include "text.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

/* ---- The database's table. */

static const char *
policy_table_statement(void)
{
	const char *from = NULL;

	for (int at = 0; at < migration_count && from == NULL; at++)
		from = strstr(migrations[at].sql, "CREATE TABLE rollcall.policy (");
	assert_non_null(from);
	return from;
}

/* The statement, every run of white space as one space. The caller frees it. */
static char *
policy_table(void)
{
	const char *from = policy_table_statement();
	char *text, *out;

	text = out = xmalloc(strlen(from) + 1);
	for (; *from != '\0' && strncmp(from, "\n);", 3) != 0; from++) {
		if (!isspace((unsigned char)*from))
			*out++ = *from;
		else if (out > text && out[-1] != ' ')
			*out++ = ' ';
	}
	*out = '\0';
	return text;
}

static void
assert_has(const char *text, const char *expected)
{
	if (strstr(text, expected) == NULL)
		fail_msg("the migration lacks: %s", expected);
}

/* "name type [NOT NULL] [DEFAULT value]," as the migration writes it. */
static void
assert_has_column(const char *table, const struct policy_column *c)
{
	static const char *const types[] = {
		[POLICY_BOOL] = "boolean", [POLICY_CHOICE] = "text", [POLICY_INT] = "integer",
		[POLICY_DURATION] = "interval", [POLICY_INT_LIST] = "integer[]", [POLICY_WORDS] = "text[]",
		[POLICY_LABELS] = "jsonb",
	};
	bool is_bare = c->type == POLICY_BOOL || c->type == POLICY_INT;
	const char *quote = is_bare ? "" : "'";
	char expected[2048];

	snprintf(expected, sizeof expected, " %s %s%s%s%s%s%s,", c->name, types[c->type],
		c->nullable ? "" : " NOT NULL", c->initial != NULL ? " DEFAULT " : "",
		c->initial != NULL ? quote : "", c->initial != NULL ? c->initial : "",
		c->initial != NULL ? quote : "");
	assert_has(table, expected);
}

/* Free lists have none: their items are checked where they come in. */
static bool
has_check(const struct policy_column *c)
{
	return c->type != POLICY_BOOL && c->type != POLICY_INT_LIST && (c->type != POLICY_WORDS || c->choices != NULL);
}

static void
assert_has_check(const char *table, const struct policy_column *c)
{
	char expected[512];
	int used = snprintf(expected, sizeof expected, " CONSTRAINT policy_%s_check CHECK (%s ", c->name, c->name);
	char *rest = expected + used;
	size_t size = sizeof expected - (size_t)used;

	if (c->type == POLICY_INT)
		snprintf(rest, size, "BETWEEN %d AND %d)", c->min, c->max);
	if (c->type == POLICY_DURATION)
		snprintf(rest, size, "BETWEEN '%s' AND '%s')", c->min_duration, c->max_duration);
	if (c->type == POLICY_CHOICE) {
		strcpy(rest, "IN (");
		for (int at = 0; c->choices[at] != NULL; at++)
			sprintf(rest + strlen(rest), "%s'%s'", at > 0 ? ", " : "", c->choices[at]);
		strcat(rest, "))");
	}
	if (c->type == POLICY_WORDS)
		strcpy(rest, "<@ '{employee,external}'");
	if (c->type == POLICY_LABELS)
		snprintf(expected, sizeof expected, " CONSTRAINT policy_%s_check CHECK (jsonb_typeof(%s) = 'object')", c->name, c->name);
	if (has_check(c))
		assert_has(table, expected);
}

static void
the_database_has_the_same_columns_defaults_and_bounds(void **state)
{
	char *table = policy_table();
	int checks = 0;

	(void)state;
	for (int at = 0; at < policy_column_count; at++) {
		assert_has_column(table, &policy_columns[at]);
		assert_has_check(table, &policy_columns[at]);
		checks += has_check(&policy_columns[at]);
	}
	for (const char *at = table; (at = strstr(at, "_check CHECK")) != NULL; at++)
		checks--;
	assert_int_equal(checks, 0);
	free(table);
}

/* Lines of the CREATE TABLE that begin with a lower-case name are columns. */
static void
the_database_has_no_other_columns(void **state)
{
	static const char *const bookkeeping[] = { "org_id", "idle_applied", "version", "updated_at" };
	const char *line = policy_table_statement();
	int columns = 0;

	(void)state;
	for (line = strchr(line, '\n') + 1; *line != ')'; line = strchr(line, '\n') + 1) {
		char name[64];
		bool is_bookkeeping = false;

		if (strncmp(line, "    ", 4) != 0 || !islower((unsigned char)line[4]))
			continue;
		assert_int_equal(sscanf(line, "%63s", name), 1);
		for (int at = 0; at < COUNT(bookkeeping); at++)
			is_bookkeeping |= strcmp(name, bookkeeping[at]) == 0;
		if (is_bookkeeping)
			continue;
		if (policy_column_find(name) == NULL)
			fail_msg("the table of columns lacks %s", name);
		columns++;
	}
	assert_int_equal(columns, policy_column_count);
}

/* ---- The table of columns itself. */

static void
every_column_is_complete(void **state)
{
	(void)state;
	for (int at = 0; at < policy_column_count; at++) {
		const struct policy_column *c = &policy_columns[at];

		print_message("  %s %s\n", c->name, c->expects);
		assert_ptr_equal(policy_column_find(c->name), c);
		assert_int_equal(strncmp(c->expects, "must be ", 8), 0);
		assert_true(isupper((unsigned char)c->meaning[0]) && c->meaning[strlen(c->meaning) - 1] == '.');
		assert_true(c->initial != NULL || c->nullable);
		assert_true(c->type == POLICY_WORDS || (c->type == POLICY_CHOICE) == (c->choices != NULL));
		if (c->type == POLICY_INT || c->type == POLICY_INT_LIST)
			assert_true(c->min < c->max);
		if (c->type == POLICY_DURATION) {
			assert_true(duration_seconds(c->min_duration) > 0);
			assert_true(duration_seconds(c->min_duration) < duration_seconds(c->max_duration));
		}
		for (int other = 0; other < at; other++)
			assert_true(policy_columns[other].offset != c->offset);
	}
	assert_null(policy_column_find("org_id"));
	assert_null(policy_column_find(""));
}

static void
the_defaults_are_those_of_the_document(void **state)
{
	struct policy p;

	(void)state;
	memset(&p, 0xaa, sizeof p);
	policy_set_defaults(&p);
	assert_true(p.email_required);
	assert_int_equal(p.email_change, EMAIL_CHANGE_WHILE_PENDING);
	assert_int_equal(p.login_identifier, LOGIN_BY_EMAIL);
	assert_int_equal(p.username_change, USERNAME_CHANGE_NEVER);
	assert_int_equal(p.invite_on_create, INVITE_ALWAYS);
	assert_string_equal(p.invitation_ttl, "PT24H");
	assert_string_equal(p.password_reset_ttl, "PT1H");
	assert_int_equal(p.invitation_on_expiry, EXPIRY_MAIL_ADMIN_NEW_LINK);
	assert_int_equal(p.invitation_expiry_recipient, EXPIRY_TO_INVITER);
	assert_int_equal(p.invitation_max_renewals, 3);
	assert_int_equal(p.invitation_resend_to, RESEND_TO_PENDING);
	assert_int_equal(p.initial_status, INITIAL_PENDING);
	assert_int_equal(p.activation_on, ACTIVATION_PASSWORD_SET);
	assert_true(p.admin_password_activates);
	assert_true(p.admin_activates_pending);
	assert_int_equal(p.password_at_create, PASSWORD_OPTIONAL);
	assert_int_equal(p.reactivation_password, REACTIVATION_KEEP);
	assert_int_equal(p.lockout_threshold, 10);
	assert_int_equal(p.lockout_release, RELEASE_ADMIN);
	assert_string_equal(p.lockout_interval, "PT15M");
	assert_string_equal(p.idle_after, "P3M");
	assert_string_equal(p.idle_warn_days, "{14,3}");
	assert_int_equal(p.idle_brake, 20);
	assert_true(p.admin_password_notice);
	assert_true(p.password_self_reset);
	assert_int_equal(p.password_min_length, 12);
	assert_string_equal(p.session_ttl, "PT12H");
	assert_string_equal(p.session_idle_ttl, "PT2H");
	assert_string_equal(p.outbox_retention, "P90D");
	assert_true(p.invite_on_email_added);
	assert_int_equal(p.invitation_letter, LETTER_SET_PASSWORD_LINK);
	assert_string_equal(p.email_change_ttl, "PT24H");
	assert_false(p.role_required);
	assert_string_equal(p.default_permissions, "{}");
	assert_true(p.custom_roles && p.permissions_per_user);
	assert_int_equal(p.required_fields, REQUIRED_FIELDS_BLOCK);
	assert_int_equal(p.deletion, DELETION_FORBIDDEN);
	assert_int_equal(p.deletion_confirmation, DELETION_TYPED_NUMBER);
	assert_int_equal(p.deletion_references, REFERENCES_DETACH);
	assert_int_equal(p.blocked_position, BLOCKED_IN_PLACE);
	assert_int_equal(p.assignments_on_inactivate, ASSIGNMENTS_KEEP);
	assert_false(p.assignable_on_day_off);
	assert_true(p.position_free_text);
	assert_string_equal(p.user_kinds, "{employee}");
	assert_int_equal(p.import_invites, IMPORT_INVITES_ASK);
	assert_int_equal(p.import_on_duplicate, DUPLICATE_REPORT);
	assert_null(p.audit_retention);
	assert_string_equal(p.import_retention, "P30D");
	assert_null(policy_contradiction(&p));
}

/* Words stand in the order of the enums. */
static void
words_mean_their_enum(void **state)
{
	static const struct {
		const char *column, *word;
		int value;
	} words[] = {
		{ "email_change", "while_pending", EMAIL_CHANGE_WHILE_PENDING },
		{ "email_change", "never", EMAIL_CHANGE_NEVER },
		{ "email_change", "admin", EMAIL_CHANGE_ADMIN },
		{ "invitation_letter", "set_password_link", LETTER_SET_PASSWORD_LINK },
		{ "invitation_letter", "login_info", LETTER_LOGIN_INFO },
		{ "required_fields", "block", REQUIRED_FIELDS_BLOCK },
		{ "required_fields", "mark_incomplete", REQUIRED_FIELDS_MARK_INCOMPLETE },
		{ "deletion", "forbidden", DELETION_FORBIDDEN },
		{ "deletion", "anonymise", DELETION_ANONYMISE },
		{ "deletion", "erase", DELETION_ERASE },
		{ "deletion_confirmation", "typed_number", DELETION_TYPED_NUMBER },
		{ "deletion_confirmation", "none", DELETION_UNCONFIRMED },
		{ "deletion_references", "detach", REFERENCES_DETACH },
		{ "deletion_references", "refuse", REFERENCES_REFUSE },
		{ "blocked_position", "in_place", BLOCKED_IN_PLACE },
		{ "blocked_position", "bottom", BLOCKED_AT_BOTTOM },
		{ "assignments_on_inactivate", "keep", ASSIGNMENTS_KEEP },
		{ "assignments_on_inactivate", "detach", ASSIGNMENTS_DETACH },
		{ "import_invites", "ask", IMPORT_INVITES_ASK },
		{ "import_invites", "true", IMPORT_INVITES_TRUE },
		{ "import_invites", "false", IMPORT_INVITES_FALSE },
		{ "import_on_duplicate", "report", DUPLICATE_REPORT },
		{ "import_on_duplicate", "update", DUPLICATE_UPDATE },
		{ "import_on_duplicate", "skip", DUPLICATE_SKIP },
		{ "login_identifier", "email", LOGIN_BY_EMAIL },
		{ "login_identifier", "username", LOGIN_BY_USERNAME },
		{ "login_identifier", "either", LOGIN_BY_EITHER },
		{ "username_change", "never", USERNAME_CHANGE_NEVER },
		{ "username_change", "admin", USERNAME_CHANGE_ADMIN },
		{ "invite_on_create", "always", INVITE_ALWAYS },
		{ "invite_on_create", "ask", INVITE_ASK },
		{ "invite_on_create", "never", INVITE_NEVER },
		{ "invitation_on_expiry", "mail_admin_new_link", EXPIRY_MAIL_ADMIN_NEW_LINK },
		{ "invitation_on_expiry", "mail_admin_notice", EXPIRY_MAIL_ADMIN_NOTICE },
		{ "invitation_on_expiry", "resend_to_user", EXPIRY_RESEND_TO_USER },
		{ "invitation_on_expiry", "nothing", EXPIRY_NOTHING },
		{ "invitation_expiry_recipient", "inviter", EXPIRY_TO_INVITER },
		{ "invitation_expiry_recipient", "all_admins", EXPIRY_TO_ALL_ADMINS },
		{ "invitation_resend_to", "pending", RESEND_TO_PENDING },
		{ "invitation_resend_to", "any", RESEND_TO_ANY },
		{ "initial_status", "pending", INITIAL_PENDING },
		{ "initial_status", "chosen_by_admin", INITIAL_CHOSEN_BY_ADMIN },
		{ "activation_on", "password_set", ACTIVATION_PASSWORD_SET },
		{ "activation_on", "first_login", ACTIVATION_FIRST_LOGIN },
		{ "password_at_create", "optional", PASSWORD_OPTIONAL },
		{ "password_at_create", "required", PASSWORD_REQUIRED },
		{ "password_at_create", "forbidden", PASSWORD_FORBIDDEN },
		{ "reactivation_password", "keep", REACTIVATION_KEEP },
		{ "reactivation_password", "must_reset", REACTIVATION_MUST_RESET },
		{ "lockout_release", "admin", RELEASE_ADMIN },
		{ "lockout_release", "interval", RELEASE_INTERVAL },
		{ "lockout_release", "mail_link", RELEASE_MAIL_LINK },
	};
	int choices = 0;

	(void)state;
	for (int at = 0; at < COUNT(words); at++) {
		const struct policy_column *column = policy_column_find(words[at].column);
		struct policy policy;

		policy_set_defaults(&policy);
		policy_set_value(&policy, column, words[at].word);
		assert_int_equal(*(int *)(void *)((char *)&policy + column->offset), words[at].value);
	}
	for (int at = 0; at < policy_column_count; at++) {
		for (int n = 0; policy_columns[at].type == POLICY_CHOICE && policy_columns[at].choices[n] != NULL; n++)
			choices++;
	}
	assert_int_equal(choices, COUNT(words));
}

/* A result as libpq hands it out, with the columns in another order and one more. */
static PGresult *
row_of_defaults(void)
{
	PGresult *rows = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc *fields = xcalloc((size_t)policy_column_count + 1, sizeof *fields);
	static char other[] = "version";

	assert_non_null(rows);
	fields[0].name = other;
	for (int at = 0; at < policy_column_count; at++)
		fields[policy_column_count - at].name = xstrdup(policy_columns[at].name);
	assert_true(PQsetResultAttrs(rows, policy_column_count + 1, fields));
	for (int at = 0; at < policy_column_count; at++)
		free(fields[policy_column_count - at].name);
	free(fields);
	for (int at = 0; at < policy_column_count; at++) {
		const struct policy_column *c = &policy_columns[at];
		char *text = c->initial == NULL ? NULL
			: xstrdup(c->type != POLICY_BOOL ? c->initial : c->initial[0] == 't' ? "t" : "f");

		assert_true(PQsetvalue(rows, 0, policy_column_count - at, text, text == NULL ? -1 : (int)strlen(text)));
		free(text);
	}
	return rows;
}

static void
a_row_is_read_by_name_and_outlives_its_result(void **state)
{
	struct arena *arena = arena_create();
	PGresult *rows = row_of_defaults();
	int username = PQfnumber(rows, "login_identifier");
	static char word[] = "username", no[] = "f";
	struct policy policy, defaults;

	(void)state;
	assert_true(PQsetvalue(rows, 0, username, word, 8));
	assert_true(PQsetvalue(rows, 0, PQfnumber(rows, "email_required"), no, 1));
	assert_true(PQsetvalue(rows, 0, PQfnumber(rows, "idle_after"), NULL, -1));
	memset(&policy, 0xaa, sizeof policy);
	policy_from_row(&policy, arena, rows, 0);
	PQclear(rows);

	policy_set_defaults(&defaults);
	assert_int_equal(policy.login_identifier, LOGIN_BY_USERNAME);
	assert_false(policy.email_required);
	assert_true(policy.password_self_reset);
	assert_null(policy.idle_after);
	assert_string_equal(policy.invitation_ttl, "PT24H");
	assert_string_equal(policy.idle_warn_days, "{14,3}");
	assert_int_equal(policy.lockout_threshold, 10);
	arena_free(&arena);
}

/* ---- Values of a PATCH. */

/* The JSON value as a member, so that null and bare words parse. */
static struct json_object *
parse_value(const char *json, struct json_object **value)
{
	char text[2048];
	struct json_object *object;

	snprintf(text, sizeof text, "{\"v\": %s}", json);
	object = json_tokener_parse(text);
	if (object == NULL)
		fail_msg("the test's JSON is none: %s", json);
	assert_true(json_object_object_get_ex(object, "v", value));
	return object;
}

static void
values_are_taken_or_refused_with_a_reason(void **state)
{
	static const struct {
		const char *column, *json, *text, *code;
	} values[] = {
		{ "email_required", "true", "true", NULL },
		{ "email_required", "false", "false", NULL },
		{ "email_required", "1", NULL, "wrong_type" },
		{ "email_required", "\"true\"", NULL, "wrong_type" },
		{ "email_required", "null", NULL, "wrong_type" },
		{ "login_identifier", "\"username\"", "username", NULL },
		{ "login_identifier", "\"Username\"", NULL, "invalid" },
		{ "login_identifier", "\"\"", NULL, "invalid" },
		{ "login_identifier", "\"email\\u0000x\"", NULL, "invalid" },
		{ "login_identifier", "true", NULL, "wrong_type" },
		{ "login_identifier", "[\"email\"]", NULL, "wrong_type" },
		{ "login_identifier", "null", NULL, "wrong_type" },
		{ "lockout_threshold", "0", "0", NULL },
		{ "lockout_threshold", "100", "100", NULL },
		{ "lockout_threshold", "101", NULL, "invalid" },
		{ "lockout_threshold", "-1", NULL, "invalid" },
		{ "lockout_threshold", "99999999999999999999", NULL, "invalid" },
		{ "lockout_threshold", "4294967306", NULL, "invalid" },
		{ "lockout_threshold", "10.0", NULL, "wrong_type" },
		{ "lockout_threshold", "\"10\"", NULL, "wrong_type" },
		{ "lockout_threshold", "null", NULL, "wrong_type" },
		{ "password_min_length", "8", "8", NULL },
		{ "password_min_length", "7", NULL, "invalid" },
		{ "password_min_length", "129", NULL, "invalid" },
		{ "invitation_ttl", "\"PT24H\"", "PT24H", NULL },
		{ "invitation_ttl", "\"PT1H\"", "PT1H", NULL },
		{ "invitation_ttl", "\"P30D\"", "P30D", NULL },
		{ "invitation_ttl", "\"P1M\"", "P1M", NULL },
		{ "invitation_ttl", "\"P4W\"", "P4W", NULL },
		{ "invitation_ttl", "\"PT59M59S\"", NULL, "invalid" },
		{ "invitation_ttl", "\"P30DT1S\"", NULL, "invalid" },
		{ "invitation_ttl", "\"24:00:00\"", NULL, "invalid" },
		{ "invitation_ttl", "\"1 day\"", NULL, "invalid" },
		{ "invitation_ttl", "\"P-1D\"", NULL, "invalid" },
		{ "invitation_ttl", "\"-P1D\"", NULL, "invalid" },
		{ "invitation_ttl", "\"P\"", NULL, "invalid" },
		{ "invitation_ttl", "\"\"", NULL, "invalid" },
		{ "invitation_ttl", "\"P1D\\u0000\"", NULL, "invalid" },
		{ "invitation_ttl", "\"P00000000000000000000000000000000000000000000000000000000000001D\"", NULL, "invalid" },
		{ "invitation_ttl", "\"P99999999999999999999D\"", NULL, "invalid" },
		{ "invitation_ttl", "86400", NULL, "wrong_type" },
		{ "invitation_ttl", "null", NULL, "wrong_type" },
		{ "idle_after", "\"P3M\"", "P3M", NULL },
		{ "idle_after", "\"P10Y\"", "P10Y", NULL },
		{ "idle_after", "\"PT23H\"", NULL, "invalid" },
		{ "idle_after", "\"P10Y1D\"", NULL, "invalid" },
		/* To PostgreSQL, comparing intervals, a year is twelve months of 30 days. */
		{ "idle_after", "\"P120M\"", "P120M", NULL },
		{ "idle_after", "\"P3600D\"", "P3600D", NULL },
		{ "idle_after", "\"P3601D\"", NULL, "invalid" },
		{ "idle_after", "null", "", NULL },
		{ "idle_warn_days", "[14, 3]", "{14,3}", NULL },
		{ "idle_warn_days", "[3, 14]", "{14,3}", NULL },
		{ "idle_warn_days", "[1, 365, 7, 30]", "{365,30,7,1}", NULL },
		{ "idle_warn_days", "[]", "{}", NULL },
		{ "idle_warn_days", "[365,364,363,362,361,360,359,358,357,356]",
			"{365,364,363,362,361,360,359,358,357,356}", NULL },
		{ "idle_warn_days", "[1,2,3,4,5,6,7,8,9,10,11]", NULL, "invalid" },
		{ "idle_warn_days", "[3, 14, 3]", NULL, "invalid" },
		{ "idle_warn_days", "[0]", NULL, "invalid" },
		{ "idle_warn_days", "[366]", NULL, "invalid" },
		{ "idle_warn_days", "[\"3\"]", NULL, "wrong_type" },
		{ "idle_warn_days", "[null]", NULL, "wrong_type" },
		{ "idle_warn_days", "[3.5]", NULL, "wrong_type" },
		{ "idle_warn_days", "3", NULL, "wrong_type" },
		{ "idle_warn_days", "{}", NULL, "wrong_type" },
		{ "idle_warn_days", "null", NULL, "wrong_type" },
		{ "default_permissions", "[]", "{}", NULL },
		{ "default_permissions", "[\"product:view\", \"*\"]", "{product:view,*}", NULL },
		{ "default_permissions", "[\"product:view\", \"product:view\"]", NULL, "invalid" },
		{ "default_permissions", "[\"product\"]", NULL, "invalid" },
		{ "default_permissions", "[\"a:b,c:d\"]", NULL, "invalid" },
		{ "default_permissions", "[1]", NULL, "wrong_type" },
		{ "default_permissions", "\"product:view\"", NULL, "wrong_type" },
		{ "user_kinds", "[\"employee\", \"external\"]", "{employee,external}", NULL },
		{ "user_kinds", "[\"external\"]", "{external}", NULL },
		{ "user_kinds", "[]", NULL, "invalid" },
		{ "user_kinds", "[\"robot\"]", NULL, "invalid" },
		{ "status_labels", "{}", "{}", NULL },
		{ "status_labels", "{\"en\": {\"locked\": \"DENIED\"}}", "{\"en\":{\"locked\":\"DENIED\"}}", NULL },
		{ "status_labels", "{\"en\": {\"gone\": \"Gone\"}}", NULL, "invalid" },
		{ "status_labels", "{\"en\": {\"locked\": \"\"}}", NULL, "invalid" },
		{ "status_labels", "{\"en\": {\"locked\": \"a\\nb\"}}", NULL, "invalid" },
		{ "status_labels", "{\"fr\": {}}", NULL, "invalid" },
		{ "status_labels", "{\"en\": {\"locked\": 1}}", NULL, "wrong_type" },
		{ "status_labels", "{\"en\": \"Locked\"}", NULL, "wrong_type" },
		{ "status_labels", "[]", NULL, "wrong_type" },
	};

	(void)state;
	for (int at = 0; at < COUNT(values); at++) {
		const struct policy_column *column = policy_column_find(values[at].column);
		struct json_object *value = NULL, *object = parse_value(values[at].json, &value);
		const char *code = NULL, *detail = NULL;
		struct buffer text = BUFFER_INIT;
		bool is_good = policy_value_from_json(column, value, &text, &code, &detail);

		print_message("  %s = %s\n", values[at].column, values[at].json);
		assert_int_equal(is_good, values[at].text != NULL);
		if (is_good) {
			assert_string_equal(buffer_text(&text), values[at].text);
		} else {
			assert_string_equal(code, values[at].code);
			assert_ptr_equal(detail, column->expects);
		}
		buffer_free(&text);
		json_object_put(object);
	}
}

static void
a_patch_is_applied_and_the_rest_stays(void **state)
{
	struct arena *arena = arena_create();
	struct json_object *patch = json_tokener_parse("{\"email_required\": false, \"idle_after\": null, "
		"\"lockout_release\": \"interval\", \"lockout_threshold\": 7, \"session_ttl\": \"P1D\", "
		"\"idle_warn_days\": [1, 7], \"password_min_length\": 3, \"version\": 4}");
	struct policy policy;

	(void)state;
	policy_set_defaults(&policy);
	policy_apply_json(&policy, arena, patch);
	json_object_put(patch);
	assert_false(policy.email_required);
	assert_null(policy.idle_after);
	assert_int_equal(policy.lockout_release, RELEASE_INTERVAL);
	assert_int_equal(policy.lockout_threshold, 7);
	assert_string_equal(policy.session_ttl, "P1D");
	assert_string_equal(policy.idle_warn_days, "{7,1}");
	assert_int_equal(policy.password_min_length, 12);
	assert_string_equal(policy.session_idle_ttl, "PT2H");
	assert_int_equal(policy.initial_status, INITIAL_PENDING);
	arena_free(&arena);
}

static void
assert_takes(const struct policy_column *column, const char *value_text)
{
	const char *code = "", *detail = "";
	struct buffer json = BUFFER_INIT, text = BUFFER_INIT, again = BUFFER_INIT;
	struct json_object *value = NULL, *object;

	policy_write_value(&json, column, value_text);
	object = parse_value(buffer_text(&json), &value);
	if (!policy_value_from_json(column, value, &text, &code, &detail))
		fail_msg("%s = %s: %s", column->name, buffer_text(&json), detail);
	policy_write_value(&again, column, value == NULL ? NULL : buffer_text(&text));
	if (column->type == POLICY_LABELS)	/* white space is lost */
		assert_true(text.length > 0);
	else
		assert_string_equal(buffer_text(&again), buffer_text(&json));
	buffer_free(&json);
	buffer_free(&text);
	buffer_free(&again);
	json_object_put(object);
}

static void
every_default_is_a_value_that_its_column_takes(void **state)
{
	(void)state;
	for (int at = 0; at < policy_column_count; at++)
		assert_takes(&policy_columns[at], policy_columns[at].initial);
}

/* ---- Presets and contradictions. */

static bool
is_default(const struct policy_column *column, const char *text)
{
	if (text == NULL || column->initial == NULL)
		return text == column->initial;
	return strcmp(text, column->initial) == 0;
}

static void
presets_are_real_differences_without_contradiction(void **state)
{
	(void)state;
	for (const struct policy_preset *preset = policy_presets; preset->name != NULL; preset++) {
		struct policy policy;

		policy_set_defaults(&policy);
		assert_ptr_equal(policy_preset(preset->name), preset->values);
		for (const struct policy_preset_value *v = preset->values; v->column != NULL; v++) {
			const struct policy_column *column = policy_column_find(v->column);

			print_message("  %s: %s\n", preset->name, v->column);
			assert_non_null(column);
			assert_takes(column, v->value);
			assert_false(is_default(column, v->value));
			policy_set_value(&policy, column, v->value);
		}
		assert_null(policy_contradiction(&policy));
	}
	assert_null(policy_preset("acme"));
	assert_null(policy_preset(""));
}

static struct policy
preset_policy(const char *name)
{
	struct policy policy;

	policy_set_defaults(&policy);
	for (const struct policy_preset_value *v = policy_preset(name); v->column != NULL; v++)
		policy_set_value(&policy, policy_column_find(v->column), v->value);
	return policy;
}

static void
presets_are_what_the_products_do(void **state)
{
	struct policy hesh = preset_policy("hesh"), urbantz = preset_policy("urbantz"),
		keycrm = preset_policy("keycrm"), wetrack = preset_policy("wetrack");

	(void)state;
	assert_null(policy_preset("default")->column);

	assert_int_equal(hesh.email_change, EMAIL_CHANGE_NEVER);		/* S0-14 */
	assert_false(hesh.admin_activates_pending);				/* S0-09 */
	assert_true(hesh.admin_password_activates);				/* S1-22 */
	assert_string_equal(hesh.invitation_ttl, "PT24H");			/* S1-07 */
	assert_int_equal(hesh.invite_on_create, INVITE_ALWAYS);			/* S1-05 */
	assert_int_equal(hesh.invitation_on_expiry, EXPIRY_MAIL_ADMIN_NEW_LINK); /* S1-14 */
	assert_int_equal(hesh.invitation_resend_to, RESEND_TO_PENDING);		/* S1-06 */
	assert_int_equal(hesh.lockout_threshold, 0);
	assert_null(hesh.idle_after);						/* S0-19 */
	assert_string_equal(hesh.default_permissions, "{product:view}");	/* S1-02 */
	assert_int_equal(hesh.deletion, DELETION_FORBIDDEN);			/* S1-31 */

	assert_int_equal(urbantz.lockout_threshold, 10);			/* S2-19 */
	assert_int_equal(urbantz.lockout_release, RELEASE_ADMIN);		/* S2-21 */
	assert_string_equal(urbantz.idle_after, "P3M");				/* S2-25 */
	assert_int_equal(urbantz.email_change, EMAIL_CHANGE_NEVER);
	assert_true(urbantz.role_required);					/* S2-03 */
	assert_false(urbantz.custom_roles || urbantz.permissions_per_user);
	assert_int_equal(urbantz.required_fields, REQUIRED_FIELDS_BLOCK);	/* S2-05 */
	assert_non_null(strstr(urbantz.status_labels, "DENIED"));		/* S2-20 */

	assert_false(keycrm.email_required);					/* S3-13 */
	assert_int_equal(keycrm.email_change, EMAIL_CHANGE_ADMIN);		/* S3-18 */
	assert_int_equal(keycrm.invitation_letter, LETTER_LOGIN_INFO);		/* S3-12 */
	assert_false(keycrm.invite_on_email_added);				/* S3-13 */
	assert_int_equal(keycrm.blocked_position, BLOCKED_AT_BOTTOM);		/* S3-26 */
	assert_int_equal(keycrm.deletion, DELETION_FORBIDDEN);			/* S3-24 */
	assert_non_null(strstr(keycrm.status_labels, "Заблокирован"));
	assert_true(keycrm.role_required && keycrm.custom_roles);		/* S3-08 */
	assert_false(keycrm.permissions_per_user);
	assert_int_equal(keycrm.login_identifier, LOGIN_BY_USERNAME);		/* S3-06 */
	assert_int_equal(keycrm.username_change, USERNAME_CHANGE_ADMIN);	/* S3-18 */
	assert_int_equal(keycrm.invite_on_create, INVITE_ALWAYS);		/* S3-07 */
	assert_int_equal(keycrm.invitation_on_expiry, EXPIRY_NOTHING);
	assert_int_equal(keycrm.activation_on, ACTIVATION_FIRST_LOGIN);		/* S3-16 */
	assert_false(keycrm.admin_password_activates);
	assert_int_equal(keycrm.password_at_create, PASSWORD_REQUIRED);		/* S3-10 */
	assert_false(keycrm.admin_password_notice);				/* S3-21 */
	assert_true(keycrm.password_self_reset);				/* S3-22 */
	assert_int_equal(keycrm.lockout_threshold, 0);
	assert_null(keycrm.idle_after);

	assert_int_equal(wetrack.email_change, EMAIL_CHANGE_NEVER);		/* S4-20 */
	assert_int_equal(wetrack.invite_on_create, INVITE_ASK);			/* S4-15 */
	assert_int_equal(wetrack.invitation_on_expiry, EXPIRY_NOTHING);
	assert_int_equal(wetrack.invitation_resend_to, RESEND_TO_ANY);		/* S4-19 */
	assert_int_equal(wetrack.initial_status, INITIAL_CHOSEN_BY_ADMIN);	/* S4-07 */
	assert_int_equal(wetrack.lockout_threshold, 0);
	assert_null(wetrack.idle_after);
	assert_int_equal(wetrack.deletion, DELETION_ERASE);			/* S4-23 */
	assert_true(policy_words_have(wetrack.user_kinds, "external"));		/* S4-06 */
	assert_false(policy_words_have(hesh.user_kinds, "external") || wetrack.custom_roles);
	assert_true(wetrack.permissions_per_user);				/* S4-14 */
}

static void
a_policy_that_contradicts_itself_is_named(void **state)
{
	static const struct {
		enum login_identifier login;
		bool email_required, is_contradiction;
	} logins[] = {
		{ LOGIN_BY_EMAIL, true, false },
		{ LOGIN_BY_EMAIL, false, true },
		{ LOGIN_BY_USERNAME, true, false },
		{ LOGIN_BY_USERNAME, false, false },
		{ LOGIN_BY_EITHER, true, false },
		{ LOGIN_BY_EITHER, false, false },
	};
	struct policy policy;

	(void)state;
	policy_set_defaults(&policy);
	for (int at = 0; at < COUNT(logins); at++) {
		const struct policy_contradiction *found;

		policy.login_identifier = logins[at].login;
		policy.email_required = logins[at].email_required;
		found = policy_contradiction(&policy);
		assert_int_equal(found != NULL, logins[at].is_contradiction);
		if (found == NULL)
			continue;
		assert_non_null(policy_column_find(found->column));
		assert_non_null(policy_column_find(found->other));
		assert_int_equal(found->detail[strlen(found->detail) - 1], '.');
	}
	/* Without effect is no contradiction. */
	policy_set_defaults(&policy);
	policy.lockout_threshold = 0;
	policy.lockout_release = RELEASE_MAIL_LINK;
	policy.idle_after = NULL;
	assert_null(policy_contradiction(&policy));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_database_has_the_same_columns_defaults_and_bounds),
		cmocka_unit_test(the_database_has_no_other_columns),
		cmocka_unit_test(every_column_is_complete),
		cmocka_unit_test(the_defaults_are_those_of_the_document),
		cmocka_unit_test(words_mean_their_enum),
		cmocka_unit_test(a_row_is_read_by_name_and_outlives_its_result),
		cmocka_unit_test(values_are_taken_or_refused_with_a_reason),
		cmocka_unit_test(a_patch_is_applied_and_the_rest_stays),
		cmocka_unit_test(every_default_is_a_value_that_its_column_takes),
		cmocka_unit_test(presets_are_real_differences_without_contradiction),
		cmocka_unit_test(presets_are_what_the_products_do),
		cmocka_unit_test(a_policy_that_contradicts_itself_is_named),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
