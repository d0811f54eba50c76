/*
 * fuzz_bounce: whatever somebody sends to the address of bounces, it is read or refused, and
 * what was read can be shown to anybody.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bounce.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct bounce *bounce)
{
	struct uuid id;

	assert(uuid_parse(bounce->mail_id, &id));
	assert(bounce->action == BOUNCE_FAILED || bounce->action == BOUNCE_DELAYED || bounce->action == BOUNCE_ARRIVED);
	assert(strspn(bounce->status, "0123456789.") == strlen(bounce->status) && strlen(bounce->status) <= 11);
	assert(bounce->diagnostic[0] != '\0' && strlen(bounce->diagnostic) < sizeof bounce->diagnostic);
	assert(utf8_is_valid(bounce->diagnostic, strlen(bounce->diagnostic)));
	for (const char *c = bounce->diagnostic; *c != '\0'; c++)
		assert((unsigned char)*c >= ' ' && *c != 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* As long as it is, so that a byte too far is seen. */
	char *text = malloc(size > 0 ? size : 1);
	struct bounce bounce;
	const char *fault;

	memcpy(text, data, size);
	fault = bounce_read(text, size, &bounce);
	if (fault == NULL)
		check(&bounce);
	else
		assert(fault[0] != '\0');
	free(text);
	return 0;
}
