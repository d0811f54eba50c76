/*
 * Fuzzes server/router.c (libFuzzer; `make fuzz-path`): paths, against a few routes of every shape.
 *
 * What is found lies within the path, is not empty, and is a UUID where the route says so.
 */
#include "fuzz.h"
#include "route.h"
#include "uuid.h"

const struct route routes[] = {
	{ .method = HTTP_GET, .path = "/v1/users" },
	{ .method = HTTP_POST, .path = "/v1/users/bulk" },
	{ .method = HTTP_PUT, .path = "/v1/users/by-external-id/{external_id}" },
	{ .method = HTTP_GET, .path = "/v1/users/{id}" },
	{ .method = HTTP_DELETE, .path = "/v1/users/{id}/sessions/{id}" },
	{ .method = HTTP_PUT, .path = "/v1/imports/{id}/parts/{number}" },
	{ .method = HTTP_GET, .path = "/v1/assignments/{app}/{type}/{resource}" },
	{ .method = HTTP_GET, .path = "/static/{name}" },
};
const int route_count = sizeof(routes) / sizeof(routes[0]);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static const enum http_method methods[] = { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_DELETE };
	char *path = text_of(bytes, length), id[UUID_TEXT_SIZE] = "";
	struct route_match match;
	struct uuid uuid;

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		router_find(methods[i], path, &match);
		if (match.route == NULL)
			continue;
		for (int at = 0; at < ROUTE_PARAMS_MAX && match.values[at].text != NULL; at++)
			must(match.values[at].length > 0 && match.values[at].text + match.values[at].length <= path + strlen(path));
		if (strstr(match.route->path, "{id}") != NULL) {
			must(match.values[0].length == UUID_TEXT_SIZE - 1);
			memcpy(id, match.values[0].text, UUID_TEXT_SIZE - 1);
			must(uuid_parse(id, &uuid));
		}
	}
	free(path);
	return 0;
}
