/*
 * Reads Accept-Language: ranges like uk-UA, each with a weight of at most three digits.
 * A range that is malformed is passed over; nobody is refused for the language he wants.
 */
#include "language.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static const char *const languages[] = { "en", "uk", "ru" };

/* In thousandths; without one it is 1. -1: malformed. */
static int
read_weight(const char *text, size_t length)
{
	int weight = 0, scale = 1000;

	if (length == 0)
		return 1000;
	if (length < 3 || length > 7 || strncasecmp(text, "q=", 2) != 0)
		return -1;
	for (size_t at = 2; at < length; at++) {
		if (at == 3) {
			if (text[at] != '.')
				return -1;
			continue;
		}
		if (text[at] < '0' || text[at] > '9')
			return -1;
		weight += (text[at] - '0') * scale;
		scale /= 10;
	}
	return weight <= 1000 ? weight : -1;
}

static const char *
find_language(const char *range, size_t length)
{
	const size_t primary = strcspn(range, "-;, \t") < length ? strcspn(range, "-;, \t") : length;

	for (size_t at = 0; at < sizeof(languages) / sizeof(languages[0]); at++) {
		if (primary == 2 && strncasecmp(range, languages[at], 2) == 0)
			return languages[at];
	}
	return NULL;
}

const char *
language_accepted(const char *header)
{
	const char *best = NULL;
	int best_weight = 0;

	while (header != NULL && *header != '\0') {
		header += strspn(header, ", \t");
		const size_t length = strcspn(header, ",");
		const char *semicolon = memchr(header, ';', length);
		const char *weight_text = semicolon != NULL ? semicolon + 1 : header + length;
		size_t weight_length = (size_t)(header + length - weight_text);
		const char *language = find_language(header, length);

		while (weight_length > 0 && strchr(" \t", *weight_text) != NULL) {
			weight_text++;
			weight_length--;
		}
		while (weight_length > 0 && strchr(" \t", weight_text[weight_length - 1]) != NULL)
			weight_length--;
		const int weight = read_weight(weight_text, weight_length);
		if (language != NULL && weight > best_weight) {
			best = language;
			best_weight = weight;
		}
		header += length;
	}
	return best;
}
