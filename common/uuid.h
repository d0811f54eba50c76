/*
 * uuid: the ids of everything. UUIDv7 (RFC 9562 §5.7), made in C: they sort by
 * the time of their making, so an index on them grows at its end.
 */
#ifndef ROLLCALL_UUID_H
#define ROLLCALL_UUID_H

#include <stdbool.h>
#include <stdint.h>

#define UUID_TEXT_SIZE 37

struct uuid {
	uint8_t bytes[16];
};

/* A new id; ids of one process never repeat and never go backwards. Safe in
 * threads and after fork. */
struct uuid uuid_make(void);
/* The smallest id of a moment (of the nearest one that ids can carry): bounds of a
 * range of ids by time. */
struct uuid uuid_at(int64_t unix_ms);
/* Canonical 8-4-4-4-12 hex, either case. */
bool uuid_parse(const char *text, struct uuid *uuid) __attribute__((warn_unused_result));
void uuid_format(const struct uuid *uuid, char text[UUID_TEXT_SIZE]);
/* Makes an id and writes it as text, which most callers want. */
void uuid_make_text(char text[UUID_TEXT_SIZE]);
bool uuid_equal(const struct uuid *a, const struct uuid *b);
/* Where the id stands among these; -1: nowhere. */
int uuid_find(const struct uuid *ids, int count, const struct uuid *id);

#endif
