/* password: our own hashes, other systems' hashes, their caps, and what is too common. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "password.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
a_cost_is_read_with_its_defaults(void **state)
{
	static const struct {
		const char *text;
		struct password_cost cost;
	} cases[] = {
		{ "argon2id", { SCHEME_ARGON2ID, 19456, 2, 1, 0, 0, 0 } },
		{ "argon2id:m=19456,t=2,p=1", { SCHEME_ARGON2ID, 19456, 2, 1, 0, 0, 0 } },
		{ "argon2id:t=3", { SCHEME_ARGON2ID, 19456, 3, 1, 0, 0, 0 } },
		{ "argon2id:p=2,m=65536", { SCHEME_ARGON2ID, 65536, 2, 2, 0, 0, 0 } },
		{ "scrypt", { SCHEME_SCRYPT, 0, 0, 0, 15, 8, 3 } },
		{ "scrypt:ln=14,p=5", { SCHEME_SCRYPT, 0, 0, 0, 14, 8, 5 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct password_cost cost;

		assert_true(password_cost_parse(cases[i].text, &cost));
		assert_memory_equal(&cost, &cases[i].cost, sizeof(cost));
	}
}

static void
a_cost_that_is_malformed_or_out_of_bounds_is_refused(void **state)
{
	static const char *const cases[] = {
		"", "argon2", "argon2i", "argon2id:", "argon2id:m", "argon2id:m=", "argon2id:m=1,",
		"argon2id:ln=15", "argon2id:m=19456 ", "argon2id,m=19456", "argon2id:m=65537",
		"argon2id:m=4", "argon2id:t=0", "argon2id:t=11", "argon2id:p=9", "argon2id:p=0",
		"argon2id:m=99999999999", "argon2id:m=-1", "scrypt:ln=17", "scrypt:ln=0", "scrypt:r=0",
		"scrypt:p=65", "scrypt:m=19456", "bcrypt", "scryptx",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct password_cost cost;

		if (password_cost_parse(cases[i], &cost))
			fail_msg("accepted: %s", cases[i]);
	}
}

static void
what_was_hashed_is_verified_and_nothing_else(void **state)
{
	static const char *const costs[] = { "argon2id:m=64,t=1", "argon2id:m=64,t=1,p=2", "scrypt:ln=4,p=1" };

	(void)state;
	for (size_t i = 0; i < COUNT(costs); i++) {
		struct password_cost cost, other;
		char hash[PASSWORD_HASH_SIZE], again[PASSWORD_HASH_SIZE];

		assert_true(password_cost_parse(costs[i], &cost));
		assert_true(password_hash(&cost, "пароль мій", hash));
		assert_true(password_hash(&cost, "пароль мій", again));
		assert_string_not_equal(hash, again);
		assert_true(password_verify(hash, "пароль мій"));
		assert_true(password_verify(again, "пароль мій"));
		assert_false(password_verify(hash, "пароль мiй"));
		assert_false(password_verify(hash, ""));
		assert_true(password_hash_is_importable(hash));
		assert_false(password_needs_rehash(&cost, hash));

		assert_true(password_cost_parse(i == 0 ? "argon2id:m=64,t=2" : "argon2id", &other));
		assert_true(password_needs_rehash(&other, hash));
	}
}

static void
the_longest_hash_fits(void **state)
{
	struct password_cost cost = { .scheme = SCHEME_ARGON2ID, .memory_kib = 65536, .passes = 10, .lanes = 8 };
	char hash[PASSWORD_HASH_SIZE];

	(void)state;
	password_dummy_hash(&cost, hash);
	assert_true(strncmp(hash, "$argon2id$v=19$m=65536,t=10,p=8$", 32) == 0);
	assert_int_equal(strlen(hash), 32 + 22 + 1 + 43);
}

static void
a_dummy_costs_the_same_and_matches_nothing(void **state)
{
	static const char *const costs[] = { "argon2id:m=64,t=1", "scrypt:ln=4,p=1" };

	(void)state;
	for (size_t i = 0; i < COUNT(costs); i++) {
		struct password_cost cost;
		char hash[PASSWORD_HASH_SIZE];

		assert_true(password_cost_parse(costs[i], &cost));
		password_dummy_hash(&cost, hash);
		assert_false(password_needs_rehash(&cost, hash));
		assert_false(password_verify(hash, ""));
		assert_false(password_verify(hash, "password"));
	}
}

/* Made with Python's hashlib and crypt, and with libargon2's own encoder. */
static const char *const foreign_hashes[] = {
	"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$REiRt35dHGtMWJ/p+5b5FBn+NMuLR8SFnoCU9BlDUHE",
	"$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$oRbnWvLUR+o+nR8H0ijQCahLiVONo9WR1LpiDfzxp6U",
	"$argon2d$v=19$m=256,t=2,p=1$c29tZXNhbHQ$ipp9/6HiFiGtNApgomQzZAYEqaQbqqUW2LYhb6P6du0",
	"$argon2id$v=19$m=256,t=1,p=4$c29tZXNhbHQ$MbHPRwlC9KqDRRvsM9ppTuKWo7GsZK3Vljxxmes+KM0",
	"$argon2i$v=16$m=256,t=2,p=1$c29tZXNhbHQ$xqK4p/Ds4uwrEeP/etRUp2YN+BsvpqlVkrdt/Lwsvo4",
	"$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$xqK4p/Ds4uwrEeP/etRUp2YN+BsvpqlVkrdt/Lwsvo4",
	"$scrypt$ln=4,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$OAkZqUBelG6VIYdTJfYSENL5OmZRxMa3GwXn5oFliTg",
	"$pbkdf2-sha256$i=1000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M",
	"$pbkdf2-sha256$1000$./.../.../.../..AQIDBA$78jr/G8V2Q7yGRYwdRalgav3bmaWxAs1HFbIoFdCuqM",
	"$pbkdf2-sha512$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$OM0FAoIqCVK1sWtxDiffVlBejtLa+ks4TP71Jiecwu"
	"SZCG8iLbnlIEPOMoVX+i2B2wkSxjQ8CRGR9OkNGuIPMQ",
	"$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
	"$2a$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
	"$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
	"$y$j75$abcdefgh$Jakf0CHhzdQOivqISxvBXCIRIaxY0Fs1wJGsJSurry/",
	"$6$rounds=1000$saltsalt$4GMtaIz3E1AdDi2SmCokEW0ehi.HdxNDcL3fGE1XXuzvo6kbx7UOloZKONqEk5H3Jr"
	"QA4NOfU8BmqFPrpGqwA1",
	"$5$saltsalt$myjXcpMpE2Ofk7fj9hqyNYSn6lmWG4Mqnjx.KIRRr4/",
};

static void
hashes_of_other_systems_are_verified_and_due_for_a_new_one(void **state)
{
	struct password_cost cost;

	(void)state;
	assert_true(password_cost_parse("argon2id", &cost));
	for (size_t i = 0; i < COUNT(foreign_hashes); i++) {
		if (!password_hash_is_importable(foreign_hashes[i]))
			fail_msg("not importable: %s", foreign_hashes[i]);
		if (!password_verify(foreign_hashes[i], "correct horse"))
			fail_msg("not verified: %s", foreign_hashes[i]);
		assert_false(password_verify(foreign_hashes[i], "correct hors"));
		assert_false(password_verify(foreign_hashes[i], ""));
		assert_true(password_needs_rehash(&cost, foreign_hashes[i]));
	}
}

/* scrypt and PBKDF2 are left out of the cutting: a shorter output of theirs is the
 * beginning of the longer one, so a cut hash is right too (down to 128 bits). */
static void
a_cut_or_lengthened_hash_matches_nothing(void **state)
{
	char changed[PASSWORD_HASH_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(foreign_hashes); i++) {
		bool is_cut = foreign_hashes[i][1] != 's' && foreign_hashes[i][1] != 'p';

		for (size_t kept = 0; is_cut && kept < strlen(foreign_hashes[i]); kept++) {
			snprintf(changed, sizeof(changed), "%.*s", (int)kept, foreign_hashes[i]);
			if (password_verify(changed, "correct horse"))
				fail_msg("verified: %s", changed);
		}
		snprintf(changed, sizeof(changed), "%s$", foreign_hashes[i]);
		assert_false(password_hash_is_importable(changed));
	}
}

static void
hashes_past_the_caps_or_malformed_are_refused_uncomputed(void **state)
{
	static const char *const cases[] = {
		"", "$", "plain", "$argon2id$", "*0", "!", "x", "$2b$", "$y$j", "$6$", "$5$rounds=",
		/* argon2: memory, passes, lanes, version, order, zeros, salt, hash */
		"$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$REiRt35dHGtMWJ/p+5b5FBn+NMuLR8SFnoCU9BlDUHE",
		"$argon2id$v=19$m=65537,t=2,p=1$c29tZXNhbHQ$REiRt35dHGtMWJ/p+5b5FBn+NMuLR8SFnoCU9BlDUHE",
		"$argon2id$v=19$m=256,t=11,p=1$c29tZXNhbHQ$REiRt35dHGtMWJ/p+5b5FBn+NMuLR8SFnoCU9BlDUHE",
		"$argon2id$v=19$m=256,t=2,p=9$c29tZXNhbHQ$REiRt35dHGtMWJ/p+5b5FBn+NMuLR8SFnoCU9BlDUHE",
		"$argon2id$v=18$m=256,t=2,p=1$c29tZXNhbHQ$REiRt35dHGtMWJ/p+5b5FBn+NMuLR8SFnoCU9BlDUHE",
		"$argon2id$v=19$t=2,m=256,p=1$c29tZXNhbHQ$REiRt35dHGtMWJ/p+5b5FBn+NMuLR8SFnoCU9BlDUHE",
		"$argon2id$v=19$m=0256,t=2,p=1$c29tZXNhbHQ$REiRt35dHGtMWJ/p+5b5FBn+NMuLR8SFnoCU9BlDUHE",
		"$argon2id$v=19$m=256,t=2,p=1$c2FsdA$REiRt35dHGtMWJ/p+5b5FBn+NMuLR8SFnoCU9BlDUHE",
		"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$REiRt35dHGs",
		"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$REiRt35dHGtMWJ/p+5b5FBn+NMuLR8SFnoCU9BlDUHE=",
		"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$REiRt35dHGtMWJ/p+5b5FBn+NMuLR8SFnoCU9BlDUHE\n",
		"$argon2id$v=19$m=256,t=2,p=1,data=x$c29tZXNhbHQ$REiRt35dHGtMWJ/p+5b5FBn+NMuLR8SFnoCU9BlDUHE",
		/* scrypt: memory, work, nothing at all */
		"$scrypt$ln=17,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$OAkZqUBelG6VIYdTJfYSENL5OmZRxMa3GwXn5oFliTg",
		"$scrypt$ln=16,r=8,p=9$MDEyMzQ1Njc4OWFiY2RlZg$OAkZqUBelG6VIYdTJfYSENL5OmZRxMa3GwXn5oFliTg",
		"$scrypt$ln=63,r=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$OAkZqUBelG6VIYdTJfYSENL5OmZRxMa3GwXn5oFliTg",
		"$scrypt$ln=0,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$OAkZqUBelG6VIYdTJfYSENL5OmZRxMa3GwXn5oFliTg",
		/* PBKDF2: rounds, length */
		"$pbkdf2-sha256$i=1000001$MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M",
		"$pbkdf2-sha256$i=1000,l=31$MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M",
		/* bcrypt: cost, kind */
		"$2b$15$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
		"$2b$03$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
		"$2x$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
		"$2b$4$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
		/* sha-crypt: rounds; and md5-crypt, which nobody should have any more */
		"$5$rounds=1000001$saltsalt$myjXcpMpE2Ofk7fj9hqyNYSn6lmWG4Mqnjx.KIRRr4/",
		"$5$rounds=999$saltsalt$myjXcpMpE2Ofk7fj9hqyNYSn6lmWG4Mqnjx.KIRRr4/",
		"$1$saltsalt$NuzA7WTAelpl95xgBGWN60",
		/* yescrypt: N = 2^18 with r = 32 is 1 GiB; an encoding of more than one digit */
		"$y$jFT$abcdefgh$Jakf0CHhzdQOivqISxvBXCIRIaxY0Fs1wJGsJSurry/",
		"$y$jzz1$abcdefgh$Jakf0CHhzdQOivqISxvBXCIRIaxY0Fs1wJGsJSurry/",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (password_hash_is_importable(cases[i]) || password_verify(cases[i], "correct horse"))
			fail_msg("accepted: %s", cases[i]);
	}
}

static void
an_endless_hash_or_password_is_refused(void **state)
{
	char longer[2 * PASSWORD_MAX_BYTES];

	(void)state;
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_false(password_hash_is_importable(longer));
	assert_false(password_verify(longer, "a"));
	assert_false(password_verify(foreign_hashes[0], longer));
	assert_int_equal(password_check(longer, 12, NULL, 0), PASSWORD_TOO_LONG);
}

static const char *const person[] = {
	"Ivan.Petrenko@example.com", "Іван", "Петренко", NULL, "petro_shop", "Li",
};

static void
good_passwords_are_accepted(void **state)
{
	static const char *const cases[] = {
		"correct horse battery staple", "Tr0ub4dor&3-zebra", "xK9#mQ2$vL7!", "jhf83hfksjd9",
		"sunshine dragon monkey football", "мій кіт їсть рибу щодня", "8347561029384756102x",
		"петля сорока бензин мох", "Ω≈ç√∫˜µ≤≥÷åß", "a1b9c7d2e8f4", "ivan feeds nine grey cats",
		"battery-acid-kettle", "水火木金土日月星空海山川", "Rollcall smoke-signal 7",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (password_check(cases[i], 8, person, COUNT(person)) != PASSWORD_OK)
			fail_msg("refused: %s", cases[i]);
}

static void
passwords_that_are_easily_guessed_are_refused(void **state)
{
	static const char *const cases[] = {
		/* one of the common ones, with the usual decoration */
		"password", "Password1234", "P4$$w0rd2024!!", "!!password!!", "passwordpassword",
		"iloveyou2023!", "Welcome12345", "letmein12345", "administrator", "Summer-2024!",
		"dragon123456", "changeme2025", "superman!!!!", "Пароль123456", "ПАРОЛЬ-2024",
		"любовь2020", "україна2024!", "rollcall2024",
		/* repetition */
		"aaaaaaaaaaaa", "abababababab", "xkqzxkqzxkqz", "123412341234", "!!!!!!!!!!!!", "йййййййййййй",
		"111111222222", "x7qx7qx7qx7qx7",
		/* runs */
		"abcdefghijkl", "zyxwvutsrqpo", "123456789012", "987654321098", "qwertyuiop12", "poiuytrewq",
		"1qaz2wsx3edc", "q1w2e3r4t5y6", "1q2w3e4r5t6y", "asdfghjkl123", "йцукенгшщзхъ", "абвгдежзийкл",
		"!@#$%^&*()12", "qwerty123456", "zaq12wsx3edc",
		/* the person */
		"ivan.petrenko", "IvanPetrenko1990", "Ivan-Petrenko-1990", "petrenko123456", "Петренко2024!!",
		"ivan.petrenko@example.com", "петренкоіван", "petro_shop2024",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (password_check(cases[i], 8, person, COUNT(person)) != PASSWORD_TOO_COMMON)
			fail_msg("accepted: %s", cases[i]);
}

static void
length_is_counted_in_characters(void **state)
{
	(void)state;
	assert_int_equal(password_check("xK9#mQ2$vL7", 12, NULL, 0), PASSWORD_TOO_SHORT);
	assert_int_equal(password_check("xK9#mQ2$vL7!", 12, NULL, 0), PASSWORD_OK);
	/* 11 characters, 22 bytes */
	assert_int_equal(password_check("щгзхїфжєячс", 12, NULL, 0), PASSWORD_TOO_SHORT);
	assert_int_equal(password_check("щгзхїфжєячсь", 12, NULL, 0), PASSWORD_OK);
	assert_int_equal(password_check("", 8, NULL, 0), PASSWORD_TOO_SHORT);
	assert_int_equal(password_check("", 0, NULL, 0), PASSWORD_TOO_COMMON);
}

static void
bytes_that_are_no_utf8_do_no_harm(void **state)
{
	static const char *const cases[] = { "\xff\xfe\xfd\xf0\xf1\xf2", "abc\xe0", "abc\xf0\x80", "\xc3" };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		(void)password_check(cases[i], 0, cases, COUNT(cases));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cost_is_read_with_its_defaults),
		cmocka_unit_test(a_cost_that_is_malformed_or_out_of_bounds_is_refused),
		cmocka_unit_test(what_was_hashed_is_verified_and_nothing_else),
		cmocka_unit_test(the_longest_hash_fits),
		cmocka_unit_test(a_dummy_costs_the_same_and_matches_nothing),
		cmocka_unit_test(hashes_of_other_systems_are_verified_and_due_for_a_new_one),
		cmocka_unit_test(a_cut_or_lengthened_hash_matches_nothing),
		cmocka_unit_test(hashes_past_the_caps_or_malformed_are_refused_uncomputed),
		cmocka_unit_test(an_endless_hash_or_password_is_refused),
		cmocka_unit_test(good_passwords_are_accepted),
		cmocka_unit_test(passwords_that_are_easily_guessed_are_refused),
		cmocka_unit_test(length_is_counted_in_characters),
		cmocka_unit_test(bytes_that_are_no_utf8_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
