/*
 * Tells the formats apart and hands the picture to the one that knows it.
 *
 * What is always true: what comes out is made of parts that photo_png.c or photo_jpeg.c
 * knows, no side is longer than 4096 pixels, and nothing stands behind the end.
 */
#include "photo.h"

#include <string.h>

#include "photo_priv.h"

static const uint8_t png_signature[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
static const uint8_t jpeg_signature[] = { 0xff, 0xd8, 0xff };

enum photo_type
photo_type_of(const uint8_t *bytes, size_t length)
{
	if (length >= sizeof(png_signature) && memcmp(bytes, png_signature, sizeof(png_signature)) == 0)
		return PHOTO_PNG;
	if (length >= sizeof(jpeg_signature) && memcmp(bytes, jpeg_signature, sizeof(jpeg_signature)) == 0)
		return PHOTO_JPEG;
	return PHOTO_NONE;
}

const char *
photo_media_type(enum photo_type type)
{
	static const char *const media_types[] = { NULL, "image/png", "image/jpeg" };

	return media_types[type];
}

const char *
photo_set_size(struct photo *photo, uint32_t width, uint32_t height)
{
	if (width == 0 || height == 0)
		return "The picture says that it has no pixels.";
	if (width > PHOTO_SIDE_MAX || height > PHOTO_SIDE_MAX)
		return "The picture says that it is larger than 4096 by 4096 pixels.";
	photo->width = width;
	photo->height = height;
	return NULL;
}

const char *
photo_clean(const uint8_t *bytes, size_t length, struct buffer *out, struct photo *photo)
{
	struct photo_walk walk = { .bytes = bytes, .length = length, .out = out, .photo = photo };

	*photo = (struct photo){ .type = photo_type_of(bytes, length) };
	if (length > PHOTO_BYTES_MAX)
		return "A picture has at most 1 MiB.";
	switch (photo->type) {
	case PHOTO_PNG:
		return photo_clean_png(&walk);
	case PHOTO_JPEG:
		return photo_clean_jpeg(&walk);
	case PHOTO_NONE:
		break;
	}
	return "This is neither a PNG nor a JPEG picture.";
}
