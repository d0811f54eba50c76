/*
 * smtp_token: the access token of XOAUTH2, from the file in which somebody else renews it.
 */
#ifndef ROLLCALL_SMTP_TOKEN_H
#define ROLLCALL_SMTP_TOKEN_H

/* The token, without blanks around it; release with smtp_token_free. NULL, with a sentence
 * that quotes nothing of the file and lives until the next call, when there is none. */
char *smtp_token_read(const char *path, const char **reason);
void smtp_token_free(char **token);

#endif
