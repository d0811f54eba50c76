/*
 * smtp_token: see its header. A token lives an hour or so: it is read for each connection and
 * kept no longer. Whoever renews it should write another file and rename it to this one.
 */
#include "smtp_token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "memory.h"

#define TOKEN_MAX 16384	/* Microsoft's are 2 kB */

/* RFC 6750 §2.1, and what else is printable: a control byte would end XOAUTH2's fields. */
static const char *
find_token(char *text, char **token)
{
	size_t length;

	text += strspn(text, " \t\r\n");
	length = strlen(text);
	while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
		length--;
	text[length] = '\0';
	for (size_t i = 0; i < length; i++)
		if (text[i] <= ' ' || text[i] >= 0x7f)
			return "it holds more than one token, or what is none";
	if (length == 0)
		return "it is empty";
	*token = xstrdup(text);
	return NULL;
}

char *
smtp_token_read(const char *path, const char **reason)
{
	FILE *file = fopen(path, "re");
	char *text = xcalloc(1, TOKEN_MAX + 2), *token = NULL;
	size_t length = file != NULL ? fread(text, 1, TOKEN_MAX + 1, file) : 0;

	if (file == NULL || ferror(file))
		*reason = strerror(errno);
	else if (length > TOKEN_MAX)
		*reason = "it is too long for a token";
	else
		*reason = find_token(text, &token);
	if (file != NULL)
		fclose(file);
	OPENSSL_cleanse(text, TOKEN_MAX + 2);
	free(text);
	return token;
}

void
smtp_token_free(char **token)
{
	if (*token != NULL)
		OPENSSL_cleanse(*token, strlen(*token));
	free(*token);
	*token = NULL;
}
