/*
 * password: making and checking hashes, whatever scheme they are in.
 *
 * Two families: PHC strings, which password_phc computes, and the strings of
 * crypt(3) (bcrypt, yescrypt, sha-crypt), which libxcrypt computes. Both are held
 * against their caps before anything is computed, and compared in constant time.
 *
 * Which passwords people may choose is in password_check.c.
 */
#include "password.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "password_phc.h"

#define SALT_BYTES 16
#define HASH_BYTES 32

#define BCRYPT_COST_MAX 14
#define SHA_CRYPT_ROUNDS_MAX 1000000
#define YESCRYPT_MEMORY_BYTES_MAX (UINT64_C(64) << 20)

/* The alphabet of crypt(3), in the order of its values. */
static const char crypt_digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static const struct password_cost argon2id_default = {
	.scheme = SCHEME_ARGON2ID, .memory_kib = 19456, .passes = 2, .lanes = 1,
};
static const struct password_cost scrypt_default = {
	.scheme = SCHEME_SCRYPT, .log2_n = 15, .r = 8, .p = 3,
};

/* A hash of this cost, of which salt and hash are still to be filled in. */
static struct phc
phc_of_cost(const struct password_cost *cost)
{
	return (struct phc){
		.function = cost->scheme == SCHEME_SCRYPT ? PHC_SCRYPT : PHC_ARGON2ID,
		.argon2_version = 0x13,
		.memory_kib = cost->memory_kib, .passes = cost->passes, .lanes = cost->lanes,
		.log2_n = cost->log2_n, .r = cost->r, .p = cost->p,
		.salt_length = SALT_BYTES, .hash_length = HASH_BYTES,
	};
}

/* The field that a name like "m" stands for in this scheme, or NULL. */
static uint32_t *
cost_field(struct password_cost *cost, const char *name, size_t length)
{
	const struct { enum password_scheme scheme; const char *name; uint32_t *field; } fields[] = {
		{ SCHEME_ARGON2ID, "m", &cost->memory_kib },
		{ SCHEME_ARGON2ID, "t", &cost->passes },
		{ SCHEME_ARGON2ID, "p", &cost->lanes },
		{ SCHEME_SCRYPT, "ln", &cost->log2_n },
		{ SCHEME_SCRYPT, "r", &cost->r },
		{ SCHEME_SCRYPT, "p", &cost->p },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (fields[i].scheme == cost->scheme && strlen(fields[i].name) == length &&
		    strncmp(fields[i].name, name, length) == 0)
			return fields[i].field;
	return NULL;
}

/* One "name=number" up to a comma or the end; NULL when it is none. */
static const char *
cost_parse_part(const char *text, struct password_cost *cost)
{
	size_t length = strcspn(text, "=,");
	uint32_t *field = cost_field(cost, text, length);
	size_t digits;

	if (!field || text[length] != '=')
		return NULL;
	text += length + 1;
	digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 9)
		return NULL;
	*field = (uint32_t)strtoul(text, NULL, 10);
	return text + digits;
}

bool
password_cost_parse(const char *text, struct password_cost *cost)
{
	size_t length = strcspn(text, ":");

	if (length == strlen("argon2id") && strncmp(text, "argon2id", length) == 0)
		*cost = argon2id_default;
	else if (length == strlen("scrypt") && strncmp(text, "scrypt", length) == 0)
		*cost = scrypt_default;
	else
		return false;

	text += length;
	if (*text == ':') {
		do
			text = cost_parse_part(text + 1, cost);
		while (text && *text == ',');
		if (!text || *text != '\0')
			return false;
	}

	struct phc phc = phc_of_cost(cost);

	return phc_cost_is_sane(&phc);
}

bool
password_hash(const struct password_cost *cost, const char *password, char hash[PASSWORD_HASH_SIZE])
{
	struct phc phc = phc_of_cost(cost);
	bool ok = RAND_bytes(phc.salt, SALT_BYTES) == 1 && phc_compute(&phc, password, phc.hash);

	if (ok)
		phc_write(&phc, hash);
	OPENSSL_cleanse(&phc, sizeof(phc));
	return ok;
}

/* A random hash: the chance that a password meets it is that of guessing the hash. */
void
password_dummy_hash(const struct password_cost *cost, char hash[PASSWORD_HASH_SIZE])
{
	struct phc phc = phc_of_cost(cost);

	if (RAND_bytes(phc.salt, SALT_BYTES) != 1 || RAND_bytes(phc.hash, HASH_BYTES) != 1)
		abort();	/* never seen; a constant hash here would be a back door */
	phc_write(&phc, hash);
}

static bool
is_crypt_digits(const char *text, size_t length)
{
	return strspn(text, crypt_digits) == length && strlen(text) == length;
}

/* $2b$NN$ and 53 digits. */
static bool
bcrypt_is_sane(const char *hash)
{
	int cost;

	if (strncmp(hash, "$2", 2) != 0 || !strchr("aby", hash[2]) || hash[2] == '\0' || hash[3] != '$')
		return false;
	if (strspn(hash + 4, "0123456789") != 2 || hash[6] != '$')
		return false;
	cost = (hash[4] - '0') * 10 + hash[5] - '0';
	return cost >= 4 && cost <= BCRYPT_COST_MAX && is_crypt_digits(hash + 7, 53);
}

/* $5$ or $6$, perhaps rounds=N$, up to 16 characters of salt, $, 43 or 86 digits. */
static bool
sha_crypt_is_sane(const char *hash)
{
	static const char rounds_prefix[] = "rounds=";
	size_t digits, salt;
	bool is_sha256 = strncmp(hash, "$5$", 3) == 0;

	if (!is_sha256 && strncmp(hash, "$6$", 3) != 0)
		return false;
	hash += 3;
	if (strncmp(hash, rounds_prefix, strlen(rounds_prefix)) == 0) {
		hash += strlen(rounds_prefix);
		digits = strspn(hash, "0123456789");
		if (digits < 4 || digits > 7 || hash[0] == '0' || hash[digits] != '$')
			return false;
		if (strtol(hash, NULL, 10) > SHA_CRYPT_ROUNDS_MAX)
			return false;
		hash += digits + 1;
	}
	salt = strspn(hash, crypt_digits);
	return salt >= 1 && salt <= 16 && hash[salt] == '$' &&
		is_crypt_digits(hash + salt + 1, is_sha256 ? 43 : 86);
}

/* $y$jNr$salt$hash as every system writes it: flags "j", then one digit each for
 * log2(N) - 1 and r - 1 (crypt(5); libxcrypt's cost 1 to 11). Longer encodings
 * exist, but only for costs past our cap. */
static bool
yescrypt_is_sane(const char *hash)
{
	const char *n, *r;
	size_t salt;

	if (strncmp(hash, "$y$j", 4) != 0 || hash[4] == '\0' || hash[5] == '\0' || hash[6] != '$')
		return false;
	n = strchr(crypt_digits, hash[4]);
	r = strchr(crypt_digits, hash[5]);
	if (!n || !r || n - crypt_digits > 23 || r - crypt_digits > 47)
		return false;
	if ((UINT64_C(2) << (n - crypt_digits)) * (uint64_t)(r - crypt_digits + 1) * 128 >
	    YESCRYPT_MEMORY_BYTES_MAX)
		return false;
	hash += 7;
	salt = strspn(hash, crypt_digits);
	return salt >= 1 && salt <= 86 && hash[salt] == '$' && is_crypt_digits(hash + salt + 1, 43);
}

static bool
crypt_is_sane(const char *hash)
{
	return bcrypt_is_sane(hash) || sha_crypt_is_sane(hash) || yescrypt_is_sane(hash);
}

bool
password_hash_is_importable(const char *hash)
{
	struct phc phc;

	return strlen(hash) < PASSWORD_HASH_SIZE && (phc_parse(hash, &phc) || crypt_is_sane(hash));
}

static bool
verify_phc(const struct phc *phc, const char *password)
{
	uint8_t computed[PHC_BYTES_MAX];
	bool ok = phc_compute(phc, password, computed) &&
		CRYPTO_memcmp(computed, phc->hash, phc->hash_length) == 0;

	OPENSSL_cleanse(computed, sizeof(computed));
	return ok;
}

static bool
verify_crypt(const char *hash, const char *password)
{
	/* 32 KiB, too much for the stack of a small thread; holds the password. */
	struct crypt_data *data = xcalloc(1, sizeof(*data));
	const char *computed = crypt_r(password, hash, data);
	size_t length = strlen(hash);
	/* A failure is a string that begins with an asterisk; no hash does. */
	bool ok = computed && computed[0] != '*' && strlen(computed) == length &&
		CRYPTO_memcmp(computed, hash, length) == 0;

	OPENSSL_cleanse(data, sizeof(*data));
	free(data);
	return ok;
}

bool
password_verify(const char *hash, const char *password)
{
	struct phc phc;

	if (strlen(hash) >= PASSWORD_HASH_SIZE || strlen(password) > PASSWORD_MAX_BYTES)
		return false;
	if (phc_parse(hash, &phc))
		return verify_phc(&phc, password);
	return crypt_is_sane(hash) && verify_crypt(hash, password);
}

bool
password_needs_rehash(const struct password_cost *cost, const char *hash)
{
	struct phc wanted = phc_of_cost(cost);
	struct phc found;

	if (!phc_parse(hash, &found) || found.function != wanted.function ||
	    found.salt_length < SALT_BYTES || found.hash_length != HASH_BYTES)
		return true;
	if (wanted.function == PHC_SCRYPT)
		return found.log2_n != wanted.log2_n || found.r != wanted.r || found.p != wanted.p;
	return found.argon2_version != wanted.argon2_version || found.memory_kib != wanted.memory_kib ||
		found.passes != wanted.passes || found.lanes != wanted.lanes;
}
