/*
 * password_words: what people choose when they are asked for a password, without
 * the digits and signs that they hang on to it. Lower case, UTF-8, ends with NULL.
 */
#ifndef ROLLCALL_PASSWORD_WORDS_H
#define ROLLCALL_PASSWORD_WORDS_H

extern const char *const password_words[];

#endif
