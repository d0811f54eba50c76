/*
 * photos: the picture of a user, by those who may and by himself.
 */
#ifndef ROLLCALL_PHOTOS_H
#define ROLLCALL_PHOTOS_H

#include "request.h"

extern const char *const photo_parameters[];	/* v: for caches, means nothing here */
extern request_step *const photo_get_steps[];
extern request_step *const photo_put_steps[];
extern request_step *const photo_remove_steps[];

#endif
