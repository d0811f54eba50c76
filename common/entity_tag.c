/*
 * Lists of entity tags: see entity_tag.h.
 */
#include "entity_tag.h"

#include <string.h>

#define ENTITY_TAG_MAX 64	/* a SHA-256 */

/* A version, or a hash in hexadecimal digits. */
static bool
can_be_ours(const char *opaque, size_t length)
{
	return length > 0 && length <= ENTITY_TAG_MAX && strspn(opaque, "0123456789abcdef") >= length;
}

/* One entity tag, with its W/ and its quotes: where it ends, or NULL. */
static const char *
read_tag(const char *text, bool weak, char **out)
{
	const bool is_weak = strncmp(text, "W/", 2) == 0;
	const char *opaque = is_weak ? text + 2 : text;

	if (*opaque++ != '"')
		return NULL;
	const size_t length = strcspn(opaque, "\" \t");
	if (opaque[length] != '"')
		return NULL;
	if (can_be_ours(opaque, length) && (weak || !is_weak)) {
		memcpy(*out, opaque, length);
		*out += length;
		*(*out)++ = ' ';
	}
	return opaque + length + 1;
}

bool
entity_tags_read(const char *header, bool weak, char *tags)
{
	char *end = tags;

	if (strcmp(header, "*") == 0) {
		strcpy(tags, header);
		return true;
	}
	/* Empty elements of a list are nothing (RFC 9110 §5.6.1). */
	for (const char *at = header + strspn(header, ", \t"); *at != '\0';) {
		at = read_tag(at, weak, &end);
		if (at == NULL)
			return false;
		const size_t blanks = strspn(at, " \t");
		if (at[blanks] != '\0' && at[blanks] != ',')
			return false;
		at += strspn(at, ", \t");
	}
	/* That something must be one of no tags of ours holds for nothing, but that it must not be says nothing. */
	if (end == tags && !weak)
		return false;
	end[end > tags ? -1 : 0] = '\0';
	return true;
}

bool
entity_tags_hold(const char *tags, const char *tag)
{
	const size_t length = tag != NULL ? strlen(tag) : 0;

	if (tag == NULL || strcmp(tags, "*") == 0)
		return tag != NULL;
	for (const char *at = tags; *at != '\0'; at += strspn(at, " ")) {
		const size_t here = strcspn(at, " ");
		if (here == length && strncmp(at, tag, length) == 0)
			return true;
		at += here;
	}
	return false;
}
