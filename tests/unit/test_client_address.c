/* client_address: whom a chain of proxies, honest and not, makes of a client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "client_address.h"
#include "config_values.h"

static struct config config;

static const struct {
	const char *peer, *forwarded, *address;
} cases[] = {
	/* Nobody in between, or nobody that is trusted. */
	{ "203.0.113.9", NULL, "203.0.113.9" },
	{ "203.0.113.9", "1.2.3.4", "203.0.113.9" },
	{ "203.0.113.9", "10.0.0.1", "203.0.113.9" },
	{ "::ffff:203.0.113.9", NULL, "203.0.113.9" },
	{ "2001:db8::1", "1.2.3.4", "2001:db8::1" },
	/* One proxy, which appends. */
	{ "10.0.0.1", "1.2.3.4", "1.2.3.4" },
	{ "10.0.0.1", NULL, "10.0.0.1" },
	{ "::ffff:10.0.0.1", "1.2.3.4", "1.2.3.4" },
	{ "10.0.0.1", "9.9.9.9, 1.2.3.4", "1.2.3.4" },
	{ "10.0.0.1", "10.0.0.2, 1.2.3.4", "1.2.3.4" },
	{ "10.0.0.1", "junk, 1.2.3.4", "1.2.3.4" },
	{ "10.0.0.1", "  1.2.3.4\t", "1.2.3.4" },
	/* A chain. */
	{ "10.0.0.1", "1.2.3.4, 10.0.0.2, 10.0.0.3", "1.2.3.4" },
	{ "10.0.0.1", "9.9.9.9,1.2.3.4,fd00::5,10.0.0.3", "1.2.3.4" },
	{ "fd00::1", "1.2.3.4, 10.0.0.2", "1.2.3.4" },
	{ "10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2" },
	{ "10.0.0.1", "1.2.3.4, ::ffff:10.0.0.2", "1.2.3.4" },
	/* What cannot be read: the last hop that could. */
	{ "10.0.0.1", "", "10.0.0.1" },
	{ "10.0.0.1", ",", "10.0.0.1" },
	{ "10.0.0.1", "1.2.3.4,", "10.0.0.1" },
	{ "10.0.0.1", "1.2.3.4, ,10.0.0.2", "10.0.0.2" },
	{ "10.0.0.1", "unknown", "10.0.0.1" },
	{ "10.0.0.1", "_hidden", "10.0.0.1" },
	{ "10.0.0.1", "1.2.3.4, junk, 10.0.0.2", "10.0.0.2" },
	{ "10.0.0.1", "1.2.3", "10.0.0.1" },
	{ "10.0.0.1", "01.2.3.4", "10.0.0.1" },
	{ "10.0.0.1", "1.2.3.4.", "10.0.0.1" },
	{ "10.0.0.1", "1.2.3.4 5.6.7.8", "10.0.0.1" },
	{ "10.0.0.1", "1.2.3.256", "10.0.0.1" },
	{ "10.0.0.1", "'1.2.3.4'", "10.0.0.1" },
	{ "10.0.0.1", "for=1.2.3.4", "10.0.0.1" },
	{ "10.0.0.1", "1.2.3.4; DROP TABLE users", "10.0.0.1" },
	{ "10.0.0.1", "1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111", "10.0.0.1" },
	/* Ports. */
	{ "10.0.0.1", "1.2.3.4:5678", "1.2.3.4" },
	{ "10.0.0.1", "1.2.3.4:5678, 10.0.0.2:80", "1.2.3.4" },
	{ "10.0.0.1", "1.2.3.4:", "10.0.0.1" },
	{ "10.0.0.1", "1.2.3.4:http", "10.0.0.1" },
	{ "10.0.0.1", ":80", "10.0.0.1" },
	/* IPv6, bare and in brackets. */
	{ "10.0.0.1", "2001:DB8:0:0::1", "2001:db8::1" },
	{ "10.0.0.1", "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
	{ "10.0.0.1", "[2001:db8::1]", "2001:db8::1" },
	{ "10.0.0.1", "[2001:db8::1]:443", "2001:db8::1" },
	{ "10.0.0.1", "1.2.3.4, [fd00::7]:443", "1.2.3.4" },
	{ "10.0.0.1", "[::ffff:1.2.3.4]:443", "1.2.3.4" },
	{ "10.0.0.1", "::ffff:102:304", "1.2.3.4" },
	{ "10.0.0.1", "fe80::1%eth0", "fe80::1" },
	{ "10.0.0.1", "[fe80::1%eth0]:1", "fe80::1" },
	{ "10.0.0.1", "[2001:db8::1", "10.0.0.1" },
	{ "10.0.0.1", "2001:db8::1]", "10.0.0.1" },
	{ "10.0.0.1", "[2001:db8::1]443", "10.0.0.1" },
	{ "10.0.0.1", "[2001:db8::1]:", "10.0.0.1" },
	{ "10.0.0.1", "[]:1", "10.0.0.1" },
	{ "10.0.0.1", "[", "10.0.0.1" },
	/* A peer without an address there is none; but nothing must come of it. */
	{ "", "1.2.3.4", "::" },
	{ "unix:", NULL, "::" },
};

static void
the_clients_address_is_the_last_that_is_no_proxy_of_ours(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char address[INET6_ADDRSTRLEN];

		client_address_find(&config, cases[i].peer, cases[i].forwarded, address);
		if (strcmp(address, cases[i].address) != 0)
			fail_msg("%s with \"%s\": %s, not %s", cases[i].peer,
				cases[i].forwarded != NULL ? cases[i].forwarded : "", address, cases[i].address);
	}
}

static void
without_trusted_proxies_nobody_is_believed(void **state)
{
	const struct config nobody = { 0 };
	char address[INET6_ADDRSTRLEN];

	(void)state;
	client_address_find(&nobody, "127.0.0.1", "1.2.3.4", address);
	assert_string_equal(address, "127.0.0.1");
}

static void
an_ipv6_network_counts_as_one_and_an_ipv4_address_by_itself(void **state)
{
	uint8_t network[CLIENT_NETWORK_MAX], other[CLIENT_NETWORK_MAX];

	(void)state;
	assert_int_equal(client_address_network("1.2.3.4", network), 4);
	assert_memory_equal(network, "\1\2\3\4", 4);
	assert_int_equal(client_address_network("2001:db8:0:1:aaaa::1", network), 8);
	assert_int_equal(client_address_network("2001:db8:0:1::2", other), 8);
	assert_memory_equal(network, other, 8);
	assert_int_equal(client_address_network("2001:db8:0:2::2", other), 8);
	assert_memory_not_equal(network, other, 8);
	assert_int_equal(client_address_network("::", other), 8);
}

static int
set_up(void **state)
{
	(void)state;
	return value_parse_networks("10.0.0.0/8, fd00::/8", &config.trusted_proxies, &config.trusted_proxy_count) != NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	free(config.trusted_proxies);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_clients_address_is_the_last_that_is_no_proxy_of_ours),
		cmocka_unit_test(without_trusted_proxies_nobody_is_believed),
		cmocka_unit_test(an_ipv6_network_counts_as_one_and_an_ipv4_address_by_itself),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
