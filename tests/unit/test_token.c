/* token: what we made is known again; nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "encode.h"
#include "token.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define ASCENDING "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define OTHER "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"

static const struct link sample = {
	.purpose = LINK_INVITATION,
	.channel = CHANNEL_ADMINISTRATOR,
	.org_id = { { 0x01, 0x7f, 0x22, 0xe2, 0x79, 0xb0, 0x7c, 0xc3,
		0x98, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f } },
	.subject_id = { { 0x01, 0x7f, 0x22, 0xe2, 0x79, 0xb0, 0x7c, 0xc3,
		0x98, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x90 } },
	.generation = 0x01020304,
};

static struct keyring *
keyring_of(const char *secrets)
{
	const char *error = "unset";
	struct keyring *keyring = keyring_create(secrets, &error);

	if (keyring == NULL)
		fail_msg("%s", error);
	assert_null(error);
	return keyring;
}

static void
every_spelling_of_a_secret_makes_the_same_key(void **state)
{
	static const char *const spellings[] = {
		ASCENDING,
		"000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
		"hex:" ASCENDING,
		"base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
		"base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
		ASCENDING "\n",
		ASCENDING " , " OTHER,
	};
	char token[LINK_TOKEN_SIZE], expected[LINK_TOKEN_SIZE];
	struct keyring *keyring = keyring_of(ASCENDING);

	(void)state;
	link_token_make(keyring, &sample, expected);
	keyring_free(&keyring);
	assert_null(keyring);
	keyring_free(&keyring);
	for (size_t i = 0; i < ARRAY_COUNT(spellings); i++) {
		keyring = keyring_of(spellings[i]);
		link_token_make(keyring, &sample, token);
		assert_string_equal(token, expected);
		keyring_free(&keyring);
	}
}

static void
a_secret_that_is_none_is_refused_with_its_reason(void **state)
{
	static const struct {
		const char *secrets, *error;
	} cases[] = {
		{ "", "is empty" },
		{ ",", "holds an empty secret" },
		{ ASCENDING ",", "holds an empty secret" },
		{ "," ASCENDING, "holds an empty secret" },
		{ " ", "holds an empty secret" },
		{ "change-me", "holds a secret that is not base64:, hex: or 64 hex digits" },
		{ ASCENDING "00", "holds a secret that is not base64:, hex: or 64 hex digits" },
		{ ASCENDING "0", "holds a secret that is not base64:, hex: or 64 hex digits" },
		{ "g" ASCENDING, "holds a secret that is not base64:, hex: or 64 hex digits" },
		{ "HEX:" ASCENDING, "holds a secret that is not base64:, hex: or 64 hex digits" },
		{ ASCENDING " " OTHER, "holds a secret that is not base64:, hex: or 64 hex digits" },
		{ ASCENDING "," "x", "holds a secret that is not base64:, hex: or 64 hex digits" },
		{ "hex:0g", "holds a secret that is not valid hex, or longer than 1024 bytes" },
		{ "hex:" ASCENDING "0", "holds a secret that is not valid hex, or longer than 1024 bytes" },
		{ "hex:", "holds a secret of less than 32 bytes" },
		{ "hex:0011", "holds a secret of less than 32 bytes" },
		{ "base64:", "holds a secret of less than 32 bytes" },
		{ "base64:AAEC", "holds a secret of less than 32 bytes" },
		/* 31 bytes */
		{ "base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
			"holds a secret of less than 32 bytes" },
		{ "base64:AAEC!", "holds a secret that is not valid base64, or longer than 1024 bytes" },
		{ ZEROS "," ZEROS "," ZEROS "," ZEROS "," ZEROS "," ZEROS "," ZEROS "," ZEROS "," ZEROS,
			"holds more than 8 secrets" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const char *error = NULL;

		assert_null(keyring_create(cases[i].secrets, &error));
		assert_non_null(error);
		assert_string_equal(error, cases[i].error);
	}
}

static void
a_secret_may_be_long_but_not_endless(void **state)
{
	char text[4 + 2050 + 1] = "hex:";
	const char *error;
	struct keyring *keyring;

	(void)state;
	memset(text + 4, 'a', 2048);
	keyring = keyring_of(text);
	keyring_free(&keyring);
	memset(text + 4, 'a', 2050);
	assert_null(keyring_create(text, &error));
	assert_string_equal(error, "holds a secret that is not valid hex, or longer than 1024 bytes");
}

/* Computed by another implementation of HKDF and HMAC: mailed links must go on to
 * work after an upgrade. */
static void
a_links_token_stays_what_it_was(void **state)
{
	struct keyring *keyring = keyring_of(ASCENDING);
	char token[LINK_TOKEN_SIZE];

	(void)state;
	link_token_make(keyring, &sample, token);
	assert_string_equal(token, "AQECAX8i4nmwfMOYxNwMDAc5jwF_IuJ5sHzDmMTcDAwHOZABAgME"
		"-rKqtosWRX1prPXsGqedyNeNRmdi4-qzNF2y8KbJ5iM");
	keyring_free(&keyring);
}

static void
a_link_comes_back_whole(void **state)
{
	static const struct {
		enum link_purpose purpose;
		enum link_channel channel;
		uint32_t generation;
	} cases[] = {
		{ LINK_INVITATION, CHANNEL_USER, 0 },
		{ LINK_INVITATION, CHANNEL_ADMINISTRATOR, 1 },
		{ LINK_PASSWORD_RESET, CHANNEL_USER, 255 },
		{ LINK_EMAIL_CHANGE, CHANNEL_USER, UINT32_MAX },
	};
	struct keyring *keyring = keyring_of(ASCENDING);
	char token[LINK_TOKEN_SIZE];
	struct link link, back;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		link = sample;
		link.purpose = cases[i].purpose;
		link.channel = cases[i].channel;
		link.generation = cases[i].generation;
		link_token_make(keyring, &link, token);
		assert_int_equal(strlen(token) + 1, LINK_TOKEN_SIZE);
		memset(&back, 0xff, sizeof(back));
		assert_true(link_token_verify(keyring, link.purpose, token, &back));
		assert_int_equal(back.purpose, link.purpose);
		assert_int_equal(back.channel, link.channel);
		assert_int_equal(back.generation, link.generation);
		assert_true(uuid_equal(&back.org_id, &link.org_id));
		assert_true(uuid_equal(&back.subject_id, &link.subject_id));
	}
	keyring_free(&keyring);
}

static void
a_link_of_one_purpose_is_none_of_another(void **state)
{
	struct keyring *keyring = keyring_of(ASCENDING);
	char token[LINK_TOKEN_SIZE];
	uint8_t bytes[71];
	struct link link;

	(void)state;
	link_token_make(keyring, &sample, token);
	assert_false(link_token_verify(keyring, LINK_PASSWORD_RESET, token, &link));
	assert_false(link_token_verify(keyring, LINK_EMAIL_CHANGE, token, &link));
	/* Nor with the purpose that it names rewritten. */
	assert_true(base64url_decode(token, bytes, sizeof(bytes)));
	bytes[1] = LINK_PASSWORD_RESET;
	base64url_encode(bytes, sizeof(bytes), token);
	assert_false(link_token_verify(keyring, LINK_PASSWORD_RESET, token, &link));
	keyring_free(&keyring);
}

static void
a_link_with_any_bit_changed_is_refused(void **state)
{
	struct keyring *keyring = keyring_of(ASCENDING);
	char token[LINK_TOKEN_SIZE], forged[LINK_TOKEN_SIZE];
	uint8_t bytes[71];
	struct link link;

	(void)state;
	link_token_make(keyring, &sample, token);
	assert_true(base64url_decode(token, bytes, sizeof(bytes)));
	for (size_t bit = 0; bit < sizeof(bytes) * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		base64url_encode(bytes, sizeof(bytes), forged);
		assert_false(link_token_verify(keyring, sample.purpose, forged, &link));
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	keyring_free(&keyring);
}

static void
text_that_is_no_link_is_refused(void **state)
{
	struct keyring *keyring = keyring_of(ASCENDING);
	char token[LINK_TOKEN_SIZE], text[LINK_TOKEN_SIZE + 2] = { 0 };
	struct link link;

	(void)state;
	link_token_make(keyring, &sample, token);
	assert_false(link_token_verify(keyring, sample.purpose, "", &link));
	assert_false(link_token_verify(keyring, sample.purpose, "null", &link));
	for (size_t length = 0; length < LINK_TOKEN_SIZE - 1; length++) {
		memcpy(text, token, length);
		text[length] = '\0';
		assert_false(link_token_verify(keyring, sample.purpose, text, &link));
	}
	strcpy(text, token);
	strcat(text, "=");
	assert_false(link_token_verify(keyring, sample.purpose, text, &link));
	/* The last digit has a bit that belongs to no byte: setting it is no link. */
	strcpy(text, token);
	text[LINK_TOKEN_SIZE - 2]++;
	assert_false(link_token_verify(keyring, sample.purpose, text, &link));
	keyring_free(&keyring);
}

static void
secrets_rotate_without_killing_links(void **state)
{
	static const struct {
		const char *makes, *verifies;
		bool is_known;
	} cases[] = {
		{ ASCENDING, ASCENDING "," OTHER, true },	/* the new one is appended */
		{ ASCENDING, OTHER "," ASCENDING, true },	/* and put first */
		{ OTHER "," ASCENDING, ASCENDING "," OTHER, true },
		{ ASCENDING, OTHER, false },			/* and the old one dropped */
		{ ASCENDING "," OTHER, OTHER, false },
	};
	char token[LINK_TOKEN_SIZE];
	struct link link;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct keyring *maker = keyring_of(cases[i].makes);
		struct keyring *verifier = keyring_of(cases[i].verifies);

		link_token_make(maker, &sample, token);
		assert_int_equal(link_token_verify(verifier, sample.purpose, token, &link),
			cases[i].is_known);
		keyring_free(&maker);
		keyring_free(&verifier);
	}
}

static void
bearers_name_their_kind_and_owner_and_never_repeat(void **state)
{
	static const char *const prefixes[] = { [BEARER_SESSION] = "rcs_", [BEARER_API_KEY] = "rck_", [BEARER_OPERATOR_KEY] = "rco_" };
	char token[BEARER_TOKEN_SIZE], another[BEARER_TOKEN_SIZE];
	struct uuid owner_id;

	(void)state;
	for (int kind = BEARER_SESSION; kind <= BEARER_OPERATOR_KEY; kind++) {
		enum bearer_kind parsed = (enum bearer_kind)((kind + 1) % 3);

		bearer_token_make((enum bearer_kind)kind, &sample.org_id, token);
		bearer_token_make((enum bearer_kind)kind, &sample.org_id, another);
		assert_string_not_equal(token, another);
		assert_int_equal(strncmp(token, prefixes[kind], 4), 0);
		assert_int_equal(strlen(token), 68);
		assert_true(bearer_token_parse(token, &parsed, &owner_id));
		assert_int_equal(parsed, kind);
		assert_true(uuid_equal(&owner_id, &sample.org_id));
		assert_string_equal(bearer_token_hint(token), token + 64);
	}
}

static void
text_that_is_no_bearer_is_refused(void **state)
{
	static const char *const cases[] = {
		"", "rcs_", "rck", "Bearer rcs_",
		"rcx_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"RCS_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"rcs_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"rcs_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"rcs_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+",
		"rcs_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA ",
	};
	enum bearer_kind kind;
	struct uuid org_id;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if (bearer_token_parse(cases[i], &kind, &org_id))
			fail_msg("accepted \"%s\"", cases[i]);
}

static void
a_tokens_hash_is_its_sha256(void **state)
{
	char hash[TOKEN_HASH_SIZE];

	(void)state;
	token_hash("abc", hash);	/* FIPS 180-2, B.1 */
	assert_string_equal(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void
a_login_has_one_digest_in_any_case_and_script(void **state)
{
	struct keyring *keyring = keyring_of(ASCENDING "," OTHER), *turned = keyring_of(OTHER);
	char digest[TOKEN_HASH_SIZE], other[TOKEN_HASH_SIZE];

	(void)state;
	login_digest(keyring, &sample.org_id, "олена", digest);
	/* Computed by another implementation. */
	assert_string_equal(digest,
		"49aa08d6139f17b6e82d4d6d2b2ddf24fe2723e507adb96b215b8bc9adef1753");
	login_digest(keyring, &sample.org_id, "ОЛЕНА", other);
	assert_string_equal(digest, other);
	login_digest(keyring, &sample.org_id, "Anna@Example.COM", digest);
	login_digest(keyring, &sample.org_id, "anna@example.com", other);
	assert_string_equal(digest, other);
	login_digest(keyring, &sample.subject_id, "anna@example.com", other);
	assert_string_not_equal(digest, other);
	login_digest(turned, &sample.org_id, "anna@example.com", other);
	assert_string_not_equal(digest, other);
	login_digest(keyring, &sample.org_id, "", other);
	assert_string_not_equal(digest, other);
	keyring_free(&keyring);
	keyring_free(&turned);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_spelling_of_a_secret_makes_the_same_key),
		cmocka_unit_test(a_secret_that_is_none_is_refused_with_its_reason),
		cmocka_unit_test(a_secret_may_be_long_but_not_endless),
		cmocka_unit_test(a_links_token_stays_what_it_was),
		cmocka_unit_test(a_link_comes_back_whole),
		cmocka_unit_test(a_link_of_one_purpose_is_none_of_another),
		cmocka_unit_test(a_link_with_any_bit_changed_is_refused),
		cmocka_unit_test(text_that_is_no_link_is_refused),
		cmocka_unit_test(secrets_rotate_without_killing_links),
		cmocka_unit_test(bearers_name_their_kind_and_owner_and_never_repeat),
		cmocka_unit_test(text_that_is_no_bearer_is_refused),
		cmocka_unit_test(a_tokens_hash_is_its_sha256),
		cmocka_unit_test(a_login_has_one_digest_in_any_case_and_script),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
