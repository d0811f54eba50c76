/*
 * positions: the titles that people may have.
 */
#ifndef ROLLCALL_POSITIONS_H
#define ROLLCALL_POSITIONS_H

#include "body.h"
#include "resource.h"

extern const struct body_field position_create_fields[];
extern const struct body_field position_edit_fields[];
extern const struct resource positions;

#endif
