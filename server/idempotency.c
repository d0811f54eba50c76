/*
 * Keys of requests: see idempotency.h.
 */
#include "idempotency.h"

#include <assert.h>
#include <string.h>

#include "config.h"
#include "json.h"
#include "queries.h"
#include "route.h"
#include "subject.h"

#define KEY_MAX 255

/* rq->idempotency, of a request with a key. */
struct idempotency {
	const char *key;
	char hash[TOKEN_HASH_SIZE];	/* of the request, */
	char digest[TOKEN_HASH_SIZE];	/* and what is kept of that */
	const char *since;		/* older than all ids of this attempt; NULL: it was not looked for in it */
	const char *view, *view_params;	/* idempotency_answer_from; NULL: the effect's last statement */
	bool is_kept;			/* by this request */
	bool is_certain;		/* it was looked for before the refusal, too */
	bool repeats;			/* what was done before is answered again */
};

static bool
takes_key(const struct request *rq)
{
	const struct route *route = rq->route;

	return rq->caller.kind != CALLER_NOBODY && route->method != HTTP_GET && !route->ignores_input && !route->ignores_key;
}

/* Visible ASCII, with or without the quotes that the header's draft has about it. */
static const char *
read_key(struct request *rq, const char *header)
{
	size_t length = strlen(header);

	if (length >= 2 && header[0] == '"' && header[length - 1] == '"') {
		header++;
		length -= 2;
	}
	if (length == 0 || length > KEY_MAX)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		if (header[i] <= ' ' || header[i] > '~')
			return NULL;
	}
	return arena_copy_n(rq->scratch, header, length);
}

/* All that makes it this request. */
static void
hash_request(struct request *rq, char hash[TOKEN_HASH_SIZE])
{
	struct buffer input = BUFFER_INIT;
	const char *query = http_query(rq->exchange), *if_match = rq->if_match, *type = http_header(rq->exchange, "Content-Type");
	size_t length;
	const char *bytes = http_body(rq->exchange, &length);

	buffer_printf(&input, "%s?%s\n%s\n%s\n", http_path(rq->exchange), query != NULL ? query : "", if_match != NULL ? if_match : "",
		type != NULL ? type : "");
	if (rq->if_none_match != NULL)
		buffer_printf(&input, "If-None-Match: %s\n", rq->if_none_match);
	buffer_append(&input, bytes, length);
	bytes_hash(input.data, input.length, hash);
	buffer_free_secret(&input);
}

enum step
idempotency_read(struct request *rq)
{
	const char *header = http_header(rq->exchange, "Idempotency-Key");
	const char *key = header != NULL ? read_key(rq, header) : NULL;

	if (header == NULL || !takes_key(rq) || rq->idempotency != NULL)
		return STEP_NEXT;
	if (key == NULL) {
		rq->faults_in_query = true;
		request_fault(rq, "Idempotency-Key", "invalid", "The header's value is 1 to 255 visible ASCII characters, as those of a UUID.");
		return request_answer_faults(rq);
	}
	rq->idempotency = arena_take(rq->scratch, sizeof(*rq->idempotency));
	rq->idempotency->key = key;
	hash_request(rq, rq->idempotency->hash);
	request_digest(rq->server->config->keyring, rq->idempotency->hash, rq->idempotency->digest);
	return STEP_NEXT;
}

bool
idempotency_wants_keeping(const struct request *rq)
{
	return rq->idempotency != NULL && !rq->idempotency->is_kept;
}

static const char *
route_name(const struct request *rq)
{
	return router_names()[router_index(rq->route)];
}

/* An operator's request that names no organization, for there is none yet. */
static bool
founds(const struct request *rq)
{
	return rq->caller.kind == CALLER_OPERATOR && *rq->path_values[0] == '\0';
}

static enum step
ask(struct request *rq)
{
	if (founds(rq))
		return request_query(rq, LANE_READ, &query_idempotency_find_founded,
			(const char *const[]){ rq->caller.id, rq->idempotency->key });
	return request_query(rq, LANE_READ, &query_idempotency_find,
		(const char *const[]){ rq->org_id, rq->caller.id, route_name(rq), rq->idempotency->key });
}

enum step
idempotency_ask(struct request *rq)
{
	if (!idempotency_wants_keeping(rq))
		return STEP_NEXT;
	rq->idempotency->since = request_new_id(rq);
	return ask(rq);
}

/* ---- Answering as before. */

static const struct query *
find_query(const char *name)
{
	for (int i = 0; i < query_count; i++) {
		if (strcmp(queries[i]->name, name) == 0 && (queries[i]->flags & QUERY_WRITES) == 0)
			return queries[i];
	}
	return NULL;
}

static const char *const *
read_params(struct request *rq, const char *text, int count)
{
	const char **params = arena_take(rq->scratch, sizeof(*params) * (size_t)(count + 1)), *reason;
	struct json_object *list = json_parse(text, strlen(text), &reason);
	const bool fits = list != NULL && json_object_is_type(list, json_type_array) && json_object_array_length(list) == (size_t)count;

	for (int i = 0; fits && i < count; i++) {
		const char *value = json_object_get_string(json_object_array_get_idx(list, (size_t)i));
		params[i] = value != NULL ? arena_copy(rq->scratch, value) : NULL;
	}
	json_object_put(list);
	return fits ? params : NULL;
}

/* The steps that the first went on as; their last one answers. */
static request_step *const *
steps_of(const struct route *route, long which)
{
	request_step *const *steps = which > 0 && route->variants != NULL ? route->variants[which - 1] : route->steps;
	int count = 0;

	while (steps[count] != NULL)
		count++;
	return steps + count - 1;
}

static enum step
answer_again(struct request *rq, const PGresult *found)
{
	const char *view = row_copy(rq->scratch, found, 0, "view"), *params = row_copy(rq->scratch, found, 0, "view_params");
	const struct query *query = view != NULL ? find_query(view) : NULL;
	const char *const *values = query != NULL ? read_params(rq, params, query->param_count) : NULL;

	(void)request_continue(rq, steps_of(rq->route, row_int(found, 0, "steps")));
	if (view == NULL)
		return STEP_NEXT;
	if (values == NULL)
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL,
			"This was done already, by another release of this service, and its answer cannot be repeated: read the object.");
	return request_query(rq, LANE_SLOW, query, values);
}

static enum step
answer_kept(struct request *rq, const PGresult *found)
{
	const char *answer = row_text(found, 0, "answer");

	if (answer == NULL)
		return request_problem_detail(rq, PROBLEM_STATE_CONFLICT, NULL,
			"This was done already, and what it answered is not known (yet): try again in a moment, or look at the objects.");
	buffer_clear(&rq->reply);
	buffer_puts(&rq->reply, answer);
	return request_reply(rq, 200, "application/json");
}

static enum step
repeat(struct request *rq)
{
	const PGresult *found = rq->result;

	rq->idempotency->is_certain = true;
	if (!request_digest_verify(rq->server->config->keyring, rq->idempotency->hash, row_text(found, 0, "digest")))
		return request_problem(rq, PROBLEM_IDEMPOTENCY_KEY_REUSED);
	if (rq->route->shows_secret)
		return request_problem(rq, PROBLEM_SECRET_SHOWN_ONCE);
	request_header(rq, "Idempotency-Replayed", "true");
	rq->idempotency->repeats = true;
	return rq->route->keeps_answer ? answer_kept(rq, found) : answer_again(rq, found);
}

bool
idempotency_repeats(const struct request *rq)
{
	return rq->idempotency != NULL && rq->idempotency->repeats;
}

enum step
idempotency_take(struct request *rq)
{
	return idempotency_wants_keeping(rq) && request_rows(rq, 0) > 0 ? repeat(rq) : STEP_NEXT;
}

/* ---- Keeping. */

static const char *
write_params(struct request *rq, const struct statement *view)
{
	struct buffer out = BUFFER_INIT;

	buffer_putc(&out, '[');
	for (int i = 0; i < view->query->param_count; i++) {
		json_write_separator(&out);
		if (view->params[i] != NULL)
			json_write_string(&out, view->params[i]);
		else
			buffer_puts(&out, "null");
	}
	buffer_putc(&out, ']');
	return request_take_text(rq, &out);
}

static int
variant_of(const struct request *rq)
{
	for (int i = 0; rq->route->variants != NULL && rq->route->variants[i] != NULL; i++) {
		if (rq->route->variants[i] == rq->steps)
			return i + 1;
	}
	return 0;
}

void
idempotency_answer_from(struct request *rq, const struct query *query, const char *const *params)
{
	if (rq->idempotency == NULL)
		return;
	rq->idempotency->view = query->name;
	rq->idempotency->view_params = write_params(rq, &(struct statement){ query, params });
}

struct statement
idempotency_keep(struct request *rq, const struct statement *last)
{
	const struct idempotency *own = rq->idempotency;
	const char **params = arena_take(rq->scratch, sizeof(*params) * 10);
	int n = 0;

	if (own->view == NULL && (last->query->flags & QUERY_WRITES) == 0)
		idempotency_answer_from(rq, last->query, last->params);
	params[n++] = rq->org_id;
	params[n++] = rq->caller.id;
	params[n++] = route_name(rq);
	params[n++] = own->key;
	params[n++] = own->digest;
	params[n++] = arena_printf(rq->scratch, "%d", variant_of(rq));
	params[n++] = own->view;
	params[n++] = own->view_params;
	params[n++] = own->since;
	params[n++] = rq->id;
	return (struct statement){ &query_idempotency_keep, params };
}

void
idempotency_kept(struct request *rq, const PGresult *kept)
{
	rq->idempotency->is_kept = PQntuples(kept) > 0;
}

static const char *const *
answer_params(struct request *rq, bool is_last)
{
	const char **params = arena_take(rq->scratch, sizeof(*params) * 6);

	params[0] = rq->org_id;
	params[1] = rq->caller.id;
	params[2] = route_name(rq);
	params[3] = rq->idempotency->key;
	params[4] = buffer_text(&rq->reply);
	params[5] = is_last ? "true" : "false";
	return params;
}

bool
idempotency_keeps_answer(const struct request *rq)
{
	return rq->idempotency != NULL && rq->idempotency->is_kept;
}

enum step
idempotency_keep_answer(struct request *rq)
{
	if (!idempotency_keeps_answer(rq))
		return STEP_NEXT;
	const struct statement statement = { &query_idempotency_answer, answer_params(rq, true) };

	return request_attempt(rq, LANE_WRITE, &statement, 1);
}

void
idempotency_keep_so_far(struct request *rq)
{
	if (idempotency_keeps_answer(rq))
		request_query_aside(rq, &query_idempotency_answer, answer_params(rq, false));
}

/* ---- Refusals. */

void
idempotency_restart(struct request *rq)
{
	if (rq->idempotency != NULL)
		rq->idempotency->since = rq->idempotency->view = NULL;
}

bool
idempotency_doubts(const struct request *rq, int status)
{
	const struct idempotency *own = rq->idempotency;

	return own != NULL && takes_key(rq) && own->since != NULL && !own->is_kept && !own->is_certain && status >= 400 && status < 500
		&& status != 429 && rq->exchange != NULL;
}

static enum step
take_again(struct request *rq)
{
	if (request_rows(rq, 0) == 0)
		return request_answer_refusal(rq);
	rq->problem = PROBLEM_NONE;
	rq->fault_count = 0;
	return repeat(rq);
}

enum step
idempotency_look_again(struct request *rq)
{
	static request_step *const steps[] = { take_again, NULL };

	rq->idempotency->is_certain = true;
	(void)request_continue(rq, steps);
	return ask(rq);
}
