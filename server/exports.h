/*
 * exports: people as files: streamed at once, or made by the worker.
 */
#ifndef ROLLCALL_EXPORTS_H
#define ROLLCALL_EXPORTS_H

#include "body.h"
#include "request.h"

extern const char *const export_stream_parameters[];
extern const struct body_field export_create_fields[];
extern const char *const export_list_parameters[];

extern request_step *const export_stream_steps[];
extern request_step *const export_create_steps[];
extern request_step *const export_list_steps[];
extern request_step *const export_get_steps[];
extern request_step *const export_file_steps[];

#endif
