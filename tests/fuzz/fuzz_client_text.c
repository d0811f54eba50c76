/*
 * Fuzzes server/client_text.c, server/language.c and common/entity_tag.c (libFuzzer;
 * `make fuzz-client-text`): query strings, cookies, cursors, Accept-Language, If-Match.
 */
#include "fuzz.h"
#include "client_text.h"
#include "entity_tag.h"
#include "language.h"
#include "utf8.h"

static void
tell(void *context, enum query_fault fault, const char *name)
{
	(*(int *)context)++;
	must(fault == QUERY_ENCODING ? *name == '\0' : utf8_is_valid(name, strlen(name)));
}

static void
check_query(const char *given)
{
	static const char *const names[] = { "q", "limit", "cursor", NULL };
	const char *values[3] = { NULL };
	char *text = strdup(given);
	int faults = 0;

	must(text != NULL);
	query_string_read(text, names, values, tell, &faults);
	for (int i = 0; i < 3; i++)
		must(values[i] == NULL || utf8_is_valid(values[i], strlen(values[i])));
	free(text);
}

static void
check_cookie(const char *text)
{
	size_t length;
	const char *value = cookie_find(text, "__Host-rollcall", &length);

	if (value != NULL)
		must(value > text && value + length <= text + strlen(text) && memchr(value, ';', length) == NULL);
}

static void
check_cursor(const char *text)
{
	char id[UUID_TEXT_SIZE], plain[CURSOR_BYTES_MAX + 1];
	const char *key = cursor_read(text, 'n', plain, id);
	struct uuid uuid;

	if (key != NULL)
		must(uuid_parse(id, &uuid) && utf8_is_valid(key, strlen(key)));
}

/* What is read is a list of ours, and who is strict reads no more than who is not. */
static void
check_tags(const char *text)
{
	char *strong = malloc(strlen(text) + 1), *weak = malloc(strlen(text) + 1);

	must(strong != NULL && weak != NULL);
	if (entity_tags_read(text, false, strong)) {
		must(entity_tags_read(text, true, weak));
		must(strlen(strong) > 0 && strlen(strong) <= strlen(weak));
		must(strcmp(strong, "*") == 0 || strspn(strong, "0123456789abcdef ") == strlen(strong));
		must(!entity_tags_hold(strong, NULL));
	}
	free(strong);
	free(weak);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char *text = text_of(bytes, length);
	const char *language = language_accepted(text);

	must(language == NULL || strcmp(language, "en") == 0 || strcmp(language, "uk") == 0 || strcmp(language, "ru") == 0);
	check_query(text);
	check_cookie(text);
	check_cursor(text);
	check_tags(text);
	free(text);
	return 0;
}
