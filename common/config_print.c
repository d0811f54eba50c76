/*
 * config_print: the configuration as an operator wants to see it, without secrets;
 * and variables that are almost, but not quite, ours.
 *
 * Masking keeps the form of a value, so that the rest of it can be checked by eye.
 * Where it is not certain that the password alone was covered, all of it is.
 */
#include "config.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "config_priv.h"
#include "log.h"

#define MASK "****"
#define NAME_LIMIT 64
#define TYPO_DISTANCE 3		/* more is another word, not a slip */

/* Copies up to the colon before the password, and goes on at the @ behind it. */
static void
mask_authority(struct buffer *out, const char *text)
{
	const char *authority = strstr(text, "://");
	const char *colon = NULL, *at = NULL;

	for (const char *c = authority ? authority + 3 : ""; *c && *c != '/' && *c != '?'; c++) {
		if (*c == ':' && !colon)
			colon = c;
		if (*c == '@')
			at = c;
	}
	if (!colon || !at || at < colon) {
		buffer_puts(out, text);
		return;
	}
	buffer_append(out, text, (size_t)(colon - text) + 1);
	buffer_puts(out, MASK);
	buffer_puts(out, at);
}

static bool
names_a_password(const char *name, size_t length)
{
	static const char word[] = "password";	/* password, sslpassword */

	return length >= strlen(word) && strncmp(name + length - strlen(word), word, strlen(word)) == 0;
}

/* The options behind the ? of a URI: name=value&name=value. */
static void
mask_options(struct buffer *out, const char *options)
{
	while (*options) {
		size_t length = strcspn(options, "&");
		size_t name = strcspn(options, "=&");

		if (name < length && names_a_password(options, name)) {
			buffer_append(out, options, name + 1);
			buffer_puts(out, MASK);
		} else {
			buffer_append(out, options, length);
		}
		options += length;
		if (*options == '&')
			buffer_putc(out, *options++);
	}
}

static void
mask_uri(struct buffer *out, const char *text)
{
	struct buffer masked = BUFFER_INIT;
	const char *options;

	mask_authority(&masked, text);
	options = strchr(buffer_text(&masked), '?');
	if (options) {
		buffer_append(out, buffer_text(&masked), (size_t)(options - buffer_text(&masked)) + 1);
		mask_options(out, options + 1);
	} else {
		buffer_puts(out, buffer_text(&masked));
	}
	buffer_free_secret(&masked);
}

/* Where the value ends that begins here: quoted, or up to a blank; backslashes
 * protect what follows them (libpq's rules for name = value). */
static const char *
end_of_value(const char *value)
{
	bool is_quoted = *value == '\'';

	for (value += is_quoted; *value; value++) {
		if (*value == '\\' && value[1])
			value++;
		else if (is_quoted ? *value == '\'' : *value == ' ')
			return value + is_quoted;
	}
	return value;
}

static void
mask_pairs(struct buffer *out, const char *text)
{
	static const char blanks[] = " ";

	while (*text) {
		size_t before = strspn(text, blanks);
		size_t name = strcspn(text + before, " =");
		const char *value = text + before + name;
		const char *end;

		value += strspn(value, blanks);
		value += *value == '=';
		value += strspn(value, blanks);
		end = end_of_value(value);
		if (names_a_password(text + before, name)) {
			buffer_append(out, text, (size_t)(value - text));
			buffer_puts(out, MASK);
		} else {
			buffer_append(out, text, (size_t)(end - text));
		}
		text = end;
	}
}

/* Whether libpq reads the masked text as the same connection with a masked password. */
static bool
is_well_masked(const char *text, const char *masked)
{
	PQconninfoOption *was = PQconninfoParse(text, NULL);
	PQconninfoOption *is = PQconninfoParse(masked, NULL);
	bool same = was && is;

	for (int i = 0; same && was[i].keyword; i++) {
		const char *expected = was[i].val;

		if (expected && names_a_password(was[i].keyword, strlen(was[i].keyword)))
			expected = MASK;
		same = expected && is[i].val ? strcmp(expected, is[i].val) == 0 : expected == is[i].val;
	}
	PQconninfoFree(was);
	PQconninfoFree(is);
	return same;
}

static void
mask_database_url(struct buffer *out, const char *text)
{
	struct buffer masked = BUFFER_INIT;

	if (strncmp(text, "postgres://", 11) == 0 || strncmp(text, "postgresql://", 13) == 0)
		mask_uri(&masked, text);
	else
		mask_pairs(&masked, text);
	buffer_puts(out, is_well_masked(text, buffer_text(&masked)) ? buffer_text(&masked) : MASK);
	buffer_free_secret(&masked);
}

/* What stands behind the equals sign; only values without a fault are taken apart. */
static void
write_value(struct buffer *out, const struct variable *variable, const struct setting *setting)
{
	if (!setting->text)
		return;
	if (variable->mask == SHOWN) {
		/* A value with line ends is a fault, but is shown all the same. */
		for (const char *c = setting->text; *c; c++)
			buffer_putc(out, (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c);
	} else if (setting->fault[0] != '\0' || variable->mask == SECRET) {
		buffer_puts(out, MASK);
	} else if (variable->mask == DATABASE_URL) {
		mask_database_url(out, setting->text);
	} else {
		mask_authority(out, setting->text);
	}
}

static void
write_origin(struct buffer *out, const struct setting *setting)
{
	if (setting->origin == ORIGIN_ENVIRONMENT)
		buffer_puts(out, "environment");
	else if (setting->origin == ORIGIN_FILE)
		buffer_printf(out, "file %s", setting->path);
	else
		buffer_puts(out, "default");
}

bool
config_print(enum config_program program, FILE *out)
{
	struct reading reading = config_read(program);
	bool ok = reading.fault_count == 0;

	config_warn_of_unknown();
	for (int i = 0; i < config_variable_count; i++) {
		const struct variable *variable = &config_variables[i];
		const struct setting *setting = &reading.settings[i];
		struct buffer line = BUFFER_INIT;

		buffer_printf(&line, "%s=", variable->name);
		write_value(&line, variable, setting);
		buffer_puts(&line, "  # ");
		write_origin(&line, setting);
		if (setting->fault[0] != '\0')
			buffer_printf(&line, "; WRONG: %s (expected: %s)", setting->fault, variable->expected);
		fprintf(out, "%s\n", buffer_text(&line));
		buffer_free_secret(&line);
	}
	config_reading_free(&reading);
	return ok;
}

static int
least_of(int a, int b, int c)
{
	int least = a < b ? a : b;

	return least < c ? least : c;
}

/* Levenshtein: single characters to insert, drop or replace. */
static int
edit_distance(const char *a, const char *b)
{
	int row[NAME_LIMIT + 1];
	int width = (int)strlen(b);

	for (int j = 0; j <= width; j++)
		row[j] = j;
	for (int i = 1; a[i - 1]; i++) {
		int diagonal = row[0];

		row[0] = i;
		for (int j = 1; j <= width; j++) {
			int replaced = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = least_of(replaced, row[j] + 1, row[j - 1] + 1);
		}
	}
	return row[width];
}

/* The variable that was probably meant; NULL when nothing is near. */
static const char *
nearest_variable(const char *name, int *distance)
{
	const char *nearest = NULL;

	*distance = TYPO_DISTANCE + 1;
	for (int i = 0; i < config_variable_count; i++) {
		int this = edit_distance(name, config_variables[i].name);

		if (this < *distance) {
			*distance = this;
			nearest = config_variables[i].name;
		}
	}
	return nearest;
}

void
config_warn_of_unknown(void)
{
	static const char suffix[] = "_FILE";

	for (char **entry = environ; *entry; entry++) {
		size_t length = strcspn(*entry, "=");
		char name[NAME_LIMIT + 1], message[NAME_LIMIT + 32];
		const char *nearest;
		int distance;

		if (strncmp(*entry, "ROLLCALL_", 9) != 0 || length > NAME_LIMIT)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)length, *entry);
		snprintf(message, sizeof(message), "unknown variable %s", name);
		/* NAME_FILE stands for NAME, unless it is a name of its own. */
		(void)nearest_variable(name, &distance);
		if (distance > 0 && length > strlen(suffix) && strcmp(name + length - strlen(suffix), suffix) == 0)
			name[length - strlen(suffix)] = '\0';
		nearest = nearest_variable(name, &distance);
		if (!nearest || distance > 0)
			log_warn(message, "did_you_mean", nearest, NULL);
	}
}
