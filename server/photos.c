/*
 * Photos: taken as raw bytes, cleaned (common/photo.c), and given out so that nothing in
 * them can run, whatever a browser makes of them.
 *
 * The content decides what it is; a Content-Type that says otherwise is refused. The entity
 * tag is the hash of what is kept, and If-Match is about it; the user's version moves with
 * his photo all the same. The same steps serve {id} and "me".
 */
#include "photos.h"

#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#include "encode.h"
#include "photo.h"
#include "reply.h"
#include "route.h"
#include "user_steps.h"

const char *const photo_parameters[] = { "v", NULL };

struct photo_case {
	struct user_case the;		/* first: user_case(rq) works here too */
	const char *hash_before;	/* NULL: there is no photo */
};

static const char *
owner_id(struct request *rq)
{
	return rq->route->access == ACCESS_USER ? rq->caller.id : rq->path_values[0];
}

/* GET: all or nothing, if the reader has not got it yet. */

static enum step
photo_get(struct request *rq)
{
	return request_query(rq, LANE_READ, &query_photo_get, (const char *const[]){ rq->org_id, owner_id(rq), request_known_tags(rq) });
}

static enum step
photo_get_reply(struct request *rq)
{
	if (request_rows(rq, 0) == 0)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	rq->is_cacheable = true;
	request_header(rq, "ETag", arena_printf(rq->scratch, "\"%s\"", request_column(rq, "hash")));
	/* Kept by the reader's own browser alone, and asked for each time: who lost the right to
	 * see it sees it no more. */
	request_header(rq, "Cache-Control", "private, no-cache");
	request_header(rq, "Content-Security-Policy", "sandbox; default-src 'none'");
	if (request_column_is_true(rq, "is_known"))
		return request_reply_empty(rq, 304);
	const char *hex = request_column(rq, "bytes");
	const size_t length = strlen(hex) / 2;
	uint8_t *bytes = arena_take(rq->scratch, length + 1);
	if (!hex_decode(hex, bytes, length))
		return request_problem(rq, PROBLEM_INTERNAL);
	buffer_clear(&rq->reply);
	buffer_append(&rq->reply, (const char *)bytes, length);
	return request_reply(rq, 200, arena_copy(rq->scratch, request_column(rq, "media_type")));
}

request_step *const photo_get_steps[] = { request_answer_faults, photo_get, photo_get_reply, NULL };

/* PUT and DELETE begin with who he is, and what he has. */

static enum step
photo_load(struct request *rq)
{
	return request_queries(rq, LANE_READ, (const struct statement[]){
		{ &query_user_load, (const char *const[]){ rq->org_id, owner_id(rq) } },
		{ &query_photo_state, (const char *const[]){ rq->org_id, owner_id(rq) } },
	}, 2);
}

static enum step
photo_take(struct request *rq)
{
	struct photo_case *photo = arena_take(rq->scratch, sizeof(*photo));
	const char *wanted = rq->if_match, *unwanted = rq->if_none_match;

	rq->if_match = rq->if_none_match = NULL;	/* not the user's */
	enum step step = rq->route->access == ACCESS_USER ? user_take(rq) : user_take_to_change(rq);
	if (step != STEP_NEXT)
		return step;
	photo->the = *user_case(rq);
	if (request_rows(rq, 1) > 0)
		photo->hash_before = arena_copy(rq->scratch, row_text(rq->results[1], 0, "hash"));
	rq->data = photo;
	rq->if_match = wanted;
	rq->if_none_match = unwanted;
	return request_check_match(rq, photo->hash_before);
}

static enum step
refuse_type(struct request *rq, const char *detail)
{
	return request_problem_detail(rq, PROBLEM_UNSUPPORTED_MEDIA_TYPE, NULL, detail);
}

/* STEP_NEXT when it is a picture, and the one that it is said to be. */
static enum step
check_type(struct request *rq, enum photo_type type)
{
	const char *said = rq->media_type;

	if (rq->byte_count == 0)
		return request_problem_detail(rq, PROBLEM_INVALID_BODY, NULL, "The body is empty: send the bytes of a picture.");
	if (type == PHOTO_NONE)
		return refuse_type(rq, "Send a PNG or a JPEG picture: this is neither.");
	if (said != NULL && strcasecmp(said, "application/octet-stream") != 0 && strcasecmp(said, photo_media_type(type)) != 0)
		return refuse_type(rq, arena_printf(rq->scratch, "The picture is %s, but Content-Type says something else.", photo_media_type(type)));
	return STEP_NEXT;
}

static const char *
hash_of(struct request *rq, const struct buffer *bytes)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned length = 0;
	char *hex = arena_take(rq->scratch, HEX_SIZE(sizeof(digest)));

	if (EVP_Digest(bytes->data, bytes->length, digest, &length, EVP_sha256(), NULL) != 1)
		abort();
	hex_encode(digest, length, hex);
	return hex;
}

static enum step
photo_record(struct request *rq, const struct buffer *bytes, enum photo_type type)
{
	const struct photo_case *photo = rq->data;
	const char *hash = hash_of(rq, bytes);
	char *text = arena_take(rq->scratch, (bytes->length + 2) / 3 * 4 + 1);

	if (photo->hash_before != NULL && strcmp(photo->hash_before, hash) == 0)
		return reply_no_content(rq);
	base64_encode((const uint8_t *)bytes->data, bytes->length, text);
	return request_effect(rq, LANE_WRITE, &query_photo_put, (const char *const[]){ rq->org_id, photo->the.subject.id,
		photo->the.subject.version, photo_media_type(type), text, hash, request_new_id(rq), request_actor(rq) });
}

static enum step
photo_put(struct request *rq)
{
	struct buffer cleaned = BUFFER_INIT;
	struct photo facts;
	enum step step = check_type(rq, photo_type_of(rq->bytes, rq->byte_count));

	if (step != STEP_NEXT)
		return step;
	const char *fault = photo_clean(rq->bytes, rq->byte_count, &cleaned, &facts);
	step = fault != NULL ? request_problem_detail(rq, PROBLEM_INVALID_BODY, NULL, fault)
		: photo_record(rq, &cleaned, facts.type);
	buffer_free(&cleaned);
	return step;
}

request_step *const photo_put_steps[] = { photo_load, photo_take, photo_put, reply_no_content, NULL };

static enum step
photo_remove(struct request *rq)
{
	const struct photo_case *photo = rq->data;

	if (photo->hash_before == NULL)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	return request_effect(rq, LANE_WRITE, &query_photo_remove, (const char *const[]){ rq->org_id, photo->the.subject.id,
		photo->the.subject.version, request_new_id(rq), request_actor(rq) });
}

request_step *const photo_remove_steps[] = { photo_load, photo_take, photo_remove, reply_no_content, NULL };
