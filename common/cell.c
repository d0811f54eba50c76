/*
 * What a formula begins with.
 *
 * Blanks do not count: some programs drop them. Neither do apostrophes, or one that was in
 * a text before ours could not be told from ours afterwards.
 */
#include "cell.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "buffer.h"

static bool
begins_with(const char *text, const char *beginning)
{
	return strncmp(text, beginning, strlen(beginning)) == 0;
}

static bool
looks_like_formula(const char *text)
{
	/* The full-width ones, too: spreadsheets of East Asia take them for the same. */
	static const char *const beginnings[] = { "=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠" };
	static const char *const passed_over[] = { " ", "'", "\xc2\xa0", "\xe3\x80\x80" };
	const char *before;

	do {
		before = text;
		for (size_t i = 0; i < sizeof(passed_over) / sizeof(passed_over[0]); i++)
			text += begins_with(text, passed_over[i]) ? strlen(passed_over[i]) : 0;
	} while (text != before);
	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
		if (begins_with(text, beginnings[i]))
			return true;
	}
	return false;
}

void
cell_neutralise(struct buffer *out, const char *text)
{
	if (looks_like_formula(text))
		buffer_putc(out, '\'');
	buffer_puts(out, text);
}

const char *
cell_restore(const char *text)
{
	return *text == '\'' && looks_like_formula(text + 1) ? text + 1 : text;
}
