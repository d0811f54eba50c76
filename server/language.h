/*
 * language: which of our languages a client asks for.
 */
#ifndef ROLLCALL_LANGUAGE_H
#define ROLLCALL_LANGUAGE_H

/* The known language that an Accept-Language header (RFC 9110 §12.5.4; NULL: none) likes
 * best, the first of equals: "en", "uk", "ru"; NULL when it names none. Static text. */
const char *language_accepted(const char *header);

#endif
