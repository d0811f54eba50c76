/*
 * photo: which bytes are a picture that may be kept, and what of them is kept.
 *
 * Nothing is decoded: a picture is walked part by part, and what is not known to be
 * needed for drawing it is left out or refused. So no bomb goes off here, and no place
 * where a picture was taken, no thumbnail, no comment and no file behind it stays.
 * What the compressed pixels themselves say is the reader's business: photos are served
 * so that nothing in them can run (server/photos.c).
 */
#ifndef ROLLCALL_PHOTO_H
#define ROLLCALL_PHOTO_H

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

#define PHOTO_BYTES_MAX (1024 * 1024)
#define PHOTO_SIDE_MAX 4096

enum photo_type { PHOTO_NONE, PHOTO_PNG, PHOTO_JPEG };

struct photo {
	enum photo_type type;
	uint32_t width, height;		/* of its pixels, before any orientation */
};

/* By their first bytes alone; PHOTO_NONE for whatever is neither. */
enum photo_type photo_type_of(const uint8_t *bytes, size_t length);
/* "image/png", "image/jpeg". */
const char *photo_media_type(enum photo_type type);
/* Appends the cleaned picture to `out`, which is not longer than it came but for 36
 * bytes. NULL; or static text that can be shown to a client and says what is wrong, and
 * what was appended is of no use then. Cleaning what is clean changes nothing. */
const char *photo_clean(const uint8_t *bytes, size_t length, struct buffer *out, struct photo *photo)
	__attribute__((warn_unused_result));

#endif
