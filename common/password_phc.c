/*
 * password_phc: a strict parser, and one function for each way to compute.
 *
 * The parser accepts one spelling of each hash: parameters in their order, without
 * leading zeros, base64 without padding. What it leaves in struct phc may be
 * handed to phc_compute without another look.
 */
#include "password_phc.h"

#include <argon2.h>
#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdio.h>
#include <string.h>

#include "encode.h"

/* What is left of the text while it is read. */
struct cursor {
	const char *at;
	bool failed;	/* sticky */
};

static bool
skip(struct cursor *cursor, const char *expected)
{
	size_t length = strlen(expected);

	if (cursor->failed || strncmp(cursor->at, expected, length) != 0)
		return false;
	cursor->at += length;
	return true;
}

static void
expect(struct cursor *cursor, const char *expected)
{
	if (!skip(cursor, expected))
		cursor->failed = true;
}

/* Decimal, at most 9 digits, no leading zero. */
static uint32_t
read_number(struct cursor *cursor)
{
	size_t digits = strspn(cursor->at, "0123456789");
	uint32_t value = 0;

	if (digits == 0 || digits > 9 || (digits > 1 && *cursor->at == '0'))
		cursor->failed = true;
	if (cursor->failed)
		return 0;
	while (digits-- > 0)
		value = value * 10 + (uint32_t)(*cursor->at++ - '0');
	return value;
}

static uint32_t
read_parameter(struct cursor *cursor, const char *name)
{
	expect(cursor, name);
	return read_number(cursor);
}

/* base64 up to the next $ or the end. */
static size_t
read_bytes(struct cursor *cursor, size_t least, uint8_t bytes[PHC_BYTES_MAX])
{
	char digits[PHC_BYTES_MAX * 4 / 3 + 3];
	size_t length = strcspn(cursor->at, "$");
	long count;

	if (cursor->failed || length >= sizeof(digits) || memchr(cursor->at, '=', length)) {
		cursor->failed = true;
		return 0;
	}
	memcpy(digits, cursor->at, length);
	digits[length] = '\0';
	for (size_t i = 0; i < length; i++)
		if (digits[i] == '.')
			digits[i] = '+';	/* passlib's alphabet */
	count = base64_decode(digits, bytes, PHC_BYTES_MAX);
	cursor->at += length;
	if (count < (long)least)
		cursor->failed = true;
	return cursor->failed ? 0 : (size_t)count;
}

static void
read_argon2(struct cursor *cursor, struct phc *phc)
{
	/* Hashes from before version 1.3 do not name theirs. */
	phc->argon2_version = ARGON2_VERSION_10;
	if (skip(cursor, "v=")) {
		phc->argon2_version = read_number(cursor);
		expect(cursor, "$");
	}
	phc->memory_kib = read_parameter(cursor, "m=");
	phc->passes = read_parameter(cursor, ",t=");
	phc->lanes = read_parameter(cursor, ",p=");
}

static void
read_scrypt(struct cursor *cursor, struct phc *phc)
{
	phc->log2_n = read_parameter(cursor, "ln=");
	phc->r = read_parameter(cursor, ",r=");
	phc->p = read_parameter(cursor, ",p=");
}

/* "i=…,l=…" or passlib's bare number; `length` is 0 when it is not said. */
static void
read_pbkdf2(struct cursor *cursor, struct phc *phc, uint32_t *length)
{
	bool is_named = skip(cursor, "i=");

	phc->rounds = read_number(cursor);
	*length = is_named && skip(cursor, ",l=") ? read_number(cursor) : 0;
}

static bool
read_function(struct cursor *cursor, struct phc *phc)
{
	static const struct { const char *prefix; enum phc_function function; } functions[] = {
		{ "$argon2id$", PHC_ARGON2ID }, { "$argon2i$", PHC_ARGON2I },
		{ "$argon2d$", PHC_ARGON2D }, { "$scrypt$", PHC_SCRYPT },
		{ "$pbkdf2-sha256$", PHC_PBKDF2_SHA256 }, { "$pbkdf2-sha512$", PHC_PBKDF2_SHA512 },
	};

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		if (skip(cursor, functions[i].prefix)) {
			phc->function = functions[i].function;
			return true;
		}
	}
	return false;
}

bool
phc_parse(const char *text, struct phc *phc)
{
	struct cursor cursor = { .at = text };
	uint32_t length = 0;

	*phc = (struct phc){ 0 };
	if (!read_function(&cursor, phc))
		return false;
	if (phc->function == PHC_SCRYPT)
		read_scrypt(&cursor, phc);
	else if (phc->function == PHC_PBKDF2_SHA256 || phc->function == PHC_PBKDF2_SHA512)
		read_pbkdf2(&cursor, phc, &length);
	else
		read_argon2(&cursor, phc);
	expect(&cursor, "$");
	phc->salt_length = read_bytes(&cursor, PHC_BYTES_MIN, phc->salt);
	expect(&cursor, "$");
	phc->hash_length = read_bytes(&cursor, PHC_HASH_MIN, phc->hash);

	return !cursor.failed && *cursor.at == '\0' && phc_cost_is_sane(phc) &&
		(length == 0 || length == phc->hash_length);
}

static bool
argon2_is_sane(const struct phc *phc)
{
	return (phc->argon2_version == ARGON2_VERSION_10 || phc->argon2_version == ARGON2_VERSION_13) &&
		phc->lanes >= 1 && phc->lanes <= ARGON2_LANES_MAX &&
		phc->memory_kib >= 8 * phc->lanes && phc->memory_kib <= ARGON2_MEMORY_KIB_MAX &&
		phc->passes >= 1 && phc->passes <= ARGON2_PASSES_MAX;
}

static bool
scrypt_is_sane(const struct phc *phc)
{
	/* The first two bounds keep the products below from overflowing. */
	if (phc->log2_n < 1 || phc->log2_n > 24 || phc->r < 1 || phc->r > 64 || phc->p < 1 || phc->p > 64)
		return false;

	uint64_t blocks = (UINT64_C(1) << phc->log2_n) * phc->r;

	return blocks * 128 <= SCRYPT_MEMORY_BYTES_MAX && blocks * phc->p <= SCRYPT_WORK_MAX;
}

bool
phc_cost_is_sane(const struct phc *phc)
{
	switch (phc->function) {
	case PHC_SCRYPT:
		return scrypt_is_sane(phc);
	case PHC_PBKDF2_SHA256:
	case PHC_PBKDF2_SHA512:
		return phc->rounds >= 1 && phc->rounds <= PBKDF2_ROUNDS_MAX;
	default:
		return argon2_is_sane(phc);
	}
}

/* base64 without padding; returns where the text ends. */
static char *
write_bytes(char *text, const uint8_t *bytes, size_t length)
{
	base64_encode(bytes, length, text);
	text += strcspn(text, "=");
	*text = '\0';
	return text;
}

void
phc_write(const struct phc *phc, char text[PASSWORD_HASH_SIZE])
{
	int length;

	/* The longest head and two full fields: 48 + 2 * 88 + 1. */
	assert(phc->function == PHC_ARGON2ID || phc->function == PHC_SCRYPT);
	if (phc->function == PHC_SCRYPT)
		length = snprintf(text, PASSWORD_HASH_SIZE, "$scrypt$ln=%u,r=%u,p=%u$",
			phc->log2_n, phc->r, phc->p);
	else
		length = snprintf(text, PASSWORD_HASH_SIZE, "$argon2id$v=%u$m=%u,t=%u,p=%u$",
			phc->argon2_version, phc->memory_kib, phc->passes, phc->lanes);
	text = write_bytes(text + length, phc->salt, phc->salt_length);
	*text++ = '$';
	write_bytes(text, phc->hash, phc->hash_length);
}

static bool
compute_argon2(const struct phc *phc, const char *password, uint8_t *hash)
{
	argon2_type type = phc->function == PHC_ARGON2D ? Argon2_d :
		phc->function == PHC_ARGON2I ? Argon2_i : Argon2_id;
	argon2_context context = {
		.out = hash, .outlen = (uint32_t)phc->hash_length,
		/* Only written to under ARGON2_FLAG_CLEAR_*, which we do not set. */
		.pwd = (uint8_t *)(uintptr_t)password, .pwdlen = (uint32_t)strlen(password),
		.salt = (uint8_t *)(uintptr_t)phc->salt, .saltlen = (uint32_t)phc->salt_length,
		.t_cost = phc->passes, .m_cost = phc->memory_kib, .lanes = phc->lanes,
		/* One after the other: our own threads are the bound on what runs at once. */
		.threads = 1,
		.version = phc->argon2_version,
		.flags = ARGON2_DEFAULT_FLAGS,
	};

	return argon2_ctx(&context, type) == ARGON2_OK;
}

static bool
compute_kdf(const char *name, const OSSL_PARAM *params, uint8_t *hash, size_t length)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, name, NULL);
	EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	bool ok = context && EVP_KDF_derive(context, hash, length, params) == 1;

	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	return ok;
}

static bool
compute_scrypt(const struct phc *phc, const char *password, uint8_t *hash)
{
	uint64_t n = UINT64_C(1) << phc->log2_n;
	uint32_t r = phc->r, p = phc->p;
	OSSL_PARAM params[] = {
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_PASSWORD, (char *)(uintptr_t)password, strlen(password)),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SALT, (uint8_t *)(uintptr_t)phc->salt, phc->salt_length),
		OSSL_PARAM_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
		OSSL_PARAM_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
		OSSL_PARAM_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
		OSSL_PARAM_END
	};

	return compute_kdf("SCRYPT", params, hash, phc->hash_length);
}

static bool
compute_pbkdf2(const struct phc *phc, const char *password, uint8_t *hash)
{
	const EVP_MD *digest = phc->function == PHC_PBKDF2_SHA512 ? EVP_sha512() : EVP_sha256();

	return PKCS5_PBKDF2_HMAC(password, (int)strlen(password), phc->salt, (int)phc->salt_length,
		(int)phc->rounds, digest, (int)phc->hash_length, hash) == 1;
}

bool
phc_compute(const struct phc *phc, const char *password, uint8_t hash[PHC_BYTES_MAX])
{
	switch (phc->function) {
	case PHC_SCRYPT:
		return compute_scrypt(phc, password, hash);
	case PHC_PBKDF2_SHA256:
	case PHC_PBKDF2_SHA512:
		return compute_pbkdf2(phc, password, hash);
	default:
		return compute_argon2(phc, password, hash);
	}
}
