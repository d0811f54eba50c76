/*
 * PNG (ISO/IEC 15948): IHDR, PLTE, tRNS, IDAT and IEND stay, byte by byte; other chunks
 * that a decoder may leave out are left out, others are refused.
 *
 * What is always true: every chunk's checksum was right, the kept ones stand in their
 * order and have the length that their kind has, and IEND is the last.
 */
#include <stdbool.h>
#include <string.h>

#include "photo_priv.h"

#define SIGNATURE_BYTES 8
/* Length, type and checksum around a chunk's data. */
#define CHUNK_BYTES 12
#define CHUNK_DATA_MAX 0x7fffffffu

enum colour { GREY = 0, TRUE_COLOUR = 2, PALETTE = 3, GREY_ALPHA = 4, TRUE_COLOUR_ALPHA = 6 };

struct png {
	struct photo_walk *walk;
	uint32_t crcs[256];
	bool has_header, has_transparency, has_data, data_is_over, has_end;
	uint8_t depth, colour;
	uint32_t palette_entries;
};

/* CRC-32 as the standard's annex D has it. */
static void
make_crcs(uint32_t crcs[256])
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t crc = byte;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc & 1) != 0 ? 0xedb88320u ^ (crc >> 1) : crc >> 1;
		crcs[byte] = crc;
	}
}

static uint32_t
crc_of(const uint32_t crcs[256], const uint8_t *bytes, size_t length)
{
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < length; i++)
		crc = crcs[(crc ^ bytes[i]) & 0xff] ^ (crc >> 8);
	return crc ^ 0xffffffffu;
}

/* Which depths a kind of colour may have, as bits: depth 8 is bit 8. */
static uint32_t
depths_of(uint8_t colour)
{
	switch (colour) {
	case GREY:
		return 1u << 1 | 1u << 2 | 1u << 4 | 1u << 8 | 1u << 16;
	case PALETTE:
		return 1u << 1 | 1u << 2 | 1u << 4 | 1u << 8;
	case TRUE_COLOUR:
	case GREY_ALPHA:
	case TRUE_COLOUR_ALPHA:
		return 1u << 8 | 1u << 16;
	default:
		return 0;
	}
}

static const char *
take_header(struct png *png, const uint8_t *data, uint32_t length)
{
	if (png->has_header || length != 13)
		return "The picture's header is malformed.";
	png->has_header = true;
	png->depth = data[8];
	png->colour = data[9];
	if (png->depth > 16 || (depths_of(png->colour) & 1u << png->depth) == 0)
		return "The picture has colours that PNG does not know.";
	if (data[10] != 0 || data[11] != 0 || data[12] > 1)
		return "The picture is packed in a way that PNG does not know.";
	return photo_set_size(png->walk->photo, photo_be32(data), photo_be32(data + 4));
}

static const char *
take_palette(struct png *png, const uint8_t *data, uint32_t length)
{
	const uint32_t most = png->colour == PALETTE ? 1u << png->depth : 256;

	(void)data;
	if (png->palette_entries > 0 || png->has_transparency || png->has_data || png->colour == GREY
		|| png->colour == GREY_ALPHA || length == 0 || length % 3 != 0 || length / 3 > most)
		return "The picture's palette is malformed or out of place.";
	png->palette_entries = length / 3;
	return NULL;
}

static const char *
take_transparency(struct png *png, const uint8_t *data, uint32_t length)
{
	bool fits = false;

	(void)data;
	if (png->colour == GREY)
		fits = length == 2;
	else if (png->colour == TRUE_COLOUR)
		fits = length == 6;
	else if (png->colour == PALETTE)
		fits = length > 0 && length <= png->palette_entries;
	if (png->has_transparency || png->has_data || !fits)
		return "The picture's transparency is malformed or out of place.";
	png->has_transparency = true;
	return NULL;
}

static const char *
take_data(struct png *png, const uint8_t *data, uint32_t length)
{
	(void)data;
	(void)length;
	if (png->data_is_over || (png->colour == PALETTE && png->palette_entries == 0))
		return "The picture's pixels are out of place.";
	png->has_data = true;
	return NULL;
}

static const char *
take_end(struct png *png, const uint8_t *data, uint32_t length)
{
	(void)data;
	if (length != 0 || !png->has_data)
		return "The picture has no pixels, or its end is malformed.";
	png->has_end = true;
	return NULL;
}

static const struct chunk {
	const char *type;
	const char *(*take)(struct png *png, const uint8_t *data, uint32_t length);
} chunks[] = {
	{ "IHDR", take_header }, { "PLTE", take_palette }, { "tRNS", take_transparency },
	{ "IDAT", take_data }, { "IEND", take_end },
};

static const struct chunk *
find_chunk(const uint8_t *type)
{
	for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
		if (memcmp(chunks[i].type, type, 4) == 0)
			return &chunks[i];
	}
	return NULL;
}

/* A capital first letter says that the picture cannot be drawn without the chunk. */
static bool
may_be_left_out(const uint8_t *type)
{
	return type[0] >= 'a' && type[0] <= 'z';
}

static const char *
take_chunk(struct png *png)
{
	struct photo_walk *walk = png->walk;
	const uint8_t *start = walk->bytes + walk->at;

	if (photo_left(walk) < CHUNK_BYTES)
		return PHOTO_ENDS_EARLY;
	const uint32_t length = photo_be32(start);
	if (length > CHUNK_DATA_MAX || length > photo_left(walk) - CHUNK_BYTES)
		return PHOTO_ENDS_EARLY;
	const uint8_t *type = start + 4, *data = start + 8;
	if (crc_of(png->crcs, type, length + 4) != photo_be32(data + length))
		return "The picture is damaged: a checksum is wrong.";
	const struct chunk *chunk = find_chunk(type);
	if (!png->has_header && (chunk == NULL || chunk->take != take_header))
		return "The picture's header is missing.";
	if (chunk == NULL && !may_be_left_out(type))
		return "The picture has a part that is not known here and cannot be left out.";
	if (png->has_data && (chunk == NULL || chunk->take != take_data))
		png->data_is_over = true;
	walk->at += CHUNK_BYTES + (size_t)length;
	if (chunk == NULL)
		return NULL;
	photo_keep(walk, start, CHUNK_BYTES + (size_t)length);
	return chunk->take(png, data, length);
}

const char *
photo_clean_png(struct photo_walk *walk)
{
	struct png png = { .walk = walk };
	const char *fault = NULL;

	make_crcs(png.crcs);
	photo_keep(walk, walk->bytes, SIGNATURE_BYTES);
	walk->at = SIGNATURE_BYTES;
	while (fault == NULL && !png.has_end)
		fault = take_chunk(&png);
	return fault;
}
