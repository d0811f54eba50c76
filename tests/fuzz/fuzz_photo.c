/*
 * Fuzzes common/photo.c (libFuzzer; `make fuzz-photo`).
 *
 * Beside what the sanitizers see: what was cleaned is clean, is hardly longer than it
 * came, and is of the size that was allowed. Checksums stand in a fuzzer's way: its
 * changes are made good before they are tried, but for one in sixteen.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "photo.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t length, size_t length_max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t length, size_t length_max);

static void
must(bool claim)
{
	if (!claim)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct buffer once = BUFFER_INIT, twice = BUFFER_INIT;
	struct photo photo, again;

	if (photo_clean(bytes, length, &once, &photo) == NULL) {
		must(photo.width >= 1 && photo.width <= PHOTO_SIDE_MAX);
		must(photo.height >= 1 && photo.height <= PHOTO_SIDE_MAX);
		must(once.length <= length + 36);
		must(photo_clean((const uint8_t *)once.data, once.length, &twice, &again) == NULL);
		must(memcmp(&photo, &again, sizeof(photo)) == 0);
		must(once.length == twice.length && memcmp(once.data, twice.data, once.length) == 0);
	}
	buffer_free(&once);
	buffer_free(&twice);
	return 0;
}

static uint32_t
crc_of(const uint8_t *bytes, size_t length)
{
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < length; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (crc & 1) != 0 ? 0xedb88320u ^ (crc >> 1) : crc >> 1;
	}
	return crc ^ 0xffffffffu;
}

static void
mend_checksums(uint8_t *bytes, size_t length)
{
	for (size_t at = 8; length - at >= 12;) {
		const size_t data = (size_t)bytes[at] << 24 | (size_t)bytes[at + 1] << 16 | (size_t)bytes[at + 2] << 8 | bytes[at + 3];
		if (data > length - at - 12)
			return;
		const uint32_t crc = crc_of(bytes + at + 4, data + 4);
		for (int i = 0; i < 4; i++)
			bytes[at + 8 + data + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
		at += 12 + data;
	}
}

size_t
LLVMFuzzerCustomMutator(uint8_t *bytes, size_t length, size_t length_max, unsigned seed)
{
	length = LLVMFuzzerMutate(bytes, length, length_max);
	if (seed % 16 != 0 && photo_type_of(bytes, length) == PHOTO_PNG)
		mend_checksums(bytes, length);
	return length;
}
