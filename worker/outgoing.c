/*
 * Composing one mail: who gets it, in which language, with which link.
 *
 * What is always true: a link for an administrator goes only to somebody who is active,
 * may invite and holds all that the invited one holds, at this moment; when there is
 * nobody, the organization's contact hears of it without a link.
 */
#include "outgoing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config.h"
#include "json.h"
#include "message.h"
#include "queries.h"
#include "template.h"
#include "text.h"
#include "token.h"
#include "uuid.h"
#include "worker.h"

struct composition {
	struct worker *worker;
	const PGresult *rows;
	int row;
	struct arena *arena;
	struct outgoing *mail;
	enum mail_kind kind;
	const char *text;		/* the template's name: the kind's, as a rule */
	struct json_object *data;
	const char *language, *to_name;
	bool with_link;
};

/* Where a kind's link leads; kinds that are not here carry none. */
static const struct mail_link {
	enum mail_kind kind;
	enum link_purpose purpose;
	const char *page;
} mail_links[] = {
	{ MAIL_INVITATION, LINK_INVITATION, "accept" },
	{ MAIL_INVITATION_EXPIRED, LINK_INVITATION, "accept" },
	{ MAIL_PASSWORD_RESET, LINK_PASSWORD_RESET, "reset-password" },
	{ MAIL_ACCOUNT_LOCKED, LINK_PASSWORD_RESET, "reset-password" },
	{ MAIL_EMAIL_CHANGE_CONFIRM, LINK_EMAIL_CHANGE, "confirm-email" },
};

static const char no_answer[] = "the database did not answer";

static const char *
column(const struct composition *c, const char *name)
{
	return row_text(c->rows, c->row, name);
}

static const char *
full_name(struct arena *arena, const char *first, const char *last)
{
	return first != NULL && last != NULL ? arena_printf(arena, "%s %s", first, last) : NULL;
}

static void
give_up(struct composition *c, enum outgoing_verdict verdict, const char *reason)
{
	c->mail->verdict = verdict;
	c->mail->reason = reason;
}

/* "Everybody who administers": the first keeps this row, each other one gets a row.
 * False: nothing was written. */
static bool
fan_out(struct composition *c, const PGresult *people)
{
	struct buffer others = BUFFER_INIT;
	PGresult *written;

	buffer_putc(&others, '[');
	for (int i = 1; i < PQntuples(people); i++) {
		char id[UUID_TEXT_SIZE];
		uuid_make_text(id);
		json_write_separator(&others);
		buffer_putc(&others, '{');
		json_write_string_member(&others, "id", id);
		json_write_string_member(&others, "recipient_id", row_text(people, i, "id"));
		buffer_putc(&others, '}');
	}
	buffer_putc(&others, ']');
	written = worker_query(c->worker, &query_mail_fan_out, (const char *const[]){
		c->mail->org_id, c->mail->id, row_text(people, 0, "id"), buffer_text(&others) });
	buffer_free(&others);
	PQclear(written);
	return written != NULL;
}

static void
take_administrator(struct composition *c, const PGresult *people, int i)
{
	snprintf(c->mail->recipient, sizeof(c->mail->recipient), "%s", row_text(people, i, "email"));
	if (c->kind == MAIL_INVITATION_EXPIRED)
		snprintf(c->mail->administrator_id, sizeof(c->mail->administrator_id), "%s", row_text(people, i, "id"));
	c->to_name = full_name(c->arena, row_text(people, i, "first_name"), row_text(people, i, "last_name"));
	c->language = arena_copy(c->arena, row_text(people, i, "language"));
}

/* Nobody may have the link: the contact learns that somebody waits, and what to do. */
static void
fall_back_to_contact(struct composition *c)
{
	snprintf(c->mail->recipient, sizeof(c->mail->recipient), "%s", column(c, "contact_email"));
	if (c->kind == MAIL_INVITATION_EXPIRED)
		c->text = "invitation_unclaimed";
	c->with_link = false;
	c->to_name = NULL;
	c->language = column(c, "organization_language");
}

static void
find_administrator(struct composition *c)
{
	const char *wanted = json_member_string(c->data, "recipient_id");
	const char *preferred = wanted != NULL ? wanted : column(c, "invited_by");
	const bool for_all = wanted == NULL && strcmp(column(c, "invitation_expiry_recipient"), "all_admins") == 0;
	PGresult *people = worker_query(c->worker, &query_administrators_for_user,
		(const char *const[]){ c->mail->org_id, c->mail->user_id, preferred });

	if (people == NULL || (for_all && PQntuples(people) > 1 && !fan_out(c, people)))
		give_up(c, OUTGOING_LATER, no_answer);
	else if (PQntuples(people) > 0)
		take_administrator(c, people, 0);
	else
		fall_back_to_contact(c);
	PQclear(people);
}

static bool
is_for_administrators(enum mail_kind kind)
{
	return kind == MAIL_INVITATION_EXPIRED || kind == MAIL_INVITATION_LAPSED;
}

static void
find_recipient(struct composition *c)
{
	const char *recipient = column(c, "recipient");

	c->language = column(c, "language");
	c->to_name = full_name(c->arena, column(c, "first_name"), column(c, "last_name"));
	if (c->to_name == NULL)
		c->to_name = full_name(c->arena, column(c, "administrator_first_name"), column(c, "administrator_last_name"));
	if (is_for_administrators(c->kind)) {
		find_administrator(c);
		return;
	}
	if (recipient == NULL) {
		give_up(c, OUTGOING_FAILED, "there is no address to send it to");
		return;
	}
	snprintf(c->mail->recipient, sizeof(c->mail->recipient), "%s", recipient);
}

static const struct mail_link *
find_link(enum mail_kind kind)
{
	for (size_t i = 0; i < sizeof(mail_links) / sizeof(mail_links[0]); i++) {
		if (mail_links[i].kind == kind)
			return &mail_links[i];
	}
	return NULL;
}

static const char *
link_url(struct composition *c)
{
	const struct mail_link *known = find_link(c->kind);
	struct link link = { .channel = c->kind == MAIL_INVITATION_EXPIRED ? CHANNEL_ADMINISTRATOR : CHANNEL_USER };
	const char *generation = column(c, "generation");
	char token[LINK_TOKEN_SIZE];

	if (known == NULL || generation == NULL || !uuid_parse(c->mail->org_id, &link.org_id)
		|| !uuid_parse(c->mail->user_id, &link.subject_id))
		return NULL;
	link.purpose = known->purpose;
	link.generation = (uint32_t)strtoul(generation, NULL, 10);
	link_token_make(c->worker->config->keyring, &link, token);
	return arena_printf(c->arena, "%s/%s#%s", c->worker->config->public_url, known->page, token);
}

/* The people of a lock digest, a line each. */
static const char *
names_of_digest(struct composition *c)
{
	struct json_object *users = json_member(c->data, "users");
	struct buffer ids = BUFFER_INIT, lines = BUFFER_INIT;

	if (users == NULL)
		return NULL;
	json_write_value(&ids, users);
	PGresult *names = worker_query(c->worker, &query_user_names,
		(const char *const[]){ c->mail->org_id, buffer_text(&ids) });
	if (names == NULL)
		give_up(c, OUTGOING_LATER, no_answer);
	for (int i = 0; names != NULL && i < PQntuples(names); i++) {
		const char *login = row_text(names, i, "email");
		if (login == NULL)
			login = row_text(names, i, "username");
		buffer_printf(&lines, "%s%s %s (%s)", i > 0 ? "\n" : "", row_text(names, i, "first_name"),
			row_text(names, i, "last_name"), login != NULL ? login : "-");
	}
	PQclear(names);
	const char *list = arena_copy(c->arena, buffer_text(&lines));
	buffer_free(&ids);
	buffer_free(&lines);
	return list;
}

static bool
kind_has_link(const struct composition *c)
{
	if (c->kind == MAIL_ACCOUNT_LOCKED)
		return row_is_true(c->rows, c->row, "has_reset_link");
	return find_link(c->kind) != NULL;
}

static const char *
number_of(struct composition *c, const char *member)
{
	return arena_printf(c->arena, "%lld", (long long)json_member_int(c->data, member, 0));
}

static void
fill_values(struct composition *c, struct template_values *values)
{
	const char *site = c->worker->config->public_url, *slug = column(c, "organization_slug");
	const char *login = column(c, strcmp(column(c, "login_identifier") != NULL ? column(c, "login_identifier") : "",
		"username") == 0 ? "username" : "email");
	const char *expires_on = column(c, "expires_on");

	*values = (struct template_values){
		.organization = column(c, "organization"),
		.first_name = column(c, "first_name"),
		.full_name = full_name(c->arena, column(c, "first_name"), column(c, "last_name")),
		.login = login != NULL ? login : column(c, "email"),
		.recipient_name = c->to_name,
		.link = c->with_link ? link_url(c) : NULL,
		.expires_at = expires_on != NULL ? arena_printf(c->arena, "%s (%s)", expires_on, column(c, "timezone")) : NULL,
		.sign_in_url = arena_printf(c->arena, "%s/sign-in?organization=%s", site, slug),
		.forgot_password_url = arena_printf(c->arena, "%s/forgot-password?organization=%s", site, slug),
		.days = column(c, "idle_days"),
		.idle_on = column(c, "idle_on"),
		.list = c->kind == MAIL_LOCK_DIGEST ? names_of_digest(c) : NULL,
		.count = number_of(c, "count"),
		.contact_email = column(c, "contact_email"),
		.file_name = json_member_string(c->data, "file_name"),
		.rows = number_of(c, "rows"),
		.created = number_of(c, "created"),
		.updated = number_of(c, "updated"),
		.errors = json_member_int(c->data, "errors", 0) > 0 ? number_of(c, "errors") : NULL,
		.applied = json_member_bool(c->data, "applied", false) ? "true" : NULL,
	};
}

static void
build_message(struct composition *c, const struct template_set *templates)
{
	const struct config *config = c->worker->config;
	struct buffer subject = BUFFER_INIT, text = BUFFER_INIT, html = BUFFER_INIT;
	struct template_values values;

	fill_values(c, &values);
	if (c->mail->verdict != OUTGOING_READY)
		return;
	if (!template_render(templates, c->text, c->language, &values, &subject, &text, &html)) {
		give_up(c, OUTGOING_FAILED, "there is no text for this kind of mail");
	} else {
		struct message message = {
			.id = arena_printf(c->arena, "%s%s", c->mail->id, strchr(config->mail_from_address, '@')),
			.from_name = config->mail_from_name, .from_address = config->mail_from_address,
			.to_name = c->to_name, .to_address = c->mail->recipient,
			.subject = buffer_text(&subject), .language = c->language,
			.text = buffer_text(&text), .html = buffer_text(&html), .date = time(NULL),
		};
		message_build(&message, &c->mail->message);
	}
	buffer_free(&subject);
	buffer_free_secret(&text);
	buffer_free_secret(&html);
}

static struct json_object *
parse_data(const struct composition *c)
{
	const char *text = column(c, "data"), *reason;

	return json_parse(text, strlen(text), &reason);
}

static void
compose(struct composition *c, const struct template_set *templates)
{
	c->kind = mail_kind_from_word(c->mail->kind);
	if (c->kind == MAIL_KIND_COUNT) {
		give_up(c, OUTGOING_FAILED, "this kind of mail is not known to this release");
		return;
	}
	if (!row_is_true(c->rows, c->row, "is_alive")) {
		give_up(c, OUTGOING_CANCELLED, "no longer wanted: its link or its reason has gone");
		return;
	}
	if (row_is_true(c->rows, c->row, "is_too_old")) {
		give_up(c, OUTGOING_FAILED, "gave up after three days");
		return;
	}
	c->text = mail_kind_word(c->kind);
	c->with_link = kind_has_link(c);
	find_recipient(c);
	if (c->mail->verdict != OUTGOING_READY)
		return;
	if (!email_is_valid(c->mail->recipient)) {
		give_up(c, OUTGOING_FAILED, "the address is not one that mail can be sent to");
		return;
	}
	build_message(c, templates);
}

static struct outgoing
outgoing_from_row(const PGresult *rows, int row)
{
	return (struct outgoing){
		.org_id = row_text(rows, row, "org_id"), .id = row_text(rows, row, "id"),
		.kind = row_text(rows, row, "kind"), .user_id = row_text(rows, row, "user_id"),
		.request_id = row_text(rows, row, "request_id"),
		.attempts = row_int(rows, row, "attempts"), .verdict = OUTGOING_READY,
	};
}

void
outgoing_compose(struct worker *worker, const struct template_set *templates, const PGresult *rows, int row,
	struct outgoing *mail)
{
	struct composition c = { .worker = worker, .rows = rows, .row = row, .arena = arena_create(), .mail = mail };

	*mail = outgoing_from_row(rows, row);
	c.data = parse_data(&c);
	compose(&c, templates);
	json_object_put(c.data);
	arena_free(&c.arena);
}

void
outgoing_put_off(const PGresult *rows, int row, struct outgoing *mail)
{
	*mail = outgoing_from_row(rows, row);
	mail->verdict = OUTGOING_LATER;
	mail->reason = "the mails before it took too long to write";
}

void
outgoing_free(struct outgoing *mail)
{
	/* Messages carry links. */
	buffer_free_secret(&mail->message);
}
