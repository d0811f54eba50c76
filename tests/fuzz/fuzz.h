/*
 * fuzz: what all fuzzers share. A claim that does not hold is a crash.
 */
#ifndef ROLLCALL_FUZZ_H
#define ROLLCALL_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static inline void
must(bool claim)
{
	if (!claim)
		abort();
}

/* The bytes as a text of their own, ended by a NUL (and by the first one in them); to be freed. */
static inline char *
text_of(const uint8_t *bytes, size_t length)
{
	char *text = malloc(length + 1);

	must(text != NULL);
	memcpy(text, bytes, length);
	text[length] = '\0';
	return text;
}

#endif
