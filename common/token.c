/*
 * token: links that are computed, bearers that are random, and their keys.
 *
 * Always true: each secret yields a key of its own for each use (HKDF-SHA256,
 * RFC 5869), so a link of one purpose never passes for another; keys are
 * compared with in constant time and wiped when the ring goes; the secrets
 * themselves are not kept.
 *
 * Whether a link's generation is still the current one, and whether a bearer's
 * hash is stored, is left to the database.
 */
#include "token.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "encode.h"
#include "memory.h"
#include "text.h"

#define LINK_VERSION 1
#define SECRET_BYTES_MIN ((size_t)32)
#define SECRET_BYTES_MAX ((size_t)1024)
#define KEY_BYTES 32
#define MAC_BYTES 32

/* A link's bytes; the MAC covers all before it. */
enum {
	AT_VERSION = 0,
	AT_PURPOSE = 1,
	AT_CHANNEL = 2,
	AT_ORG = 3,
	AT_SUBJECT = 19,
	AT_GENERATION = 35,
	AT_MAC = 39,
	LINK_BYTES = AT_MAC + MAC_BYTES,
};
_Static_assert(BASE64URL_SIZE(LINK_BYTES) == LINK_TOKEN_SIZE, "a link's token fits exactly");

#define BEARER_PREFIX_LENGTH 4
#define BEARER_BYTES (16 + 32)
_Static_assert(BEARER_PREFIX_LENGTH + BASE64URL_SIZE(BEARER_BYTES) <= BEARER_TOKEN_SIZE,
	"a bearer token fits");

enum key_use { KEY_INVITATION, KEY_PASSWORD_RESET, KEY_EMAIL_CHANGE, KEY_LOGIN, KEY_REQUEST, KEY_USES };

/* HKDF's info. Changing a word here kills every link that was mailed. */
static const char *const key_labels[KEY_USES] = {
	[KEY_INVITATION] = "rollcall link invitation",
	[KEY_PASSWORD_RESET] = "rollcall link password reset",
	[KEY_EMAIL_CHANGE] = "rollcall link e-mail change",
	[KEY_LOGIN] = "rollcall login throttle",
	[KEY_REQUEST] = "rollcall idempotent request",
};

struct keyring {
	size_t count;	/* of secrets; at least 1 */
	uint8_t keys[SECRETS_MAX][KEY_USES][KEY_BYTES];
};

/* ---- Keys ---- */

static void
derive_key(const uint8_t *secret, size_t length, const char *label, uint8_t key[KEY_BYTES])
{
	/* OpenSSL reads these, though its parameters are not const. */
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)"SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret, length),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)label,
			strlen(label)),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);

	/* Nothing here depends on input: it fails for want of memory only. */
	if (context == NULL || EVP_KDF_derive(context, key, KEY_BYTES, params) != 1)
		abort();
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
}

/* The bytes that one secret stands for, or 0 and what is wrong. */
static size_t
decode_secret(const char *text, uint8_t bytes[SECRET_BYTES_MAX], const char **error)
{
	size_t length = 0;
	long decoded;

	if (strncmp(text, "base64:", 7) == 0) {
		*error = "holds a secret that is not valid base64, or longer than 1024 bytes";
		decoded = base64_decode(text + 7, bytes, SECRET_BYTES_MAX);
		if (decoded < 0)
			return 0;
		length = (size_t)decoded;
	} else {
		bool is_marked = strncmp(text, "hex:", 4) == 0;

		*error = is_marked ? "holds a secret that is not valid hex, or longer than 1024 bytes" :
			"holds a secret that is not base64:, hex: or 64 hex digits";
		length = strlen(is_marked ? text + 4 : text) / 2;
		if ((!is_marked && length != 32) || length > SECRET_BYTES_MAX ||
		    !hex_decode(is_marked ? text + 4 : text, bytes, length))
			return 0;
	}
	*error = "holds a secret of less than 32 bytes";
	return length >= SECRET_BYTES_MIN ? length : 0;
}

static bool
keyring_add(struct keyring *keyring, const char *text, const char **error)
{
	uint8_t bytes[SECRET_BYTES_MAX];
	size_t length;

	if (keyring->count == SECRETS_MAX) {
		*error = "holds more than 8 secrets";
		return false;
	}
	length = decode_secret(text, bytes, error);
	if (length > 0) {
		for (int use = 0; use < KEY_USES; use++)
			derive_key(bytes, length, key_labels[use], keyring->keys[keyring->count][use]);
		keyring->count++;
	}
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return length > 0;
}

/* People write "new, old", and files end in a newline. */
static char *
trim(char *text)
{
	static const char blanks[] = " \t\r\n";
	size_t length;

	text += strspn(text, blanks);
	length = strlen(text);
	while (length > 0 && strchr(blanks, text[length - 1]) != NULL)
		text[--length] = '\0';
	return text;
}

struct keyring *
keyring_create(const char *secrets, const char **error)
{
	struct keyring *keyring = xcalloc(1, sizeof(*keyring));
	char *copy = xstrdup(secrets), *rest = copy, *text;
	size_t size = strlen(secrets);

	*error = NULL;
	while (*error == NULL && (text = strsep(&rest, ",")) != NULL) {
		text = trim(text);
		if (*text == '\0')
			*error = size == 0 ? "is empty" : "holds an empty secret";
		else if (keyring_add(keyring, text, error))
			*error = NULL;
	}
	OPENSSL_cleanse(copy, size);
	free(copy);
	if (*error != NULL)
		keyring_free(&keyring);
	return keyring;
}

void
keyring_free(struct keyring **keyring)
{
	if (*keyring == NULL)
		return;
	OPENSSL_cleanse(*keyring, sizeof(**keyring));
	free(*keyring);
	*keyring = NULL;
}

static void
mac(const uint8_t key[KEY_BYTES], const void *bytes, size_t length, uint8_t out[MAC_BYTES])
{
	unsigned written = 0;

	if (HMAC(EVP_sha256(), key, KEY_BYTES, bytes, length, out, &written) == NULL)
		abort();
	assert(written == MAC_BYTES);
}

/* ---- Links ---- */

static enum key_use
key_of_purpose(enum link_purpose purpose)
{
	switch (purpose) {
	case LINK_INVITATION:
		return KEY_INVITATION;
	case LINK_PASSWORD_RESET:
		return KEY_PASSWORD_RESET;
	case LINK_EMAIL_CHANGE:
		return KEY_EMAIL_CHANGE;
	}
	abort();
}

void
link_token_make(const struct keyring *keyring, const struct link *link,
	char token[LINK_TOKEN_SIZE])
{
	const uint8_t *key = keyring->keys[0][key_of_purpose(link->purpose)];
	uint8_t bytes[LINK_BYTES];

	bytes[AT_VERSION] = LINK_VERSION;
	bytes[AT_PURPOSE] = (uint8_t)link->purpose;
	bytes[AT_CHANNEL] = (uint8_t)link->channel;
	memcpy(bytes + AT_ORG, link->org_id.bytes, 16);
	memcpy(bytes + AT_SUBJECT, link->subject_id.bytes, 16);
	for (int i = 0; i < 4; i++)
		bytes[AT_GENERATION + i] = (uint8_t)(link->generation >> (24 - 8 * i));
	mac(key, bytes, AT_MAC, bytes + AT_MAC);
	base64url_encode(bytes, sizeof(bytes), token);
	OPENSSL_cleanse(bytes, sizeof(bytes));
}

static bool
has_our_mac(const struct keyring *keyring, enum key_use use, const uint8_t bytes[LINK_BYTES])
{
	uint8_t expected[MAC_BYTES];
	bool is_ours = false;

	for (size_t i = 0; i < keyring->count && !is_ours; i++) {
		mac(keyring->keys[i][use], bytes, AT_MAC, expected);
		is_ours = CRYPTO_memcmp(expected, bytes + AT_MAC, MAC_BYTES) == 0;
	}
	OPENSSL_cleanse(expected, sizeof(expected));
	return is_ours;
}

bool
link_token_verify(const struct keyring *keyring, enum link_purpose purpose,
	const char *token, struct link *link)
{
	uint8_t bytes[LINK_BYTES];

	if (!base64url_decode(token, bytes, sizeof(bytes)) ||
	    bytes[AT_VERSION] != LINK_VERSION || bytes[AT_PURPOSE] != purpose ||
	    (bytes[AT_CHANNEL] != CHANNEL_USER && bytes[AT_CHANNEL] != CHANNEL_ADMINISTRATOR) ||
	    !has_our_mac(keyring, key_of_purpose(purpose), bytes))
		return false;
	link->purpose = purpose;
	link->channel = (enum link_channel)bytes[AT_CHANNEL];
	memcpy(link->org_id.bytes, bytes + AT_ORG, 16);
	memcpy(link->subject_id.bytes, bytes + AT_SUBJECT, 16);
	link->generation = 0;
	for (int i = 0; i < 4; i++)
		link->generation = link->generation << 8 | bytes[AT_GENERATION + i];
	return true;
}

/* ---- Bearers ---- */

static const char bearer_prefixes[][BEARER_PREFIX_LENGTH + 1] = {
	[BEARER_SESSION] = "rcs_",
	[BEARER_API_KEY] = "rck_",
	[BEARER_OPERATOR_KEY] = "rco_",
};

void
bearer_token_make(enum bearer_kind kind, const struct uuid *owner_id, char token[BEARER_TOKEN_SIZE])
{
	uint8_t bytes[BEARER_BYTES];

	memcpy(bytes, owner_id->bytes, 16);
	if (getentropy(bytes + 16, sizeof(bytes) - 16) != 0)
		abort();
	memcpy(token, bearer_prefixes[kind], BEARER_PREFIX_LENGTH);
	base64url_encode(bytes, sizeof(bytes), token + BEARER_PREFIX_LENGTH);
	OPENSSL_cleanse(bytes, sizeof(bytes));
}

bool
bearer_token_parse(const char *token, enum bearer_kind *kind, struct uuid *owner_id)
{
	const size_t kinds = sizeof(bearer_prefixes) / sizeof(bearer_prefixes[0]);
	uint8_t bytes[BEARER_BYTES];
	size_t i = 0;

	while (i < kinds && strncmp(token, bearer_prefixes[i], BEARER_PREFIX_LENGTH) != 0)
		i++;
	if (i == kinds || !base64url_decode(token + BEARER_PREFIX_LENGTH, bytes, sizeof(bytes)))
		return false;
	*kind = (enum bearer_kind)i;
	memcpy(owner_id->bytes, bytes, 16);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return true;
}

const char *
bearer_token_hint(const char *token)
{
	const size_t length = strlen(token);

	return length > 4 ? token + length - 4 : token;
}

/* ---- Digests ---- */

void
bytes_hash(const void *bytes, size_t length, char hash[TOKEN_HASH_SIZE])
{
	uint8_t binary[SHA256_DIGEST_LENGTH];

	if (SHA256(bytes, length, binary) == NULL)
		abort();
	hex_encode(binary, sizeof(binary), hash);
}

void
token_hash(const char *token, char hash[TOKEN_HASH_SIZE])
{
	bytes_hash(token, strlen(token), hash);
}

static void
digest_request(const struct keyring *keyring, size_t which, const char *hash, char digest[TOKEN_HASH_SIZE])
{
	uint8_t bytes[MAC_BYTES];

	mac(keyring->keys[which][KEY_REQUEST], hash, strlen(hash), bytes);
	hex_encode(bytes, sizeof(bytes), digest);
}

void
request_digest(const struct keyring *keyring, const char *hash, char digest[TOKEN_HASH_SIZE])
{
	digest_request(keyring, 0, hash, digest);
}

bool
request_digest_verify(const struct keyring *keyring, const char *hash, const char *digest)
{
	char expected[TOKEN_HASH_SIZE];

	for (size_t i = 0; i < keyring->count; i++) {
		digest_request(keyring, i, hash, expected);
		if (strcmp(expected, digest) == 0)
			return true;
	}
	return false;
}

void
login_digest(const struct keyring *keyring, const struct uuid *org_id, const char *login,
	char digest[TOKEN_HASH_SIZE])
{
	struct buffer input = BUFFER_INIT;
	uint8_t bytes[MAC_BYTES];

	buffer_append(&input, (const char *)org_id->bytes, 16);
	text_lower(&input, login);
	mac(keyring->keys[0][KEY_LOGIN], input.data, input.length, bytes);
	hex_encode(bytes, sizeof(bytes), digest);
	buffer_free(&input);
}
