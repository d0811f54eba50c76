/*
 * json_guard: what is wrong with a JSON text, before json-c sees it.
 */
#ifndef ROLLCALL_JSON_GUARD_H
#define ROLLCALL_JSON_GUARD_H

#include <stddef.h>

/* NULL when the text keeps to RFC 8259 and to the limits of json.h; otherwise the
 * first fault, as static text that can be shown to a client. A name given twice is
 * seen where its object ends. */
const char *json_fault(const char *bytes, size_t length);

#endif
