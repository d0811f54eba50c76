/*
 * Writes what common/policy.c and common/policy_presets.c know, and adds nothing.
 */
#include "policy_document.h"

#include <string.h>

#include "buffer.h"
#include "policy.h"

/* A value as a PATCH would send it. */
static void
print_value(FILE *out, const struct policy_column *column, const char *text)
{
	struct buffer json = BUFFER_INIT;

	policy_write_value(&json, column, text);
	fprintf(out, "`%s`", buffer_text(&json));
	buffer_free(&json);
}

static void
print_column(FILE *out, const struct policy_column *column)
{
	fprintf(out, "### %s\n\n%s\n\nIt %s%s. Default: ", column->name, column->meaning, column->expects,
		column->nullable && strstr(column->expects, "null") == NULL ? ", or null" : "");
	print_value(out, column, column->initial);
	fputs("\n\n", out);
}

static void
print_preset(FILE *out, const struct policy_preset *preset)
{
	fprintf(out, "### %s\n\n", preset->name);
	if (preset->values->column == NULL)
		fputs("Every policy has its default.\n\n", out);
	for (const struct policy_preset_value *value = preset->values; value->column != NULL; value++) {
		fprintf(out, "- %s: ", value->column);
		print_value(out, policy_column_find(value->column), value->value);
		fputs(value[1].column == NULL ? "\n\n" : "\n", out);
	}
}

void
policy_document_print(FILE *out)
{
	fputs("# Policies\n\n"
	      "What an organization wants, as data: `GET /v1/policy` shows it, `PATCH /v1/policy` changes it (a JSON merge\n"
	      "patch), `POST /v1/policy/preset` changes all of it at once, and `POST /v1/policy/simulate` says beforehand whom a\n"
	      "change would touch. A change acts from the next request on. When a policy refuses something, the answer names it.\n\n"
	      "This page is what `rollcall-server --print-policies` prints.\n\n"
	      "## Columns\n\n", out);
	for (int at = 0; at < policy_column_count; at++)
		print_column(out, &policy_columns[at]);
	fputs("## Presets\n\nWhat each changes of the defaults.\n\n", out);
	for (const struct policy_preset *preset = policy_presets; preset->name != NULL; preset++)
		print_preset(out, preset);
}
