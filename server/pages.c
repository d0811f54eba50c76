/*
 * Serves the files of server/pages/ from memory.
 *
 * A strict Content-Security-Policy goes with each page: no script or style but our
 * own files, no frames, no forms to elsewhere. Pages take no parameters here (their
 * scripts read them) and never see a token: that stands behind the # of a link.
 */
#include "pages.h"

#include <string.h>

#include "embedded_file.h"
#include "files.h"
#include "route.h"

#define CONTENT_SECURITY_POLICY \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " \
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

static const struct {
	const char *suffix, *type;
} types[] = {
	{ ".html", "text/html; charset=utf-8" },
	{ ".css", "text/css; charset=utf-8" },
	{ ".js", "text/javascript; charset=utf-8" },
	{ ".svg", "image/svg+xml" },
};

static const struct embedded_file *
find_file(const char *name)
{
	for (const struct embedded_file *file = page_files; file->path != NULL; file++) {
		if (strcmp(file->path, name) == 0)
			return file;
	}
	return NULL;
}

static const char *
content_type(const char *path)
{
	const char *suffix = strrchr(path, '.');

	for (size_t i = 0; suffix != NULL && i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(types[i].suffix, suffix) == 0)
			return types[i].type;
	}
	return "application/octet-stream";
}

static void
protect(struct request *rq)
{
	request_header(rq, "Content-Security-Policy", CONTENT_SECURITY_POLICY);
	request_header(rq, "X-Frame-Options", "DENY");
}

static enum step
answer_file(struct request *rq, const struct embedded_file *file)
{
	if (file == NULL)
		return page_not_found(rq);
	protect(rq);
	return file_reply_embedded(rq, file, content_type(file->path));
}

static enum step
page(struct request *rq)
{
	return answer_file(rq, find_file(arena_printf(rq->scratch, "%s.html", rq->route->path + 1)));
}

request_step *const page_steps[] = { page, NULL };

static enum step
page_static(struct request *rq)
{
	return answer_file(rq, find_file(rq->path_values[0]));
}

request_step *const page_static_steps[] = { page_static, NULL };

enum step
page_not_found(struct request *rq)
{
	const struct embedded_file *file = find_file("not-found.html");

	if (file == NULL)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	protect(rq);
	buffer_clear(&rq->reply);
	buffer_append(&rq->reply, file->bytes, (size_t)file->length);
	return request_reply(rq, 404, content_type(file->path));
}
