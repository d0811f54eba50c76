/*
 * JPEG (ITU-T T.81): the tables, the frame, the scans and their compressed data stay.
 *
 * Of the application segments three are written anew, with nothing in them but what a
 * decoder needs: JFIF without its thumbnail, Exif with the orientation alone, and Adobe's,
 * without which the colours of some pictures cannot be told. All others, comments and what
 * stands behind the end are left out.
 *
 * What is always true: the frame came before the scans, tables have the length that they
 * say and no more, and arithmetic, lossless and hierarchical pictures are refused.
 */
#include <stdbool.h>
#include <string.h>

#include "photo_priv.h"

/* Each scan goes over the whole picture once more: readers would pay for more of them.
 * Progressive pictures have some ten. */
#define SCANS_MAX 100
#define COMPONENTS_MAX 4

enum marker {
	SOF0 = 0xc0, SOF1 = 0xc1, SOF2 = 0xc2, DHT = 0xc4, RST0 = 0xd0, RST7 = 0xd7, SOI = 0xd8, EOI = 0xd9,
	SOS = 0xda, DQT = 0xdb, DRI = 0xdd, APP0 = 0xe0, APP1 = 0xe1, APP14 = 0xee, APP15 = 0xef, COM = 0xfe,
};

struct jpeg {
	struct photo_walk *walk;
	uint8_t components[COMPONENTS_MAX];
	uint32_t component_count;	/* 0: no frame yet */
	int scans;
	bool has_jfif, has_orientation, has_adobe;
};

static void
keep_segment(struct jpeg *jpeg, uint8_t marker, const uint8_t *data, size_t length)
{
	const size_t counted = length + 2;
	const uint8_t head[] = { 0xff, marker, (uint8_t)(counted >> 8), (uint8_t)(counted & 0xff) };

	photo_keep(jpeg->walk, head, sizeof(head));
	photo_keep(jpeg->walk, data, length);
}

/* ---- Application segments: written anew. */

static void
keep_jfif(struct jpeg *jpeg, const uint8_t *data, size_t length)
{
	uint8_t jfif[14];

	if (jpeg->has_jfif || length < sizeof(jfif) || memcmp(data, "JFIF", 5) != 0)
		return;
	jpeg->has_jfif = true;
	memcpy(jfif, data, sizeof(jfif));
	jfif[12] = jfif[13] = 0;	/* of the thumbnail, which may show what was cut away */
	keep_segment(jpeg, APP0, jfif, sizeof(jfif));
}

static void
keep_adobe(struct jpeg *jpeg, const uint8_t *data, size_t length)
{
	uint8_t adobe[] = { 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, 0 };

	if (jpeg->has_adobe || length < sizeof(adobe) || memcmp(data, adobe, 5) != 0 || data[11] > 2)
		return;
	jpeg->has_adobe = true;
	adobe[11] = data[11];		/* how the colours were transformed */
	keep_segment(jpeg, APP14, adobe, sizeof(adobe));
}

static uint32_t
tiff_number(const uint8_t *bytes, int count, bool is_little)
{
	uint32_t number = 0;

	for (int i = 0; i < count; i++)
		number = number << 8 | bytes[is_little ? count - 1 - i : i];
	return number;
}

/* The orientation (Exif 2.3, tag 0x0112) of the first directory: 1 to 8, or 0. */
static uint32_t
find_orientation(const uint8_t *tiff, size_t length)
{
	if (length < 8 || (memcmp(tiff, "II*", 4) != 0 && memcmp(tiff, "MM\0*", 4) != 0))
		return 0;
	const bool is_little = tiff[0] == 'I';
	const size_t at = tiff_number(tiff + 4, 4, is_little);
	if (at > length - 2)
		return 0;
	const size_t count = tiff_number(tiff + at, 2, is_little);
	const size_t room = (length - at - 2) / 12;
	for (size_t i = 0; i < count && i < room; i++) {
		const uint8_t *entry = tiff + at + 2 + i * 12;
		if (tiff_number(entry, 2, is_little) != 0x0112)
			continue;
		const bool is_short = tiff_number(entry + 2, 2, is_little) == 3 && tiff_number(entry + 4, 4, is_little) == 1;
		const uint32_t value = tiff_number(entry + 8, 2, is_little);
		return is_short && value <= 8 ? value : 0;
	}
	return 0;
}

static void
keep_orientation(struct jpeg *jpeg, const uint8_t *data, size_t length)
{
	uint8_t exif[] = { 'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, '*', 0, 0, 0, 8, 0, 1, /* one entry: */
		0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, /* no other directory: */ 0, 0, 0, 0 };

	if (jpeg->has_orientation || length < 6 || memcmp(data, "Exif\0", 6) != 0)
		return;
	const uint32_t orientation = find_orientation(data + 6, length - 6);
	if (orientation < 2)		/* upright, or nobody knows */
		return;
	jpeg->has_orientation = true;
	exif[25] = (uint8_t)orientation;
	keep_segment(jpeg, APP1, exif, sizeof(exif));
}

/* ---- What a decoder needs: kept as it is, once its form is right. */

static const char *
check_quantization(const uint8_t *data, size_t length)
{
	while (length > 0) {
		const size_t table = 1 + 64u * (1u + (data[0] >> 4));
		if (data[0] >> 4 > 1 || (data[0] & 15) > 3 || table > length)
			return "A table of the picture is malformed.";
		data += table;
		length -= table;
	}
	return NULL;
}

static const char *
check_huffman(const uint8_t *data, size_t length)
{
	while (length > 0) {
		size_t table = 17;
		if (data[0] >> 4 > 1 || (data[0] & 15) > 3 || length < table)
			return "A table of the picture is malformed.";
		for (int i = 1; i <= 16; i++)
			table += data[i];
		if (table > 17 + 256 || table > length)
			return "A table of the picture is malformed.";
		data += table;
		length -= table;
	}
	return NULL;
}

static const char *
take_frame(struct jpeg *jpeg, const uint8_t *data, size_t length)
{
	if (jpeg->component_count > 0 || length < 6 || data[5] == 0 || data[5] > COMPONENTS_MAX || length != 6 + 3u * data[5])
		return "The picture's header is malformed.";
	if (data[0] != 8)
		return "The picture has colours of other than 8 bits.";
	jpeg->component_count = data[5];
	for (uint32_t i = 0; i < jpeg->component_count; i++) {
		const uint8_t *component = data + 6 + 3u * i;
		const int across = component[1] >> 4, down = component[1] & 15;
		if (across < 1 || across > 4 || down < 1 || down > 4 || component[2] > 3
			|| memchr(jpeg->components, component[0], i) != NULL)
			return "The picture's header is malformed.";
		jpeg->components[i] = component[0];
	}
	return photo_set_size(jpeg->walk->photo, photo_be16(data + 3), photo_be16(data + 1));
}

static const char *
take_scan(struct jpeg *jpeg, const uint8_t *data, size_t length)
{
	const size_t count = length > 0 ? data[0] : 0;

	if (count == 0 || count > jpeg->component_count || length != 4 + 2 * count)
		return "A scan of the picture is malformed or out of place.";
	for (size_t i = 0; i < count; i++) {
		if (memchr(jpeg->components, data[1 + 2 * i], jpeg->component_count) == NULL)
			return "A scan of the picture is malformed or out of place.";
	}
	if (++jpeg->scans > SCANS_MAX)
		return "The picture has too many scans.";
	return NULL;
}

static const char *
check_segment(struct jpeg *jpeg, uint8_t marker, const uint8_t *data, size_t length)
{
	switch (marker) {
	case DQT:
		return check_quantization(data, length);
	case DHT:
		return check_huffman(data, length);
	case DRI:
		return length == 2 ? NULL : "A table of the picture is malformed.";
	case SOF0:
	case SOF1:
	case SOF2:
		return take_frame(jpeg, data, length);
	case SOS:
		return take_scan(jpeg, data, length);
	default:
		return "The picture is of a kind of JPEG that is not known here, or damaged.";
	}
}

static const char *
take_segment(struct jpeg *jpeg, uint8_t marker, const uint8_t *data, size_t length)
{
	const bool is_application = marker >= APP0 && marker <= APP15;

	if (!is_application && marker != COM) {
		keep_segment(jpeg, marker, data, length);
		return check_segment(jpeg, marker, data, length);
	}
	if (marker == APP0)
		keep_jfif(jpeg, data, length);
	else if (marker == APP1)
		keep_orientation(jpeg, data, length);
	else if (marker == APP14)
		keep_adobe(jpeg, data, length);
	return NULL;
}

/* Up to the next marker: FF 00 is a byte of it, FF D0 to FF D7 are restarts within. */
static const char *
take_compressed(struct jpeg *jpeg)
{
	struct photo_walk *walk = jpeg->walk;
	const size_t start = walk->at;

	for (;;) {
		const uint8_t *mark = memchr(walk->bytes + walk->at, 0xff, photo_left(walk));
		if (mark == NULL || (size_t)(mark - walk->bytes) + 1 >= walk->length)
			return PHOTO_ENDS_EARLY;
		walk->at = (size_t)(mark - walk->bytes);
		if (mark[1] != 0 && (mark[1] < RST0 || mark[1] > RST7))
			break;
		walk->at += 2;
	}
	if (walk->at == start)
		return "A scan of the picture is empty.";
	photo_keep(walk, walk->bytes + start, walk->at - start);
	return NULL;
}

/* FF, as often as one likes, and the marker's own byte; 0 where there is none. */
static uint8_t
next_marker(struct photo_walk *walk)
{
	const size_t start = walk->at;

	while (photo_left(walk) > 0 && walk->bytes[walk->at] == 0xff)
		walk->at++;
	return walk->at > start && photo_left(walk) > 0 ? walk->bytes[walk->at++] : 0;
}

const char *
photo_clean_jpeg(struct photo_walk *walk)
{
	static const uint8_t start[] = { 0xff, SOI }, end[] = { 0xff, EOI };
	struct jpeg jpeg = { .walk = walk };
	const char *fault;

	photo_keep(walk, start, sizeof(start));
	walk->at = sizeof(start);
	for (;;) {
		const uint8_t marker = next_marker(walk);
		if (marker == EOI)
			break;
		if (photo_left(walk) < 2)
			return PHOTO_ENDS_EARLY;
		const uint8_t *segment = walk->bytes + walk->at;
		const size_t length = photo_be16(segment);
		if (length < 2 || length > photo_left(walk))
			return PHOTO_ENDS_EARLY;
		walk->at += length;
		fault = take_segment(&jpeg, marker, segment + 2, length - 2);
		if (fault == NULL && marker == SOS)
			fault = take_compressed(&jpeg);
		if (fault != NULL)
			return fault;
	}
	if (jpeg.scans == 0)
		return "The picture has no pixels.";
	photo_keep(walk, end, sizeof(end));
	return NULL;
}
