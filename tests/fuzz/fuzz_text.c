/*
 * Fuzzes common/text.c (libFuzzer; `make fuzz-text`): addresses, phone numbers, names, moments.
 *
 * An address that is accepted can be handed to a mail server as it is; a phone number comes out
 * as E.164, and as itself when it goes in again.
 */
#include "fuzz.h"
#include "buffer.h"
#include "text.h"

static void
check_email(const char *text)
{
	if (!email_is_valid(text))
		return;
	must(strlen(text) <= 254 && strchr(text, '@') != NULL && strchr(text, '@') == strrchr(text, '@'));
	for (const char *at = text; *at != '\0'; at++)
		must(*at > ' ' && *at < 127 && strchr("<>\"\\,;:()[]", *at) == NULL);
}

static void
check_phone(const char *text)
{
	char once[17], twice[17];

	if (!phone_normalize(text, once))
		return;
	must(once[0] == '+' && once[1] >= '1' && once[1] <= '9' && strlen(once) >= 8 && strlen(once) <= 16);
	must(strspn(once + 1, "0123456789") == strlen(once) - 1);
	must(phone_normalize(once, twice) && strcmp(once, twice) == 0);
}

static void
check_lower(const char *text)
{
	struct buffer lower = BUFFER_INIT;

	text_lower(&lower, text);
	must(utf8_is_valid(buffer_text(&lower), lower.length));
	buffer_free(&lower);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char *text = text_of(bytes, length);

	if (utf8_is_valid(text, strlen(text))) {
		check_email(text);
		check_phone(text);
		check_lower(text);
		if (username_is_valid(text))
			must(strchr(text, '@') == NULL && strchr(text, ' ') == NULL && utf8_length(text) <= 64);
		if (permission_is_valid(text))
			must(strlen(text) <= 64);
		must(duration_seconds(text) >= -1);
		(void)name_is_valid(text);
		(void)slug_is_valid(text);
		(void)color_is_valid(text);
		(void)timestamp_is_valid(text);
		(void)segment_is_dots(text);
	}
	free(text);
	return 0;
}
