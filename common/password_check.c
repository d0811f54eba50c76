/*
 * password_check: whether a password is too easy to guess.
 *
 * It is read from left to right as a guesser would put it together: a common word,
 * a part of the person's own name, a run on the keyboard, a year, or else a single
 * character. Each piece costs the guesser something; a password whose pieces cost
 * too little together is too common, however long it is. So "Password-2024!!" and
 * "qwertyuiop12" are refused, and no list of all their variations is needed. (NIST
 * SP 800-63B 5.1.1.2 asks for comparing with common, repetitive, sequential and
 * context-specific values, and against rules about kinds of characters.)
 *
 * The list of words is in password_words.c.
 */
#include "password.h"

#include <openssl/crypto.h>
#include <string.h>
#include <uchar.h>

#include "password_words.h"
#include "text.h"

/* What a piece is worth. A random password has one for each character. */
#define WORD_WORTH 2
#define PREDICTABLE_WORTH 1	/* one's own name, a run, a year */
#define CHARACTER_WORTH 1
#define WORTH_NEEDED 6

#define RUN_LEAST 3		/* "12" may be chance */
#define CONTEXT_LEAST 3

/* A password as code points in lower case. */
struct folded {
	char32_t text[PASSWORD_MAX_BYTES];
	size_t length;
};

struct piece {
	size_t length;		/* in code points */
	int worth;
	bool is_predictable;
};

static const char32_t *const keyboard_rows[] = {
	U"1234567890", U"qwertyuiop", U"asdfghjkl", U"zxcvbnm", U"qwertzuiop", U"yxcvbnm", U"azertyuiop",
	U"qsdfghjklm", U"wxcvbn", U"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik", U"qazwsxedcrfvtgbyhnujmik",
	U"1q2w3e4r5t6y7u8i9o0p", U"q1w2e3r4t5y6u7i8o9p0", U"!@#$%^&*()", U"147258369", U"159753",
	U"йцукенгшщзхъ", U"йцукенгшщзхї", U"фывапролджэ", U"фівапролджє", U"ячсмитьбю", U"ячсмітьбю",
};

/* The next code point; a byte that is no UTF-8 stands for itself. */
static char32_t
next_code_point(const char **text)
{
	const unsigned char *bytes = (const unsigned char *)*text;
	size_t more = bytes[0] >= 0xf0 ? 3 : bytes[0] >= 0xe0 ? 2 : bytes[0] >= 0xc0 ? 1 : 0;
	char32_t point = more == 0 ? bytes[0] : bytes[0] & (0x3fu >> more);

	for (size_t i = 1; i <= more; i++) {
		if ((bytes[i] & 0xc0) != 0x80) {	/* also the closing NUL */
			++*text;
			return bytes[0];
		}
		point = point << 6 | (bytes[i] & 0x3f);
	}
	*text += more + 1;
	return point;
}

/* Lower case of Latin and Cyrillic, whatever the locale. */
static char32_t
fold(char32_t point)
{
	if ((point >= U'A' && point <= U'Z') || (point >= 0xc0 && point <= 0xde && point != 0xd7) ||
	    (point >= 0x410 && point <= 0x42f))
		return point + 0x20;
	if (point >= 0x400 && point <= 0x40f)	/* Ё, Є, І, Ї and their like */
		return point + 0x50;
	return point == 0x490 ? 0x491 : point;	/* Ґ */
}

static bool
is_digit(char32_t point)
{
	return point >= U'0' && point <= U'9';
}

static bool
is_separator(char32_t point)
{
	return point < 0x80 && !is_digit(point) && !(point >= U'a' && point <= U'z');
}

/* What one writes for a letter to please a rule about digits and signs. */
static bool
looks_like(char32_t point, char32_t letter)
{
	static const char *const look_alikes[26] = {
		['a' - 'a'] = "4@", ['b' - 'a'] = "8", ['e' - 'a'] = "3", ['g' - 'a'] = "9",
		['i' - 'a'] = "1!", ['l' - 'a'] = "1!|", ['o' - 'a'] = "0", ['s' - 'a'] = "5$",
		['t' - 'a'] = "7+", ['z' - 'a'] = "2",
	};

	if (point == letter)
		return true;
	if (letter < U'a' || letter > U'z' || point >= 0x80 || !look_alikes[letter - U'a'])
		return false;
	return strchr(look_alikes[letter - U'a'], (int)point) != NULL;
}

/* How many code points at `at` spell all of the word [word, end); 0: not that word. */
static size_t
match_word(const struct folded *password, size_t at, const char *word, const char *end)
{
	size_t from = at;

	while (word < end) {
		char32_t letter = fold(next_code_point(&word));

		if (at == password->length || !looks_like(password->text[at], letter))
			return 0;
		at++;
	}
	return at - from;
}

static void
keep_longer(struct piece *best, size_t length, int worth)
{
	if (length > best->length || (length == best->length && worth < best->worth))
		*best = (struct piece){ length, worth, true };
}

static void
try_words(const struct folded *password, size_t at, struct piece *best)
{
	for (const char *const *word = password_words; *word; word++)
		keep_longer(best, match_word(password, at, *word, *word + strlen(*word)), WORD_WORTH);
}

/* The whole text and each part of it ("ivan", "petrenko", "example" of an address). */
static void
try_context(const struct folded *password, size_t at, const char *text, struct piece *best)
{
	static const char separators[] = " .-_+@'";
	const char *end = text + strlen(text);
	size_t length = match_word(password, at, text, end);

	if (length >= CONTEXT_LEAST)
		keep_longer(best, length, PREDICTABLE_WORTH);
	while (text < end) {
		const char *part_end = text + strcspn(text, separators);

		length = match_word(password, at, text, part_end);
		if (length >= CONTEXT_LEAST)
			keep_longer(best, length, PREDICTABLE_WORTH);
		text = part_end + strspn(part_end, separators);
	}
}

/* aaaa, abcd, 4321: each code point differs from the one before by the same step. */
static size_t
match_steps(const struct folded *password, size_t at, int step)
{
	size_t end = at + 1;

	while (end < password->length &&
	    password->text[end] == password->text[end - 1] + (char32_t)step)
		end++;
	return end - at;
}

/* As many as lie side by side in the row, to the right (1) or to the left (-1). */
static size_t
match_row(const struct folded *password, size_t at, const char32_t *row, int direction)
{
	size_t row_length = 0, key, end;

	while (row[row_length])
		row_length++;
	for (key = 0; key < row_length && row[key] != password->text[at]; key++)
		continue;
	for (end = at; end < password->length && key < row_length && row[key] == password->text[end]; end++)
		key += (size_t)direction;	/* left of the row wraps to a huge key */
	return end - at;
}

static void
try_runs(const struct folded *password, size_t at, struct piece *best)
{
	size_t longest = 0;

	for (int step = -1; step <= 1; step++) {
		size_t length = match_steps(password, at, step);

		longest = length > longest ? length : longest;
	}
	for (size_t i = 0; i < sizeof(keyboard_rows) / sizeof(keyboard_rows[0]); i++) {
		for (int direction = -1; direction <= 1; direction += 2) {
			size_t length = match_row(password, at, keyboard_rows[i], direction);

			longest = length > longest ? length : longest;
		}
	}
	if (longest >= RUN_LEAST)
		keep_longer(best, longest, PREDICTABLE_WORTH);
}

static void
try_year(const struct folded *password, size_t at, struct piece *best)
{
	const char32_t *text = password->text + at;

	if (password->length - at < 4 || !is_digit(text[2]) || !is_digit(text[3]))
		return;
	if ((text[0] == U'1' && text[1] == U'9') || (text[0] == U'2' && text[1] == U'0'))
		keep_longer(best, 4, PREDICTABLE_WORTH);
}

static struct piece
next_piece(const struct folded *password, size_t at, const char *const *context, size_t context_count)
{
	struct piece best = { 1, CHARACTER_WORTH, false };

	try_words(password, at, &best);
	for (size_t i = 0; i < context_count; i++)
		if (context[i])
			try_context(password, at, context[i], &best);
	try_runs(password, at, &best);
	try_year(password, at, &best);
	return best;
}

/* Whether the pieces are worth enough together. Stops as soon as they are, so the
 * cost is bounded by WORTH_NEEDED looks at the list of words. */
static bool
is_worth_enough(const struct folded *password, const char *const *context, size_t context_count)
{
	int worth = 0;
	bool after_predictable = false;
	size_t at = 0;

	while (at < password->length && worth < WORTH_NEEDED) {
		if (after_predictable && is_separator(password->text[at])) {
			at++;	/* the sign that is hung on to a word adds nothing */
			continue;
		}

		struct piece piece = next_piece(password, at, context, context_count);

		worth += piece.worth;
		after_predictable = piece.is_predictable;
		at += piece.length;
	}
	return worth >= WORTH_NEEDED;
}

/* Something that is said twice or more is worth as much as said once: cuts the
 * password to its shortest period (by the borders of Knuth, Morris and Pratt). */
static void
cut_repetition(struct folded *password)
{
	size_t border[PASSWORD_MAX_BYTES] = { 0 };
	size_t length = password->length;

	for (size_t i = 1, matched = 0; i < length; i++) {
		while (matched > 0 && password->text[i] != password->text[matched])
			matched = border[matched - 1];
		if (password->text[i] == password->text[matched])
			matched++;
		border[i] = matched;
	}
	if (length > 0 && border[length - 1] * 2 >= length)
		password->length = length - border[length - 1];
}

enum password_fault
password_check(const char *password, size_t min_length, const char *const *context,
	size_t context_count)
{
	struct folded folded = { 0 };
	bool is_enough;

	if (strlen(password) > PASSWORD_MAX_BYTES)
		return PASSWORD_TOO_LONG;
	if (utf8_length(password) < min_length)
		return PASSWORD_TOO_SHORT;

	while (*password)
		folded.text[folded.length++] = fold(next_code_point(&password));
	cut_repetition(&folded);
	is_enough = is_worth_enough(&folded, context, context_count);
	OPENSSL_cleanse(&folded, sizeof(folded));
	return is_enough ? PASSWORD_OK : PASSWORD_TOO_COMMON;
}
