/*
 * Finds a path in the table of routes.
 *
 * Some hundred routes, compared one after another: that is noise beside one round trip to
 * PostgreSQL. Literal paths stand before paths with ids in the table.
 */
#include "route.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "uuid.h"

static const char **names;

static bool
is_id(const char *text, size_t length)
{
	char copy[UUID_TEXT_SIZE];
	struct uuid id;

	if (length != sizeof(copy) - 1)
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return uuid_parse(copy, &id);
}

/* Compares segment by segment; an {id} takes any UUID, other names any text, and an
 * {external_id}, which stands last, also slashes (that came as %2F). */
static bool
path_matches(const char *pattern, const char *path, struct route_match *match)
{
	const char *begin = path;
	int param = 0;

	memset(match->values, 0, sizeof(match->values));
	match->plain_length = strlen(path);
	while (*pattern != '\0') {
		if (*pattern == '{') {
			const bool takes_rest = strcmp(pattern, "{external_id}") == 0;
			const size_t length = takes_rest ? strlen(path) : strcspn(path, "/");

			if (takes_rest)
				match->plain_length = (size_t)(path - begin);
			assert(param < ROUTE_PARAMS_MAX);
			if (strncmp(pattern, "{id}", 4) == 0 ? !is_id(path, length) : length == 0)
				return false;
			match->values[param].text = path;
			match->values[param++].length = length;
			path += length;
			pattern = strchr(pattern, '}') + 1;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return *path == '\0';
}

void
router_find(enum http_method method, const char *path, struct route_match *match)
{
	const unsigned wanted = method == HTTP_HEAD ? HTTP_GET : method;
	size_t plain_length = 0;

	match->route = NULL;
	match->allowed = 0;
	for (int i = 0; i < route_count; i++) {
		if (!path_matches(routes[i].path, path, match))
			continue;
		match->allowed |= routes[i].method;
		plain_length = match->plain_length;
		if (routes[i].method == wanted) {
			match->route = &routes[i];
			return;
		}
	}
	match->plain_length = plain_length;
}

static const char *
method_word(enum http_method method)
{
	switch (method) {
	case HTTP_GET: return "GET";
	case HTTP_HEAD: return "HEAD";
	case HTTP_POST: return "POST";
	case HTTP_PUT: return "PUT";
	case HTTP_PATCH: return "PATCH";
	case HTTP_DELETE: return "DELETE";
	case HTTP_OPTIONS: return "OPTIONS";
	}
	return "";
}

const char *const *
router_names(void)
{
	if (names == NULL) {
		names = xcalloc((size_t)route_count + 1, sizeof(*names));
		for (int i = 0; i < route_count; i++) {
			char name[128];
			snprintf(name, sizeof(name), "%s %s", method_word(routes[i].method), routes[i].path);
			names[i] = xstrdup(name);
		}
		names[route_count] = "none";
	}
	return names;
}

int
router_index(const struct route *route)
{
	return route != NULL ? (int)(route - routes) : route_count;
}
