/*
 * api_keys: what applications show in place of a session; the organization's, whoever made them.
 */
#ifndef ROLLCALL_API_KEYS_H
#define ROLLCALL_API_KEYS_H

#include "body.h"
#include "resource.h"

/* Of an organization, expired ones among them; revoked ones do not count. */
#define API_KEYS_MAX 200

extern const struct body_field api_key_create_fields[];
extern const struct body_field api_key_edit_fields[];
extern const char *const api_key_list_parameters[];
extern const struct resource api_keys;

extern request_step *const api_key_list_steps[];
extern request_step *const api_key_create_steps[];
extern request_step *const api_key_edit_steps[];
extern request_step *const api_key_remove_steps[];

#endif
