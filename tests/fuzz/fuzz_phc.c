/*
 * Fuzzes common/password_phc.c (libFuzzer; `make fuzz-phc`): hashes of other systems.
 *
 * Whatever is read is cheap enough to be computed, and what we make ourselves is written as it
 * was read.
 */
#include "fuzz.h"
#include "password_phc.h"

static bool
is_ours(const struct phc *phc)
{
	return phc->function == PHC_SCRYPT || (phc->function == PHC_ARGON2ID && phc->argon2_version == 0x13);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char *text = text_of(bytes, length), written[PASSWORD_HASH_SIZE];
	struct phc phc, again;

	if (phc_parse(text, &phc)) {
		must(phc_cost_is_sane(&phc));
		must(phc.salt_length >= PHC_BYTES_MIN && phc.salt_length <= PHC_BYTES_MAX);
		must(phc.hash_length >= PHC_HASH_MIN && phc.hash_length <= PHC_BYTES_MAX);
		if (is_ours(&phc)) {
			phc_write(&phc, written);
			must(phc_parse(written, &again) && again.hash_length == phc.hash_length
				&& memcmp(again.hash, phc.hash, phc.hash_length) == 0);
		}
	}
	free(text);
	return 0;
}
