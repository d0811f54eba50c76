/*
 * Reads the parameters that lists have in common; every fault goes to the request.
 */
#include "list.h"

#include <string.h>

#include "text.h"
#include "uuid.h"

const char *
list_read_words(struct request *rq, const char *parameter, const char *const *allowed)
{
	const char *text = request_parameter(rq, parameter);
	char *rest = text != NULL ? arena_copy(rq->scratch, text) : NULL;
	bool is_known = true;

	for (char *word; (word = strsep(&rest, ",")) != NULL;) {
		bool found = false;
		for (const char *const *one = allowed; *one != NULL; one++)
			found = found || strcmp(*one, word) == 0;
		is_known = is_known && found;
	}
	if (!is_known) {
		request_fault(rq, parameter, "invalid", "One or more of the known words, commas between them.");
		return NULL;
	}
	return text != NULL ? arena_printf(rq->scratch, "{%s}", text) : NULL;
}

bool
list_read_flag(struct request *rq, const char *parameter)
{
	const char *text = request_parameter(rq, parameter);

	if (text != NULL && strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		request_fault(rq, parameter, "invalid", "true or false.");
	return text != NULL && strcmp(text, "true") == 0;
}

const char *
list_read_id(struct request *rq, const char *parameter)
{
	const char *text = request_parameter(rq, parameter);
	struct uuid id;

	if (text != NULL && !uuid_parse(text, &id)) {
		request_fault(rq, parameter, "unknown_id", "There is nothing with this id.");
		return NULL;
	}
	return text;
}

const char *
list_read_time(struct request *rq, const char *parameter)
{
	const char *text = request_parameter(rq, parameter);

	if (text != NULL && !timestamp_is_valid(text)) {
		request_fault(rq, parameter, "invalid", "A moment like 2026-11-22T02:33:12Z.");
		return NULL;
	}
	return text;
}
