/*
 * text: what counts as an address, a number, a name.
 *
 * Always true: what passes a check here is taken by PostgreSQL, by libesmtp and by
 * the mail builder without an error of their own. Letters are classified by the
 * C library's Unicode tables (C.UTF-8), never by the environment's locale.
 *
 * How long a name may be is left to its column.
 */
#include "text.h"

#include <locale.h>
#include <pthread.h>
#include <string.h>
#include <wctype.h>

#include "buffer.h"
#include "log.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t unicode;

static void
load_unicode(void)
{
	unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (unicode == (locale_t)0)
		die("could not load the locale C.UTF-8");
}

static locale_t
unicode_locale(void)
{
	pthread_once(&once, load_unicode);
	return unicode;
}

/* The next character of valid text; 0 at its end and where it is not valid. */
static uint32_t
take_character(const char **text)
{
	uint32_t code_point = 0;

	*text += utf8_decode(*text, strnlen(*text, 4), &code_point);
	return code_point;
}

bool
text_equals(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

void
text_lower(struct buffer *out, const char *text)
{
	locale_t locale = unicode_locale();
	uint32_t code_point;
	char bytes[4];

	while ((code_point = take_character(&text)) != 0) {
		wint_t lower = towlower_l((wint_t)code_point, locale);

		buffer_append(out, bytes, utf8_encode((uint32_t)lower, bytes));
	}
}

/* ---- Characters. ASCII only, whatever the locale, unless the name says so. ---- */

struct range {
	uint32_t first, last;
};

static bool
is_in_ranges(uint32_t code_point, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (code_point >= ranges[i].first && code_point <= ranges[i].last)
			return true;
	return false;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_letter(char c)
{
	return is_lower(c) || (c >= 'A' && c <= 'Z');
}

static bool
is_letter_or_digit(char c)
{
	return is_letter(c) || is_digit(c);
}

/* Accents, nuktas and viramas: parts of letters that Unicode calls marks and the C
 * library does not call letters. */
static bool
is_mark_in_any_script(uint32_t code_point)
{
	static const struct range marks[] = {
		{ 0x0300, 0x036f }, { 0x0483, 0x0487 }, { 0x0591, 0x05bd }, { 0x064b, 0x065f },
		{ 0x093c, 0x093c }, { 0x094d, 0x094d }, { 0x09bc, 0x09bc }, { 0x09cd, 0x09cd },
		{ 0x0a3c, 0x0a3c }, { 0x0a4d, 0x0a4d }, { 0x0abc, 0x0abc }, { 0x0acd, 0x0acd },
		{ 0x0b3c, 0x0b3c }, { 0x0b4d, 0x0b4d }, { 0x0bcd, 0x0bcd }, { 0x0c4d, 0x0c4d },
		{ 0x0cbc, 0x0cbc }, { 0x0ccd, 0x0ccd }, { 0x0d4d, 0x0d4d }, { 0x0dca, 0x0dca },
		{ 0x0e38, 0x0e4e }, { 0x0eb8, 0x0ecd }, { 0x1037, 0x103a }, { 0x17d2, 0x17d2 },
		{ 0x3099, 0x309a },
	};

	return is_in_ranges(code_point, marks, ARRAY_COUNT(marks));
}

/* C0, DEL, C1, the line separators, and the marks that turn the direction of the
 * text around them: in a list or a mail they would act on what is not theirs. */
static bool
is_control(uint32_t code_point)
{
	static const struct range controls[] = {
		{ 0x00, 0x1f }, { 0x7f, 0x9f }, { 0x2028, 0x202e }, { 0x2066, 0x2069 },
	};

	return is_in_ranges(code_point, controls, ARRAY_COUNT(controls));
}

/* What shows as nothing: spaces of all widths, joiners, fillers. */
static bool
is_blank(uint32_t code_point)
{
	static const struct range blanks[] = {
		{ 0x20, 0x20 }, { 0xa0, 0xa0 }, { 0xad, 0xad }, { 0x034f, 0x034f },
		{ 0x061c, 0x061c }, { 0x115f, 0x1160 }, { 0x1680, 0x1680 }, { 0x17b4, 0x17b5 },
		{ 0x180b, 0x180f }, { 0x2000, 0x200f }, { 0x202f, 0x202f }, { 0x205f, 0x2064 },
		{ 0x206a, 0x206f }, { 0x2800, 0x2800 }, { 0x3000, 0x3000 }, { 0x3164, 0x3164 },
		{ 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 }, { 0xe0000, 0xe0fff },
	};

	return is_in_ranges(code_point, blanks, ARRAY_COUNT(blanks));
}

/* ---- Addresses and names ---- */

/* RFC 5321 §4.1.2, Dot-string: what needs no quoting. */
static bool
local_part_is_valid(const char *text, size_t length)
{
	if (length < 1 || length > 64 || text[0] == '.' || text[length - 1] == '.')
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '.' && text[i - 1] == '.')
			return false;
		if (text[i] == '\0' || (!is_letter_or_digit(text[i]) &&
		    strchr(".!#$%&'*+-/=?^_`{|}~", text[i]) == NULL))
			return false;
	}
	return true;
}

/* Letters, digits and inner hyphens, 1 to 63 (RFC 1035 §2.3.1, RFC 1123 §2.1). */
static bool
label_is_valid(const char *text, size_t length)
{
	if (length < 1 || length > 63 || text[0] == '-' || text[length - 1] == '-')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_letter_or_digit(text[i]) && text[i] != '-')
			return false;
	return true;
}

static bool
domain_is_valid(const char *text)
{
	int labels = 0;

	if (strcmp(text, "localhost") == 0)
		return true;
	for (;;) {
		size_t length = strcspn(text, ".");

		if (!label_is_valid(text, length))
			return false;
		labels++;
		if (text[length] == '\0')
			return labels >= 2;
		text += length + 1;
	}
}

bool
email_is_valid(const char *text)
{
	const char *at = strchr(text, '@');

	return at != NULL && strlen(text) <= 254 &&
		local_part_is_valid(text, (size_t)(at - text)) && domain_is_valid(at + 1);
}

bool
username_is_valid(const char *text)
{
	locale_t locale = unicode_locale();
	uint32_t code_point, before = 0;
	size_t length = utf8_length(text);

	if (length < 1 || length > 64)
		return false;
	while ((code_point = take_character(&text)) != 0) {
		bool is_ascii_mark = code_point < 0x80 && strchr(".-_", (char)code_point) != NULL;
		bool is_mark = before != 0 && is_mark_in_any_script(code_point);

		if (!iswalnum_l((wint_t)code_point, locale) && !is_ascii_mark && !is_mark)
			return false;
		if (is_blank(code_point))
			return false;
		before = code_point;
	}
	return *text == '\0';
}

bool
segment_is_dots(const char *text)
{
	return strcmp(text, ".") == 0 || strcmp(text, "..") == 0;
}

bool
name_is_valid(const char *text)
{
	uint32_t code_point;
	bool has_ink = false;

	while ((code_point = take_character(&text)) != 0) {
		if (is_control(code_point))
			return false;
		has_ink = has_ink || !is_blank(code_point);
	}
	return has_ink && *text == '\0';
}

bool
phone_normalize(const char *text, char out[17])
{
	char digits[1 + 2 + 15 + 1] = "";	/* a plus or 00, fifteen digits, NUL */
	const char *national;
	size_t count = 0;

	for (; *text != '\0'; text++) {
		if (strchr(" -()./", *text) != NULL)
			continue;
		if (!(is_digit(*text) || (*text == '+' && count == 0)) || count == sizeof(digits) - 1)
			return false;
		digits[count++] = *text;
	}
	digits[count] = '\0';
	if (digits[0] == '+')
		national = digits + 1;
	else if (strncmp(digits, "00", 2) == 0)
		national = digits + 2;
	else
		return false;
	count = strlen(national);
	if (count < 7 || count > 15 || national[0] == '0')
		return false;
	out[0] = '+';
	memcpy(out + 1, national, count + 1);
	return true;
}

/* ---- Words ---- */

bool
permission_is_valid(const char *text)
{
	static const char word[] = "abcdefghijklmnopqrstuvwxyz0123456789_.-";
	size_t first, second;

	if (strcmp(text, "*") == 0)
		return true;
	first = strspn(text, word);
	if (first == 0 || text[first] != ':')
		return false;
	second = strspn(text + first + 1, word);
	return second > 0 && text[first + 1 + second] == '\0' && first + 1 + second <= 64;
}

bool
color_is_valid(const char *text)
{
	return text[0] == '#' && strspn(text + 1, "0123456789abcdefABCDEF") == 6 && text[7] == '\0';
}

bool
slug_is_valid(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return text[length] == '\0' && length >= 2 && length <= 63 &&
		is_lower(text[0]) && text[length - 1] != '-';
}

bool
locale_is_known(const char *text)
{
	return strcmp(text, "en") == 0 || strcmp(text, "uk") == 0 || strcmp(text, "ru") == 0;
}

/* ---- Times ---- */

/* Exactly `count` digits; -1 when they are not there. */
static int
take_digits(const char **text, int count)
{
	int value = 0;

	while (count-- > 0) {
		if (!is_digit(**text))
			return -1;
		value = value * 10 + (*(*text)++ - '0');
	}
	return value;
}

static bool
take_character_of(const char **text, const char *any)
{
	if (**text == '\0' || strchr(any, **text) == NULL)
		return false;
	(*text)++;
	return true;
}

struct duration_unit {
	char letter;
	int64_t seconds;
};

/* Units in their order, each at most once. The sum, or -1; at least one unit. */
static int64_t
take_units(const char **text, const struct duration_unit *units, size_t count)
{
	int64_t total = 0;
	size_t next = 0, taken = 0;

	while (is_digit(**text)) {
		int64_t value = 0;

		for (int digits = 0; is_digit(**text); digits++) {
			if (digits == 9)
				return -1;
			value = value * 10 + (*(*text)++ - '0');
		}
		while (next < count && units[next].letter != **text)
			next++;
		if (next == count)
			return -1;
		/* At most 10^9 years: far from what overflows. */
		total += value * units[next++].seconds;
		(*text)++;
		taken++;
	}
	return taken > 0 ? total : -1;
}

int64_t
duration_seconds(const char *text)
{
	static const struct duration_unit dates[] = {
		{ 'Y', INT64_C(360) * 86400 }, { 'M', INT64_C(30) * 86400 },
		{ 'W', INT64_C(7) * 86400 }, { 'D', 86400 },
	};
	static const struct duration_unit times[] = { { 'H', 3600 }, { 'M', 60 }, { 'S', 1 } };
	/* Longer ones would pass PostgreSQL's range for what is added to a date. */
	const int64_t longest = INT64_C(1000) * 360 * 86400;
	int64_t date = 0, time = 0;

	if (*text++ != 'P')
		return -1;
	if (*text != 'T')
		date = take_units(&text, dates, ARRAY_COUNT(dates));
	if (date >= 0 && *text == 'T') {
		text++;
		time = take_units(&text, times, ARRAY_COUNT(times));
	}
	if (date < 0 || time < 0 || *text != '\0' || date + time > longest)
		return -1;
	return date + time;
}

static bool
take_date(const char **text)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year, month, day;
	bool is_leap;

	year = take_digits(text, 4);
	if (year < 1 || !take_character_of(text, "-"))	/* PostgreSQL has no year 0 */
		return false;
	month = take_digits(text, 2);
	if (month < 1 || month > 12 || !take_character_of(text, "-"))
		return false;
	day = take_digits(text, 2);
	is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return day >= 1 && day <= days[month - 1] + (month == 2 && is_leap);
}

static bool
take_time(const char **text)
{
	int hour, minute, second, digits = 0;

	hour = take_digits(text, 2);
	if (hour < 0 || hour > 23 || !take_character_of(text, ":"))
		return false;
	minute = take_digits(text, 2);
	if (minute < 0 || minute > 59 || !take_character_of(text, ":"))
		return false;
	second = take_digits(text, 2);
	if (second < 0 || second > 60)	/* 60: a leap second */
		return false;
	if (!take_character_of(text, "."))
		return true;
	if (second == 60)	/* PostgreSQL takes 60, and not a part of a second more */
		return false;
	for (; is_digit(**text); digits++)
		(*text)++;
	return digits >= 1 && digits <= 9;
}

static bool
take_offset(const char **text)
{
	int hour, minute;

	if (take_character_of(text, "Zz"))
		return true;
	if (!take_character_of(text, "+-"))
		return false;
	hour = take_digits(text, 2);
	if (hour < 0 || hour > 15 || !take_character_of(text, ":"))	/* PostgreSQL's bound */
		return false;
	minute = take_digits(text, 2);
	return minute >= 0 && minute <= 59;
}

bool
timestamp_is_valid(const char *text)
{
	return take_date(&text) && take_character_of(&text, "Tt") && take_time(&text) &&
		take_offset(&text) && *text == '\0';
}
