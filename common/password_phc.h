/*
 * password_phc: hashes as PHC strings ($scheme$parameters$salt$hash), and the
 * three functions that make them: argon2, scrypt, PBKDF2.
 *
 * Whatever parses is cheap enough to compute: the caps are part of the grammar,
 * because a hash from elsewhere may ask for 4 TiB (m=4294967295).
 * https://github.com/P-H-C/phc-string-format
 */
#ifndef ROLLCALL_PASSWORD_PHC_H
#define ROLLCALL_PASSWORD_PHC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "password.h"

#define PHC_BYTES_MIN 8		/* of a salt; libargon2 takes no less */
#define PHC_HASH_MIN 16
#define PHC_BYTES_MAX 64

/* Caps, the same for what is configured and for what is imported. */
#define ARGON2_MEMORY_KIB_MAX 65536
#define ARGON2_PASSES_MAX 10
#define ARGON2_LANES_MAX 8
#define SCRYPT_MEMORY_BYTES_MAX (UINT64_C(64) << 20)
#define SCRYPT_WORK_MAX (UINT64_C(1) << 22)	/* N * r * p; about a second */
#define PBKDF2_ROUNDS_MAX 1000000

enum phc_function { PHC_ARGON2D, PHC_ARGON2I, PHC_ARGON2ID, PHC_SCRYPT, PHC_PBKDF2_SHA256, PHC_PBKDF2_SHA512 };

struct phc {
	enum phc_function function;
	uint32_t argon2_version;		/* 0x10 or 0x13 */
	uint32_t memory_kib, passes, lanes;	/* argon2 */
	uint32_t log2_n, r, p;			/* scrypt */
	uint32_t rounds;			/* PBKDF2 */
	size_t salt_length, hash_length;
	uint8_t salt[PHC_BYTES_MAX];
	uint8_t hash[PHC_BYTES_MAX];
};

/* Whether the parameters are under the caps and make sense to the function. */
bool phc_cost_is_sane(const struct phc *phc);
/* False for anything but a whole, well-formed hash with a sane cost. Also reads
 * passlib's PBKDF2 ($pbkdf2-sha256$29000$…, "." for "+"). */
bool phc_parse(const char *text, struct phc *phc) __attribute__((warn_unused_result));
/* argon2id and scrypt only: what we make. */
void phc_write(const struct phc *phc, char text[PASSWORD_HASH_SIZE]);
/* `hash_length` bytes from password, salt and parameters. False when the system
 * has no memory for it. */
bool phc_compute(const struct phc *phc, const char *password, uint8_t hash[PHC_BYTES_MAX])
	__attribute__((warn_unused_result));

#endif
