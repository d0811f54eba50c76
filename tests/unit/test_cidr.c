/* cidr: networks in one spelling, and what was probably meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <string.h>

#include "cidr.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
networks_have_one_spelling(void **state)
{
	static const struct {
		const char *text;
		enum cidr_outcome outcome;
		const char *canonical;
	} cases[] = {
		{ "10.0.0.0/8", CIDR_GOOD, "10.0.0.0/8" }, { "192.0.2.7", CIDR_GOOD, "192.0.2.7/32" },
		{ "192.0.2.7/32", CIDR_GOOD, "192.0.2.7/32" }, { "0.0.0.0/0", CIDR_GOOD, "0.0.0.0/0" },
		{ "::/0", CIDR_GOOD, "::/0" }, { "2001:DB8::/32", CIDR_GOOD, "2001:db8::/32" },
		{ "2001:db8:0:0:0:0:0:1", CIDR_GOOD, "2001:db8::1/128" }, { "128.0.0.0/1", CIDR_GOOD, "128.0.0.0/1" },
		{ "10.1.2.3/8", CIDR_HAS_HOST_BITS, "10.0.0.0/8" }, { "192.0.2.7/31", CIDR_HAS_HOST_BITS, "192.0.2.6/31" },
		{ "1.2.3.4/0", CIDR_HAS_HOST_BITS, "0.0.0.0/0" }, { "2001:db8::1/64", CIDR_HAS_HOST_BITS, "2001:db8::/64" },
		{ "::1/127", CIDR_HAS_HOST_BITS, "::/127" },
		{ "::ffff:10.0.0.0/104", CIDR_IS_MAPPED, "10.0.0.0/8" }, { "::ffff:192.0.2.7", CIDR_IS_MAPPED, "192.0.2.7/32" },
		{ "::ffff:10.1.2.3/104", CIDR_IS_MAPPED, "10.0.0.0/8" }, { "::ffff:0:0/96", CIDR_IS_MAPPED, "0.0.0.0/0" },
		{ "::fffe:0:0/95", CIDR_GOOD, "::fffe:0:0/95" },
		{ "::ffff:0:0/95", CIDR_HAS_HOST_BITS, "::fffe:0:0/95" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char canonical[CIDR_TEXT_SIZE], detail[CIDR_FAULT_SIZE];

		assert_int_equal(cidr_parse(cases[i].text, canonical), cases[i].outcome);
		assert_string_equal(canonical, cases[i].canonical);
		assert_int_equal(cidr_fault(cases[i].text, detail), cases[i].outcome != CIDR_GOOD);
		if (cases[i].outcome != CIDR_GOOD)
			assert_non_null(strstr(detail, cases[i].canonical));
	}
}

static void
what_is_no_network_is_refused(void **state)
{
	static const char *const cases[] = {
		"", "/", "/8", "10", "10.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0/8 ",
		" 10.0.0.0/8", "10.0.0.0/8/8", "10.0.0.0/255.0.0.0", "10.0.0.0/4294967304", "256.0.0.1", "010.0.0.1", "1.2.3.4.5",
		"::/129", ":", ":::", "g::", "fe80::1%eth0", "fe80::1%1/64", "[::1]", "example.org", "10.0.0.1-10.0.0.9", "*",
		"1111:2222:3333:4444:5555:6666:255.255.255.255.255.255.255.255",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char canonical[CIDR_TEXT_SIZE], detail[CIDR_FAULT_SIZE];

		assert_int_equal(cidr_parse(cases[i], canonical), CIDR_MALFORMED);
		assert_string_equal(canonical, "");
		assert_true(cidr_fault(cases[i], detail));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks_have_one_spelling),
		cmocka_unit_test(what_is_no_network_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
