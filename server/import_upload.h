/*
 * import_upload: how a file comes in: whole, or announced and then in parts; and the word
 * that it is there and shall be read, which may be said again.
 */
#ifndef ROLLCALL_IMPORT_UPLOAD_H
#define ROLLCALL_IMPORT_UPLOAD_H

#include "request.h"

extern request_step *const import_create_steps[];
extern request_step *const import_part_put_steps[];
extern request_step *const import_parse_steps[];

#endif
