/*
 * token: what proves who is asking.
 *
 * A link's token is computed, not stored (DESIGN.md §2.4):
 *
 *     base64url(version 1 | purpose 1 | channel 1 | org 16 | subject 16 |
 *               generation 4 | HMAC-SHA256 of all before it 32)
 *
 * under a key derived by HKDF from the master secret, one per purpose. Server
 * and worker both compute it: no secret lies in the outbox, a retry carries the
 * same link, and a forged one is refused without touching the database.
 *
 * Session tokens and API keys are random, with the organization's id in front;
 * only their SHA-256 is stored.
 */
#ifndef ROLLCALL_TOKEN_H
#define ROLLCALL_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uuid.h"

#define LINK_TOKEN_SIZE 96	/* with the closing NUL */
#define BEARER_TOKEN_SIZE 80
#define TOKEN_HASH_SIZE 65	/* SHA-256 as hex, with the closing NUL */
#define SECRETS_MAX 8

enum link_purpose {
	LINK_INVITATION = 1,
	LINK_PASSWORD_RESET = 2,
	LINK_EMAIL_CHANGE = 3,
};

/* To whom the link was issued. */
enum link_channel {
	CHANNEL_USER = 1,
	CHANNEL_ADMINISTRATOR = 2,
};

enum bearer_kind { BEARER_SESSION, BEARER_API_KEY, BEARER_OPERATOR_KEY };

/* Keys derived from ROLLCALL_SECRET: the first makes, all verify. */
struct keyring;

/* `secrets` as in ROLLCALL_SECRET (comma-separated; base64:, hex:, or 64 hex
 * digits). NULL, with `*error` naming what is wrong (static text), otherwise. */
struct keyring *keyring_create(const char *secrets, const char **error);
void keyring_free(struct keyring **keyring);

struct link {
	enum link_purpose purpose;
	enum link_channel channel;
	struct uuid org_id;
	struct uuid subject_id;
	uint32_t generation;
};

void link_token_make(const struct keyring *keyring, const struct link *link,
	char token[LINK_TOKEN_SIZE]);
/* False for anything that this deployment did not issue for this purpose. */
bool link_token_verify(const struct keyring *keyring, enum link_purpose purpose,
	const char *token, struct link *link) __attribute__((warn_unused_result));

/* "rcs_" (session), "rck_" (API key) or "rco_" (operator's key), then base64url(owner 16 |
 * random 32). The owner is the organization; of an operator's key the key itself. */
void bearer_token_make(enum bearer_kind kind, const struct uuid *owner_id,
	char token[BEARER_TOKEN_SIZE]);
/* Reads kind and owner out of a well-formed token; proves nothing. */
bool bearer_token_parse(const char *token, enum bearer_kind *kind, struct uuid *owner_id)
	__attribute__((warn_unused_result));
/* Its last four characters, of 64 that are random: enough to tell keys apart, and no help to
 * who would guess one. */
const char *bearer_token_hint(const char *token);
/* SHA-256 as lower-case hex: what is stored and looked up. */
void token_hash(const char *token, char hash[TOKEN_HASH_SIZE]);
/* The same of any bytes. */
void bytes_hash(const void *bytes, size_t length, char hash[TOKEN_HASH_SIZE]);
/* HMAC of the hash of a request: what is kept with its Idempotency-Key, for its body may hold a
 * password that can be guessed. The first secret makes, all verify. */
void request_digest(const struct keyring *keyring, const char *hash, char digest[TOKEN_HASH_SIZE]);
bool request_digest_verify(const struct keyring *keyring, const char *hash, const char *digest)
	__attribute__((warn_unused_result));
/* HMAC of an organization and a login name, folded to lower case: the key of
 * login_throttle, so that the table holds no names. Uses the first secret. */
void login_digest(const struct keyring *keyring, const struct uuid *org_id,
	const char *login, char digest[TOKEN_HASH_SIZE]);

#endif
