/*
 * From outside: the proxy, the public address, and who may reach what.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "config.h"
#include "config_values.h"
#include "dial.h"
#include "doctor_priv.h"
#include "shared_page.h"
#include "uuid.h"

#define ASK_LIMIT_MS 10000
#define BODY_LIMIT 4096

struct answer {
	char fault[300];	/* "" when there is one */
	int status;
	char request_id[128];
	char body[BODY_LIMIT];
};

/* Of the body what begins with `wanted`; NULL: all. */
static void
read_answer(struct dial *dial, const char *wanted, struct answer *answer)
{
	size_t length = 0;
	char line[1024];

	if (!dial_read_line(dial, line, sizeof(line)) || sscanf(line, "HTTP/1.%*1[01] %d", &answer->status) != 1) {
		snprintf(answer->fault, sizeof(answer->fault), "%s", *dial_fault(dial) != '\0' ? dial_fault(dial) : "what answers there does not speak HTTP");
		return;
	}
	while (dial_read_line(dial, line, sizeof(line)) && *line != '\0') {
		if (strncasecmp(line, "x-request-id:", 13) == 0)
			snprintf(answer->request_id, sizeof(answer->request_id), "%s", line + 13 + strspn(line + 13, " \t"));
	}
	/* With Connection: close the body ends with the connection, or before. */
	while (length + 1 < sizeof(answer->body) && dial_read_line(dial, line, sizeof(line))) {
		if (wanted == NULL || strncmp(line, wanted, strlen(wanted)) == 0)
			length += (size_t)snprintf(answer->body + length, sizeof(answer->body) - length, "%s ", line);
	}
}

static void
ask(const struct endpoint *where, bool is_https, const char *path, const char *request_id, const char *wanted, struct answer *answer)
{
	struct dial *dial = dial_open(where->host, where->port, ASK_LIMIT_MS);
	struct buffer request = BUFFER_INIT;
	const bool is_ipv6 = strchr(where->host, ':') != NULL;

	*answer = (struct answer){ 0 };
	buffer_printf(&request, "GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nX-Request-Id: %s\r\nUser-Agent: rollcall-doctor\r\nConnection: close\r\n\r\n",
		path, is_ipv6 ? "[" : "", where->host, is_ipv6 ? "]" : "", where->port, request_id);
	if (*dial_fault(dial) == '\0' && (!is_https || dial_start_tls(dial, NULL, 0)) && dial_write(dial, buffer_text(&request)))
		read_answer(dial, wanted, answer);
	else
		snprintf(answer->fault, sizeof(answer->fault), "%s", dial_fault(dial));
	buffer_free(&request);
	dial_close(&dial);
}

/* Host and port of the public address, and the path under it. */
static bool
take_apart(const struct config *config, struct endpoint *where, char *path, size_t size)
{
	const char *authority = strstr(config->public_url, "://");
	char text[300];

	if (authority == NULL)
		return false;
	authority += 3;
	const size_t length = strcspn(authority, "/");
	const bool has_port = memchr(authority, ':', length) != NULL
		&& (authority[0] != '[' || strncmp(strchr(authority, ']') != NULL ? strchr(authority, ']') : "", "]:", 2) == 0);
	snprintf(text, sizeof(text), "%.*s%s", (int)length, authority, has_port ? "" : config->public_url_is_https ? ":443" : ":80");
	snprintf(path, size, "%s/healthz", authority + length);
	return value_parse_endpoint(text, where) == NULL;
}

static void
look_at_public_answer(struct findings *findings, const struct answer *answer, const char *request_id)
{
	static const char check[] = "front.public_url";

	if (strstr(answer->fault, "certificate") != NULL)
		findings_add(findings, FINDING_FAIL, check, "Mend the proxy's certificate, or ROLLCALL_PUBLIC_URL.", "At ROLLCALL_PUBLIC_URL %s.", answer->fault);
	else if (*answer->fault != '\0')
		findings_add(findings, FINDING_WARN, check, "Start proxy and server, or run the doctor where people's browsers are: this machine may not see what they see.",
			"Nobody answers at ROLLCALL_PUBLIC_URL: %s.", answer->fault);
	else if (answer->status != 200 || strstr(answer->body, "\"status\":\"ok\"") == NULL)
		findings_add(findings, FINDING_FAIL, check, "Let the proxy pass every path on to ROLLCALL_LISTEN: links in mails lead there.",
			"At ROLLCALL_PUBLIC_URL somebody else answers (status %d where /healthz says 200).", answer->status);
	else if (*answer->request_id == '\0')
		findings_add(findings, FINDING_WARN, check, "Let the proxy pass on the header X-Request-Id of answers.", "The proxy drops X-Request-Id: nobody can find a request that he complains about in the log.");
	else if (strcmp(answer->request_id, request_id) == 0)
		findings_add(findings, FINDING_WARN, check, "Let the proxy set X-Request-Id itself (nginx: proxy_set_header X-Request-Id $request_id), and X-Forwarded-For likewise.",
			"Whoever asks through ROLLCALL_PUBLIC_URL chooses the request id that the log and the audit name: what clients send is passed on, and believed.");
	else
		findings_add(findings, FINDING_OK, check, NULL, "Rollcall answers at ROLLCALL_PUBLIC_URL.");
}

static void
look_at_public_url(struct findings *findings, const struct config *config)
{
	char path[300], id[UUID_TEXT_SIZE];
	struct endpoint where;
	struct answer answer;

	if (!take_apart(config, &where, path, sizeof(path)))
		return;
	const bool is_fine = config->public_url_is_https || value_host_is_loopback(where.host);
	findings_add(findings, is_fine ? FINDING_OK : FINDING_FAIL, "front.https",
		is_fine ? NULL : "Let a proxy end TLS (deploy/nginx-tls.conf), and begin ROLLCALL_PUBLIC_URL with https://.",
		is_fine ? "Links in mails begin with https, or stay on this machine." : "ROLLCALL_PUBLIC_URL is no https: passwords and tokens cross the network for everybody to read.");
	uuid_make_text(id);
	ask(&where, config->public_url_is_https, path, id, NULL, &answer);
	look_at_public_answer(findings, &answer, id);
}

/* How many requests were forwarded to the server by whom it does not trust, as its metrics
 * say; -1: they do not say. */
static long long
forwarded_by_strangers(const struct config *config)
{
	struct answer answer = { 0 };
	long long count;

	if (config->metrics_listen.port != 0)
		ask(&config->metrics_listen, false, "/metrics", "doctor", FORWARDED_UNTRUSTED_NAME " ", &answer);
	return sscanf(answer.body, FORWARDED_UNTRUSTED_NAME " %lld", &count) == 1 ? count : -1;
}

static void
look_at_proxies(struct findings *findings, const struct config *config, bool is_forwarded_by_stranger)
{
	static const char check[] = "front.proxies";

	for (int i = 0; i < config->trusted_proxy_count; i++) {
		const struct network *network = &config->trusted_proxies[i];

		/* The widest networks that are private have 8 bits, or 7 in IPv6. */
		if (network->prefix < 7) {
			findings_add(findings, FINDING_FAIL, check, "Name the addresses of your proxies, as narrow as they can be.",
				"ROLLCALL_TRUSTED_PROXIES believes (nearly) everybody: whoever asks chooses the address that he is limited and audited by.");
			return;
		}
		if (value_network_has_host_bits(network)) {
			findings_add(findings, FINDING_WARN, check, "Where 10.1.2.3/8 stands, give 10.1.2.3 or 10.0.0.0/8.",
				"ROLLCALL_TRUSTED_PROXIES has a network with an address in it: all of the network is believed.");
			return;
		}
	}
	if (config->trusted_proxy_count == 0 && config->public_url_is_https)
		findings_add(findings, FINDING_WARN, check, "Set ROLLCALL_TRUSTED_PROXIES to the address that the proxy connects from (127.0.0.1 on this machine).",
			"No proxy is trusted, but one ends TLS: all clients look like one address, and share its rate limit.");
	else if (is_forwarded_by_stranger)
		findings_add(findings, FINDING_WARN, check, "Set ROLLCALL_TRUSTED_PROXIES to the address that the proxy connects from: it is the `address` of every request in the server's log.",
			"What comes through ROLLCALL_PUBLIC_URL seems to be forwarded by a proxy that ROLLCALL_TRUSTED_PROXIES does not name: all clients look like one address, and share its rate limit.");
	else
		findings_add(findings, FINDING_OK, check, NULL, "%d addresses or networks of proxies are trusted.", config->trusted_proxy_count);
}

static void
look_at_listeners(struct findings *findings, const struct config *config)
{
	const struct endpoint *metrics = &config->metrics_listen;
	const bool is_open = metrics->port != 0 && !value_host_is_loopback(metrics->host);
	char id[UUID_TEXT_SIZE];
	struct answer answer;

	findings_add(findings, is_open ? FINDING_WARN : FINDING_OK, "front.metrics", is_open ? "See to it that only the monitoring reaches it: there is no authentication." : NULL,
		is_open ? "/metrics is answered on more than loopback." : "/metrics is answered on loopback only, or not at all.");
	uuid_make_text(id);
	ask(&config->listen, false, "/readyz", id, NULL, &answer);
	if (*answer.fault != '\0')
		findings_add(findings, FINDING_WARN, "server.ready", "Start rollcall-server, if it should be running.", "No server answers at ROLLCALL_LISTEN: %s.", answer.fault);
	else
		findings_add(findings, answer.status == 200 ? FINDING_OK : FINDING_FAIL, "server.ready",
			answer.status == 200 ? NULL : "Look at the other findings, and at the server's log.",
			"The server at ROLLCALL_LISTEN says that it is %s (status %d).", answer.status == 200 ? "ready" : "not ready", answer.status);
}

void
doctor_look_at_front(struct findings *findings, const struct config *config)
{
	const long long before = forwarded_by_strangers(config);

	look_at_public_url(findings, config);
	look_at_proxies(findings, config, before >= 0 && forwarded_by_strangers(config) > before);
	look_at_listeners(findings, config);
}
