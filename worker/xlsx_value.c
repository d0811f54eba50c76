/*
 * xlsx_value: numbers, days and escapes of a workbook.
 *
 * Numbers are turned as text, digit by digit: what looks like a phone number must come
 * out as the digits that went in. Days are counted from the end of 1899, with a 29
 * February 1900 that never was (before it, one less), or from 1904 on.
 */
#include "xlsx_value.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

enum { DIGITS_MAX = 48, PLACES_MAX = 28, EXACT_DIGITS = 15, SECONDS_A_DAY = 86400 };

#define DAYS_MAX 2958465	/* 9999-12-31 */

void
xlsx_text_clear(struct xlsx_text *text)
{
	text->length = 0;
	text->is_too_long = false;
}

void
xlsx_text_add(struct xlsx_text *text, const char *bytes, size_t length)
{
	if (length > PARSER_CELL_BYTES_MAX - text->length) {
		text->is_too_long = true;
		return;
	}
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
}

/* _xHHHH_ at `at`: the code point, or 0. */
static uint32_t
escaped_at(const char *at)
{
	char digits[5] = { 0 };

	if (at[0] != '_' || at[1] != 'x')
		return 0;
	for (int i = 0; i < 4; i++)
		if (!isxdigit((unsigned char)at[2 + i]))
			return 0;
	if (at[6] != '_')
		return 0;
	memcpy(digits, at + 2, 4);
	return (uint32_t)strtoul(digits, NULL, 16);
}

void
xlsx_text_finish(struct xlsx_text *text)
{
	size_t kept = 0;

	text->bytes[text->length] = '\0';
	for (size_t i = 0; i < text->length;) {
		const uint32_t code_point = escaped_at(text->bytes + i);

		if (code_point != 0 && (code_point < 0xd800 || code_point > 0xdfff)) {
			char character[4];
			const size_t length = utf8_encode(code_point, character);

			memcpy(text->bytes + kept, character, length);
			kept += length;
			i += 7;
		} else {
			text->bytes[kept++] = text->bytes[i++];
		}
	}
	text->length = kept;
	text->bytes[kept] = '\0';
}

enum xlsx_format
xlsx_format_builtin(long id)
{
	if (id == 22)
		return XLSX_DATE_TIME;
	if ((id >= 14 && id <= 17) || (id >= 27 && id <= 31) || id == 36 || (id >= 50 && id <= 58))
		return XLSX_DATE;
	if ((id >= 18 && id <= 21) || (id >= 32 && id <= 35) || (id >= 45 && id <= 47))
		return XLSX_TIME;
	return XLSX_PLAIN;
}

/* Behind a quoted text, a bracket, or an escaped character; else `at`. */
static const char *
skip_literal(const char *at)
{
	const char *end = NULL;

	if (*at == '"')
		end = strchr(at + 1, '"');
	else if (*at == '[' && strchr("hHmMsS", at[1]) == NULL)
		end = strchr(at, ']');
	else if ((*at == '\\' || *at == '_' || *at == '*') && at[1] != '\0')
		end = at + 1;
	return end != NULL ? end + 1 : at;
}

enum xlsx_format
xlsx_format_of(const char *code)
{
	bool has_day = false, has_time = false, has_month = false;

	if (strncasecmp(code, "general", 7) == 0)
		return XLSX_PLAIN;
	for (const char *at = code; *at != '\0' && *at != ';';) {
		const char *next = skip_literal(at);

		if (next != at) {
			at = next;
			continue;
		}
		has_day |= strchr("yYdD", *at) != NULL;
		has_time |= strchr("hHsS", *at) != NULL;
		has_month |= *at == 'm' || *at == 'M';
		at++;
	}
	/* m alone is a month; beside hours or seconds, minutes. */
	has_day |= has_month && !has_time;
	return has_day ? has_time ? XLSX_DATE_TIME : XLSX_DATE : has_time ? XLSX_TIME : XLSX_PLAIN;
}

struct number {
	bool is_negative;
	char digits[DIGITS_MAX + 1];	/* all of them, without the point */
	int count;
	int point;			/* how many stand before it; may lie outside */
};

/* [-]digits[.digits][E[+-]digits], and nothing else. */
static bool
read_number(const char *text, struct number *number)
{
	int fraction = 0;
	long exponent = 0;

	*number = (struct number){ .is_negative = *text == '-' };
	text += *text == '-';
	for (bool is_fraction = false; isdigit((unsigned char)*text) || (*text == '.' && !is_fraction); text++) {
		if (*text == '.') {
			is_fraction = true;
			continue;
		}
		if (number->count == DIGITS_MAX)
			return false;
		number->digits[number->count++] = *text;
		fraction += is_fraction;
	}
	if (number->count == 0)
		return false;
	if (*text == 'E' || *text == 'e') {
		char *end;

		if (!isdigit((unsigned char)text[1 + (text[1] == '+' || text[1] == '-')]))
			return false;
		exponent = strtol(text + 1, &end, 10);
		text = end;
	}
	if (*text != '\0' || exponent > PLACES_MAX || exponent < -PLACES_MAX)
		return false;
	number->point = number->count - fraction + (int)exponent;
	return true;
}

/* Without zeros in front and, behind the point, at the end. */
static void
trim_number(struct number *number)
{
	int zeros = 0;

	while (zeros < number->count && number->digits[zeros] == '0')
		zeros++;
	memmove(number->digits, number->digits + zeros, (size_t)(number->count - zeros) + 1);
	number->count -= zeros;
	number->point -= zeros;
	while (number->count > 0 && number->count > number->point && number->digits[number->count - 1] == '0')
		number->digits[--number->count] = '\0';
	if (number->count == 0)
		*number = (struct number){ .point = 0 };
}

static void
write_number(const struct number *number, char out[XLSX_NUMBER_BYTES])
{
	char *at = out;

	if (number->is_negative)
		*at++ = '-';
	if (number->point <= 0)
		*at++ = '0';
	if (number->point <= 0 && number->count > 0)
		*at++ = '.';
	for (int i = number->point; i < 0; i++)
		*at++ = '0';
	for (int i = 0; i < number->count || i < number->point; i++) {
		if (i == number->point && i > 0)
			*at++ = '.';
		*at++ = i < number->count ? number->digits[i] : '0';
	}
	*at = '\0';
}

bool
xlsx_number_text(const char *stored, char out[XLSX_NUMBER_BYTES])
{
	struct number number;
	char rounded[40];

	if (!read_number(stored, &number))
		return false;
	trim_number(&number);
	if (number.count > EXACT_DIGITS && number.count > number.point) {
		snprintf(rounded, sizeof rounded, "%.*g", EXACT_DIGITS, strtod(stored, NULL));
		if (!read_number(rounded, &number))
			return false;
		trim_number(&number);
	}
	if (number.point < -PLACES_MAX || number.point > DIGITS_MAX)
		return false;
	write_number(&number, out);
	return true;
}

/* Howard Hinnant's days_from_civil, the other way: years begin in March. */
static void
write_day(long days_from_1970, char out[XLSX_NUMBER_BYTES])
{
	const long shifted = days_from_1970 + 719468, era = shifted / 146097, day_of_era = shifted - era * 146097;
	const long year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	const long day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	const long month = (5 * day_of_year + 2) / 153;

	snprintf(out, XLSX_NUMBER_BYTES, "%04ld-%02ld-%02ld", year_of_era + era * 400 + (month >= 10),
		month < 10 ? month + 3 : month - 9, day_of_year - (153 * month + 2) / 5 + 1);
}

bool
xlsx_date_text(const char *stored, enum xlsx_format format, bool is_1904, char out[XLSX_NUMBER_BYTES])
{
	struct number number;
	double serial;
	long days, seconds;
	size_t length = 0;

	if (!read_number(stored, &number) || number.is_negative)
		return false;
	serial = strtod(stored, NULL);
	if (!(serial <= DAYS_MAX))
		return false;
	days = (long)serial;
	seconds = lround((serial - (double)days) * SECONDS_A_DAY);
	if (seconds == SECONDS_A_DAY) {
		days++;
		seconds = 0;
	}
	if (format == XLSX_DATE)
		seconds = 0;
	if (format == XLSX_TIME && days > 0)
		return false;
	out[0] = '\0';
	if (format == XLSX_DATE || (format == XLSX_DATE_TIME && days > 0)) {
		write_day(is_1904 ? days - 24107 : days < 60 ? days - 25568 : days - 25569, out);
		length = strlen(out);
	}
	if (seconds > 0 || length == 0)
		snprintf(out + length, XLSX_NUMBER_BYTES - length, "%s%02ld:%02ld:%02ld", length > 0 ? "T" : "",
			seconds / 3600, seconds / 60 % 60, seconds % 60);
	return true;
}
