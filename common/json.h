/*
 * json: JSON in and out, with json-c behind a guard.
 *
 * json-c alone accepts single quotes, NaN, control bytes, overlong UTF-8, text
 * behind a NUL and duplicate keys (the last wins). json_parse refuses all of
 * them before json-c sees the text. Handlers read through the typed accessors.
 */
#ifndef ROLLCALL_JSON_H
#define ROLLCALL_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

#define JSON_DEPTH_MAX 32

/* The value, owned by the caller (json_object_put), or NULL with *reason set to
 * static text that can be shown to a client. Only an object or an array at the
 * top; strict UTF-8; no \u0000 and no lone surrogate; no duplicate keys (after
 * unescaping); numbers of at most 18 digits, finite. */
struct json_object *json_parse(const char *bytes, size_t length, const char **reason)
	__attribute__((warn_unused_result));

/* NULL when the member is missing, null, or not of that type. */
struct json_object *json_member(struct json_object *object, const char *name);
const char *json_member_string(struct json_object *object, const char *name);
/* `otherwise` when the member is missing or not of that type. */
int64_t json_member_int(struct json_object *object, const char *name, int64_t otherwise);
bool json_member_bool(struct json_object *object, const char *name, bool otherwise);

/* The target as a merge patch changes it (RFC 7396), as a value of its own that the caller
 * puts; members of either may be shared with it. Either may be NULL (null). */
struct json_object *json_merge_patch(struct json_object *target, struct json_object *patch)
	__attribute__((warn_unused_result));

/* A JSON string with its quotes; the text is valid UTF-8. NULL writes null. */
void json_write_string(struct buffer *out, const char *text);
/* Writes `"name":` and a comma before it unless it follows { or [. */
void json_write_name(struct buffer *out, const char *name);
/* The value as JSON text without superfluous white space or escaped slashes. */
void json_write_value(struct buffer *out, struct json_object *value);
/* Small helpers for objects that C builds: comma as json_write_name. */
void json_write_string_member(struct buffer *out, const char *name, const char *text);
void json_write_int_member(struct buffer *out, const char *name, int64_t value);
void json_write_bool_member(struct buffer *out, const char *name, bool value);
/* `"name":[before,after]`: a change as the audit tells it. */
void json_write_change(struct buffer *out, const char *name, const char *before, const char *after);
/* A comma, unless what was written last opens an object or an array. */
void json_write_separator(struct buffer *out);

#endif
