/*
 * schema, as far as it needs no database: names and bounds of the audit's
 * partitions, the mark of an incompatible migration, and what is embedded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "schema.h"
#include "uuid.h"

static void
partitions_are_months_in_utc(void **state)
{
	static const struct {
		int64_t now_s;
		int offset;
		const char *name;
		int64_t begins_at_ms;
	} cases[] = {
		{ 1767225600, 0, "audit_2026_01", 1767225600000 },	/* the first second of 2026 */
		{ 1767225599, 0, "audit_2025_12", 1764547200000 },	/* the one before it */
		{ 1767225600, -1, "audit_2025_12", 1764547200000 },
		{ 1769860800, 1, "audit_2026_02", 1769904000000 },	/* on a 31st: February all the same */
		{ 1767225600, 24, "audit_2028_01", 1830297600000 },
		{ 1709164800, 12, "audit_2025_02", 1738368000000 },	/* on a leap day */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[16];
		int64_t begins_at_ms;

		audit_partition(cases[i].now_s, cases[i].offset, name, &begins_at_ms);
		assert_string_equal(name, cases[i].name);
		assert_int_equal(begins_at_ms, cases[i].begins_at_ms);
	}
}

static void
bounds_of_partitions_sort_like_the_ids_between_them(void **state)
{
	char name[16];
	int64_t low_ms, high_ms;
	struct uuid low, inside, high;

	(void)state;
	audit_partition(1767225600, 0, name, &low_ms);
	audit_partition(1767225600, 1, name, &high_ms);
	low = uuid_at(low_ms);
	inside = uuid_at(high_ms - 1);
	high = uuid_at(high_ms);
	assert_true(memcmp(low.bytes, inside.bytes, sizeof(low.bytes)) < 0);
	assert_true(memcmp(inside.bytes, high.bytes, sizeof(low.bytes)) < 0);
}

static void
an_incompatible_migration_says_so_in_its_first_line(void **state)
{
	static const struct {
		const char *sql;
		int below;
	} cases[] = {
		{ "-- incompatible-below: 12\nDROP TABLE t;\n", 12 },
		{ "-- Drops a table.\n-- incompatible-below: 12\n", 0 },
		{ "DROP TABLE t;\n", 0 },
		{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(migration_incompatible_below(cases[i].sql), cases[i].below);
}

static void
embedded_migrations_are_numbered_without_gaps(void **state)
{
	(void)state;
	assert_true(migration_count > 0);
	for (int i = 0; i < migration_count; i++) {
		assert_int_equal(migrations[i].version, i);
		assert_true(strlen(migrations[i].sql) > 0);
		/* A program would refuse to run on the schema that it made itself. */
		assert_true(migration_incompatible_below(migrations[i].sql) <= migrations[migration_count - 1].version);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(partitions_are_months_in_utc),
		cmocka_unit_test(bounds_of_partitions_sort_like_the_ids_between_them),
		cmocka_unit_test(an_incompatible_migration_says_so_in_its_first_line),
		cmocka_unit_test(embedded_migrations_are_numbered_without_gaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
