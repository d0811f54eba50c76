/*
 * photo_priv: what the walkers of the two formats share.
 */
#ifndef ROLLCALL_PHOTO_PRIV_H
#define ROLLCALL_PHOTO_PRIV_H

#include "photo.h"

/* A walk over one picture. Both return NULL, or what is wrong. */
struct photo_walk {
	const uint8_t *bytes;
	size_t length, at;		/* at <= length, always */
	struct buffer *out;
	struct photo *photo;
};

const char *photo_clean_png(struct photo_walk *walk);
const char *photo_clean_jpeg(struct photo_walk *walk);

#define PHOTO_ENDS_EARLY "The picture ends too early: some of it is missing."

/* Checks and notes the size that a picture claims to have. */
const char *photo_set_size(struct photo *photo, uint32_t width, uint32_t height);

static inline size_t
photo_left(const struct photo_walk *walk)
{
	return walk->length - walk->at;
}

static inline uint32_t
photo_be16(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 8 | bytes[1];
}

static inline uint32_t
photo_be32(const uint8_t *bytes)
{
	return photo_be16(bytes) << 16 | photo_be16(bytes + 2);
}

static inline void
photo_keep(struct photo_walk *walk, const uint8_t *bytes, size_t length)
{
	buffer_append(walk->out, (const char *)bytes, length);
}

#endif
