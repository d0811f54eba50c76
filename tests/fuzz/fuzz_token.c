/*
 * Fuzzes common/token.c (libFuzzer; `make fuzz-token`): what comes as a link's token or a credential.
 *
 * Nothing passes as a link but what the same secret makes of what was read out of it.
 */
#include "fuzz.h"
#include "token.h"

#define SECRET "hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const struct keyring *
the_keyring(void)
{
	static struct keyring *keyring;
	const char *error;

	if (keyring == NULL)
		keyring = keyring_create(SECRET, &error);
	must(keyring != NULL);
	return keyring;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static const enum link_purpose purposes[] = { LINK_INVITATION, LINK_PASSWORD_RESET, LINK_EMAIL_CHANGE };
	char *text = text_of(bytes, length), made[LINK_TOKEN_SIZE];
	enum bearer_kind kind;
	struct uuid owner;
	struct link link;

	for (size_t i = 0; i < sizeof(purposes) / sizeof(purposes[0]); i++) {
		if (!link_token_verify(the_keyring(), purposes[i], text, &link))
			continue;
		link_token_make(the_keyring(), &link, made);
		must(link.purpose == purposes[i] && strcmp(made, text) == 0);
	}
	if (bearer_token_parse(text, &kind, &owner))
		must(strlen(text) < BEARER_TOKEN_SIZE && strncmp(text, "rc", 2) == 0);
	free(text);
	return 0;
}
