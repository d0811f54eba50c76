/*
 * entity_tag: what If-Match and If-None-Match name (RFC 9110 §8.8.3, §13.1).
 *
 * Pure. A list of tags is kept as their opaque parts with blanks between, which no tag holds; so one
 * version as text is such a list, too.
 */
#ifndef ROLLCALL_ENTITY_TAG_H
#define ROLLCALL_ENTITY_TAG_H

#include <stdbool.h>

/* The tags of a header that can be ours, versions and hashes, or "*", in `tags`, which has room for
 * strlen(header) + 1. Weak ones are left out, as the strong comparison wants it, unless `weak`.
 * False: it is no list of entity tags; or, unless `weak`, none of them can be ours. */
bool entity_tags_read(const char *header, bool weak, char *tags);

/* Whether the tag of what is there is among them; NULL: nothing is there, and that is nothing that
 * could be named, not even by "*". */
bool entity_tags_hold(const char *tags, const char *tag);

#endif
