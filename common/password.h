/*
 * password: hashes as PHC strings, and which passwords are acceptable.
 *
 * New hashes are argon2id (OWASP's first choice: m=19456, t=2, p=1) or scrypt by
 * configuration. Hashes of other systems (argon2i/d, scrypt, PBKDF2, bcrypt,
 * yescrypt, sha-crypt) are verified with capped cost (argon2 at 64 MiB, t 10,
 * bcrypt 14, rounds 1e6, scrypt 64 MiB, PBKDF2 1e6) and replaced at the next
 * login. Everything here computes; none of it may run in the event loop.
 */
#ifndef ROLLCALL_PASSWORD_H
#define ROLLCALL_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PASSWORD_HASH_SIZE 256
#define PASSWORD_MAX_BYTES 1024

enum password_scheme { SCHEME_ARGON2ID, SCHEME_SCRYPT };

struct password_cost {
	enum password_scheme scheme;
	uint32_t memory_kib, passes, lanes;	/* argon2id */
	uint32_t log2_n, r, p;			/* scrypt */
};

/* "argon2id:m=19456,t=2,p=1" or "scrypt:ln=15,r=8,p=3"; parts may be left out.
 * False when malformed or outside sane bounds. */
bool password_cost_parse(const char *text, struct password_cost *cost)
	__attribute__((warn_unused_result));

/* False only when the system cannot give memory or random bytes. */
bool password_hash(const struct password_cost *cost, const char *password,
	char hash[PASSWORD_HASH_SIZE]) __attribute__((warn_unused_result));
bool password_verify(const char *hash, const char *password)
	__attribute__((warn_unused_result));
/* Whether a verified hash should be replaced by one of this cost. */
bool password_needs_rehash(const struct password_cost *cost, const char *hash);
/* Whether a hash from elsewhere has a scheme that is known and a cost under the caps. */
bool password_hash_is_importable(const char *hash);
/* A hash of this cost that no password matches: for logins that are unknown. */
void password_dummy_hash(const struct password_cost *cost, char hash[PASSWORD_HASH_SIZE]);

enum password_fault { PASSWORD_OK, PASSWORD_TOO_SHORT, PASSWORD_TOO_LONG, PASSWORD_TOO_COMMON };

/* Length in code points against `min_length`; at most 1024 bytes; not one of the
 * common passwords, one repeated character, a run (abcdef…, 123456…), nor built
 * around the person's e-mail or name. `context` may hold NULLs, ends by count. */
enum password_fault password_check(const char *password, size_t min_length,
	const char *const *context, size_t context_count);

#endif
