/*
 * What clients write into the head of a request: see client_text.h.
 */
#include "client_text.h"

#include <string.h>

#include "encode.h"
#include "utf8.h"

/* ---- Query strings. */

/* Decodes in place: + is a space, %XX a byte. False for a bad escape or a NUL. */
static bool
decode(char *text)
{
	size_t length;

	for (char *plus = text; (plus = strchr(plus, '+')) != NULL;)
		*plus = ' ';
	return percent_decode(text, &length) && strlen(text) == length && utf8_is_valid(text, length);
}

static int
find_name(const char *const *names, const char *name)
{
	for (int i = 0; names != NULL && names[i] != NULL; i++) {
		if (strcmp(names[i], name) == 0)
			return i;
	}
	return -1;
}

static void
read_pair(char *name, char *value, const char *const *names, const char **values, query_fault_callback *tell, void *context)
{
	if (!decode(name) || !decode(value)) {
		tell(context, QUERY_ENCODING, "");
		return;
	}
	const int index = find_name(names, name);
	if (index < 0)
		tell(context, QUERY_UNKNOWN, name);
	else if (values[index] != NULL)
		tell(context, QUERY_TWICE, name);
	else
		values[index] = value;
}

void
query_string_read(char *text, const char *const *names, const char **values, query_fault_callback *tell, void *context)
{
	for (char *pair; (pair = strsep(&text, "&")) != NULL;) {
		if (*pair == '\0')
			continue;
		char *equals = strchr(pair, '=');
		char *value = equals != NULL ? equals + 1 : pair + strlen(pair);
		if (equals != NULL)
			*equals = '\0';
		read_pair(pair, value, names, values, tell, context);
	}
}

/* ---- Cookies. */

const char *
cookie_find(const char *header, const char *name, size_t *length)
{
	const size_t name_length = strlen(name);

	while (*header != '\0') {
		header += strspn(header, " ;");
		const size_t here = strcspn(header, ";");
		if (here > name_length && strncmp(header, name, name_length) == 0 && header[name_length] == '=') {
			*length = here - name_length - 1;
			return header + name_length + 1;
		}
		header += here;
	}
	return NULL;
}

/* ---- Cursors. */

static size_t
plain_length(const char *text)
{
	return strlen(text) * 3 / 4;
}

bool
cursor_fits(const char *text)
{
	const size_t length = plain_length(text);

	return length >= UUID_TEXT_SIZE && length <= CURSOR_BYTES_MAX;
}

const char *
cursor_read(const char *text, char prefix, char *plain, char id[UUID_TEXT_SIZE])
{
	const size_t length = plain_length(text);
	struct uuid parsed;

	if (!cursor_fits(text) || !base64url_decode(text, (uint8_t *)plain, length))
		return NULL;
	plain[length] = '\0';
	if (plain[0] != prefix || strlen(plain) != length || !utf8_is_valid(plain, length))
		return NULL;
	memcpy(id, plain + 1, UUID_TEXT_SIZE - 1);
	id[UUID_TEXT_SIZE - 1] = '\0';
	return uuid_parse(id, &parsed) ? plain + UUID_TEXT_SIZE : NULL;
}
