/*
 * charset: finds out and decodes.
 *
 * The guess between Windows-1251 and Windows-1252 looks at words: Cyrillic ones are made
 * of high bytes, while in the West high bytes stand among ASCII letters.
 */
#include "charset.h"

#include <string.h>
#include <strings.h>

#include "utf8.h"

static const char *const names[CHARSET_COUNT] = {
	[CHARSET_UNKNOWN] = "",
	[CHARSET_UTF_8] = "utf-8",
	[CHARSET_UTF_16LE] = "utf-16le",
	[CHARSET_UTF_16BE] = "utf-16be",
	[CHARSET_WINDOWS_1251] = "windows-1251",
	[CHARSET_WINDOWS_1252] = "windows-1252",
};

/* 0x80 to 0xbf; behind them is the alphabet. 0: there is none. */
static const uint16_t windows_1251[64] = {
	0x0402, 0x0403, 0x201a, 0x0453, 0x201e, 0x2026, 0x2020, 0x2021,
	0x20ac, 0x2030, 0x0409, 0x2039, 0x040a, 0x040c, 0x040b, 0x040f,
	0x0452, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
	0x0000, 0x2122, 0x0459, 0x203a, 0x045a, 0x045c, 0x045b, 0x045f,
	0x00a0, 0x040e, 0x045e, 0x0408, 0x00a4, 0x0490, 0x00a6, 0x00a7,
	0x0401, 0x00a9, 0x0404, 0x00ab, 0x00ac, 0x00ad, 0x00ae, 0x0407,
	0x00b0, 0x00b1, 0x0406, 0x0456, 0x0491, 0x00b5, 0x00b6, 0x00b7,
	0x0451, 0x2116, 0x0454, 0x00bb, 0x0458, 0x0405, 0x0455, 0x0457,
};

/* 0x80 to 0x9f; behind them it is Latin-1. */
static const uint16_t windows_1252[32] = {
	0x20ac, 0x0000, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
	0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0x0000, 0x017d, 0x0000,
	0x0000, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
	0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x0000, 0x017e, 0x0178,
};

const char *
charset_name(enum charset charset)
{
	return names[charset];
}

enum charset
charset_by_name(const char *name)
{
	for (int i = CHARSET_UNKNOWN + 1; i < CHARSET_COUNT; i++)
		if (strcasecmp(names[i], name) == 0)
			return (enum charset)i;
	return CHARSET_UNKNOWN;
}

static bool
is_ascii_letter(int byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

struct votes {
	size_t cyrillic, western;	/* high bytes in words that speak for either */
	size_t word_high, word_ascii;	/* letters of the word that is being read */
};

/* A word of high bytes alone, of two at least; or one among ASCII letters. */
static void
count_word(struct votes *votes)
{
	if (votes->word_ascii > 0)
		votes->western += votes->word_high;
	else if (votes->word_high > 1)
		votes->cyrillic += votes->word_high;
	votes->word_high = votes->word_ascii = 0;
}

static struct charset_finding
guess(const uint8_t *bytes, size_t length)
{
	struct votes votes = { 0 };
	bool is_1251 = true, is_1252 = true;
	struct charset_finding finding = { .charset = CHARSET_WINDOWS_1251, .is_guess = true };
	size_t larger;

	for (size_t i = 0; i < length; i++) {
		is_1251 &= bytes[i] != 0x98;
		is_1252 &= bytes[i] < 0x80 || bytes[i] >= 0xa0 || windows_1252[bytes[i] - 0x80] != 0;
		if (bytes[i] >= 0x80)
			votes.word_high++;
		else if (is_ascii_letter(bytes[i]))
			votes.word_ascii++;
		else
			count_word(&votes);
	}
	count_word(&votes);
	if (is_1251 != is_1252)
		*(is_1251 ? &votes.western : &votes.cyrillic) = 0;
	if (votes.western > votes.cyrillic || (is_1252 && !is_1251))
		finding.charset = CHARSET_WINDOWS_1252;
	larger = votes.western > votes.cyrillic ? votes.western : votes.cyrillic;
	/* Of few letters little can be said: one is added to either side. */
	finding.sure_percent = (int)((larger + 1) * 100 / (votes.western + votes.cyrillic + 2));
	if (finding.sure_percent > 99)
		finding.sure_percent = 99;
	return finding;
}

struct charset_finding
charset_find(const uint8_t *bytes, size_t length, enum charset wanted)
{
	static const struct {
		enum charset charset;
		const char *mark;
		size_t bytes;
	} marks[] = {
		{ CHARSET_UTF_8, "\xef\xbb\xbf", 3 },
		{ CHARSET_UTF_16LE, "\xff\xfe", 2 },
		{ CHARSET_UTF_16BE, "\xfe\xff", 2 },
	};

	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
		if ((wanted == CHARSET_UNKNOWN || wanted == marks[i].charset)
			&& length >= marks[i].bytes && memcmp(bytes, marks[i].mark, marks[i].bytes) == 0)
			return (struct charset_finding){ marks[i].charset, false, 100, marks[i].bytes };
	if (wanted != CHARSET_UNKNOWN)
		return (struct charset_finding){ wanted, false, 100, 0 };
	if (utf8_is_valid((const char *)bytes, length))
		return (struct charset_finding){ CHARSET_UTF_8, false, 100, 0 };
	return guess(bytes, length);
}

/* Both return how many bytes the first character takes, or 0 when it is none. */
static size_t
decode_utf16(const uint8_t *bytes, size_t length, bool is_little, uint32_t *code_point)
{
	uint32_t units[2] = { 0 };

	for (size_t i = 0; i < 2 && 2 * i + 1 < length; i++)
		units[i] = is_little ? (uint32_t)bytes[2 * i + 1] << 8 | bytes[2 * i]
			: (uint32_t)bytes[2 * i] << 8 | bytes[2 * i + 1];
	if (length < 2 || (units[0] & 0xfc00) == 0xdc00)
		return 0;
	*code_point = units[0];
	if ((units[0] & 0xfc00) != 0xd800)
		return 2;
	if ((units[1] & 0xfc00) != 0xdc00)
		return 0;
	*code_point = 0x10000 + ((units[0] & 0x3ff) << 10 | (units[1] & 0x3ff));
	return 4;
}

static size_t
decode_byte(uint8_t byte, enum charset charset, uint32_t *code_point)
{
	*code_point = byte;
	if (charset == CHARSET_WINDOWS_1251 && byte >= 0x80)
		*code_point = byte >= 0xc0 ? 0x410u + byte - 0xc0 : windows_1251[byte - 0x80];
	else if (charset == CHARSET_WINDOWS_1252 && byte >= 0x80 && byte < 0xa0)
		*code_point = windows_1252[byte - 0x80];
	return *code_point == 0 && byte != 0 ? 0 : 1;
}

static size_t
decode(const struct charset_reader *reader, uint32_t *code_point)
{
	const size_t length = (size_t)(reader->end - reader->at);

	switch (reader->charset) {
	case CHARSET_UTF_16LE:
	case CHARSET_UTF_16BE:
		return decode_utf16(reader->at, length, reader->charset == CHARSET_UTF_16LE, code_point);
	case CHARSET_WINDOWS_1251:
	case CHARSET_WINDOWS_1252:
		return decode_byte(*reader->at, reader->charset, code_point);
	default:
		return utf8_decode((const char *)reader->at, length, code_point);
	}
}

enum charset_stop
charset_read(struct charset_reader *reader, char *out, size_t size, size_t *written)
{
	uint32_t code_point = 0;
	size_t used;

	for (*written = 0; reader->at < reader->end; reader->at += used) {
		if (size - *written < 4)
			return CHARSET_FULL;
		used = decode(reader, &code_point);
		if (used == 0)
			return CHARSET_BAD;
		if (code_point == 0)
			return CHARSET_NUL;
		*written += utf8_encode(code_point, out + *written);
	}
	return CHARSET_END;
}
