/*
 * Finds a path in the table of routes.
 *
 * A few dozen routes, compared one after another: measured, that is noise beside one
 * round trip to PostgreSQL. Literal paths stand before paths with ids in the table.
 */
#include "route.h"

#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "uuid.h"

static const char **names;

/* Compares segment by segment; an {id} takes any UUID and is copied out. */
static bool
path_matches(const char *pattern, const char *path, struct route_match *match)
{
	int param = 0;

	while (*pattern != '\0') {
		if (*pattern == '{') {
			size_t length = strcspn(path, "/");
			struct uuid id;

			if (length >= sizeof(match->values[0]) || param >= ROUTE_PARAMS_MAX)
				return false;
			memcpy(match->values[param], path, length);
			match->values[param][length] = '\0';
			bool takes_any_text = strncmp(pattern, "{name}", 6) == 0;
			if (!takes_any_text && !uuid_parse(match->values[param], &id))
				return false;
			param++;
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

	match->route = NULL;
	match->allowed = 0;
	for (int i = 0; i < route_count; i++) {
		if (!path_matches(routes[i].path, path, match))
			continue;
		match->allowed |= routes[i].method;
		if (routes[i].method == wanted) {
			match->route = &routes[i];
			return;
		}
	}
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
