/*
 * A list that grows, and the two ways to say it.
 */
#include "findings.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "json.h"
#include "memory.h"

struct finding {
	enum finding_level level;
	char *check, *todo, *detail;
};

struct findings {
	struct finding *items;
	int count, size;
};

static const char *const level_words[] = { [FINDING_OK] = "ok", [FINDING_WARN] = "warn", [FINDING_FAIL] = "fail" };

struct findings *
findings_create(void)
{
	return xcalloc(1, sizeof(struct findings));
}

void
findings_free(struct findings **findings)
{
	if (*findings == NULL)
		return;
	for (int i = 0; i < (*findings)->count; i++) {
		free((*findings)->items[i].check);
		free((*findings)->items[i].todo);
		free((*findings)->items[i].detail);
	}
	free((*findings)->items);
	free(*findings);
	*findings = NULL;
}

/* Takes `detail` over. */
static void
add(struct findings *findings, enum finding_level level, const char *check, const char *todo, char *detail)
{
	if (findings->count == findings->size) {
		findings->size = findings->size * 2 + 32;
		findings->items = xrealloc(findings->items, (size_t)findings->size * sizeof(*findings->items));
	}
	/* What others have said (libpq, OpenSSL, a relay) is one line here. */
	for (char *at = detail; *at != '\0'; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = ' ';
	findings->items[findings->count++] = (struct finding){
		level, xstrdup(check), todo != NULL ? xstrdup(todo) : NULL, detail,
	};
}

void
findings_add(struct findings *findings, enum finding_level level, const char *check, const char *todo,
	const char *format, ...)
{
	va_list arguments;
	char *detail;

	va_start(arguments, format);
	if (vasprintf(&detail, format, arguments) < 0)
		abort();
	va_end(arguments);
	add(findings, level, check, todo, detail);
}

static bool
add_object(struct findings *findings, struct json_object *item)
{
	const char *status = json_member_string(item, "status"), *check = json_member_string(item, "check");
	const char *detail = json_member_string(item, "detail");

	for (size_t level = 0; status != NULL && check != NULL && detail != NULL && level < 3; level++) {
		if (strcmp(status, level_words[level]) == 0) {
			add(findings, (enum finding_level)level, check, json_member_string(item, "todo"), xstrdup(detail));
			return true;
		}
	}
	return false;
}

bool
findings_add_json(struct findings *findings, const char *text)
{
	const char *reason;
	struct json_object *whole = json_parse(text, strlen(text), &reason);
	struct json_object *items = whole != NULL ? json_member(whole, "findings") : NULL;
	bool good = items != NULL && json_object_is_type(items, json_type_array);

	for (size_t i = 0; good && i < json_object_array_length(items); i++)
		good = add_object(findings, json_object_array_get_idx(items, i));
	json_object_put(whole);
	return good;
}

static void
print_json(const struct findings *findings, FILE *out, enum finding_level worst)
{
	struct buffer text = BUFFER_INIT;

	buffer_putc(&text, '{');
	json_write_string_member(&text, "status", level_words[worst]);
	json_write_name(&text, "findings");
	buffer_putc(&text, '[');
	for (int i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->items[i];

		json_write_separator(&text);
		buffer_putc(&text, '{');
		json_write_string_member(&text, "check", finding->check);
		json_write_string_member(&text, "status", level_words[finding->level]);
		json_write_string_member(&text, "detail", finding->detail);
		json_write_string_member(&text, "todo", finding->todo);
		buffer_putc(&text, '}');
	}
	buffer_puts(&text, "]}\n");
	fputs(buffer_text(&text), out);
	buffer_free(&text);
}

static void
print_text(const struct findings *findings, FILE *out)
{
	int counts[3] = { 0 };

	for (int i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->items[i];

		counts[finding->level]++;
		fprintf(out, "%-5s %-22s %s\n", level_words[finding->level], finding->check, finding->detail);
		if (finding->todo != NULL)
			fprintf(out, "      to do: %s\n", finding->todo);
	}
	fprintf(out, "%d ok, %d warnings, %d failures\n", counts[FINDING_OK], counts[FINDING_WARN], counts[FINDING_FAIL]);
}

int
findings_print(const struct findings *findings, FILE *out, bool as_json)
{
	enum finding_level worst = FINDING_OK;

	for (int i = 0; i < findings->count; i++)
		if (findings->items[i].level > worst)
			worst = findings->items[i].level;
	if (as_json)
		print_json(findings, out, worst);
	else
		print_text(findings, out);
	return (int)worst;
}
