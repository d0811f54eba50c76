/*
 * utf8: strict UTF-8.
 *
 * Owns the one decoder that the JSON guard, the log and the text checks share, so
 * that they agree on what a character is. Always true: what it accepts is what
 * PostgreSQL accepts (NUL aside, which is a character like others here).
 */
#include "utf8.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

size_t
utf8_decode(const char *text, size_t length, uint32_t *code_point)
{
	/* By length: what marks the first byte, and the least code point, below which
	 * the form is overlong. */
	static const struct {
		uint8_t mask, mark;
		uint32_t least;
	} forms[] = {
		{ 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 },
		{ 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 },
	};
	const uint8_t *bytes = (const uint8_t *)text;
	uint32_t value;
	size_t form = 0;

	if (length == 0)
		return 0;
	while (form < ARRAY_COUNT(forms) && (bytes[0] & forms[form].mask) != forms[form].mark)
		form++;
	if (form == ARRAY_COUNT(forms) || form >= length)
		return 0;
	value = bytes[0] & (uint8_t)~forms[form].mask;
	for (size_t i = 1; i <= form; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (bytes[i] & 0x3f);
	}
	if (value < forms[form].least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*code_point = value;
	return form + 1;
}

size_t
utf8_encode(uint32_t code_point, char out[4])
{
	static const uint8_t marks[] = { 0x00, 0xc0, 0xe0, 0xf0 };
	size_t length = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 :
		code_point < 0x10000 ? 3 : 4;

	for (size_t i = length - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (code_point & 0x3f));
		code_point >>= 6;
	}
	out[0] = (char)(marks[length - 1] | code_point);
	return length;
}

bool
utf8_is_valid(const char *text, size_t length)
{
	uint32_t code_point;

	while (length > 0) {
		size_t used = utf8_decode(text, length, &code_point);

		if (used == 0)
			return false;
		text += used;
		length -= used;
	}
	return true;
}

size_t
utf8_length(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += ((uint8_t)*text & 0xc0) != 0x80;
	return count;
}
