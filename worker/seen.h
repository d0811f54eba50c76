/*
 * seen: which texts have come before, and where first.
 */
#ifndef ROLLCALL_SEEN_H
#define ROLLCALL_SEEN_H

#include <stdint.h>

struct arena;
struct seen;

/* Texts are kept in the arena. */
struct seen *seen_create(struct arena *arena);
/* The number that came with this text first; 0: it comes for the first time now, with `number`
 * (1 or more). */
uint32_t seen_add(struct seen *seen, const char *text, uint32_t number);
/* The number that came with it; 0: it has not come yet. */
uint32_t seen_find(const struct seen *seen, const char *text);
void seen_free(struct seen **seen);

#endif
