/*
 * import_template: GET /v1/imports/template.
 */
#ifndef ROLLCALL_IMPORT_TEMPLATE_H
#define ROLLCALL_IMPORT_TEMPLATE_H

#include "request.h"

extern const char *const import_template_parameters[];
extern request_step *const import_template_steps[];

#endif
