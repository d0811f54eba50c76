/*
 * Turns decisions into the jsonb parameters of user_transition.
 *
 * What is always true: an effect that lifecycle names is in the parameters, and none
 * that it did not name; a batch is gated by admin_epoch when one of its users may be
 * an administrator less, and it holds one such user at most, but for a caller who has
 * counted how many stay.
 */
#include "transition.h"

#include <assert.h>
#include <string.h>

#include "buffer.h"
#include "json.h"
#include "memory.h"
#include "uuid.h"

struct transition_batch {
	struct arena *arena;
	const char *org_id;
	const char *admin_epoch;	/* NULL: not gated */
	struct buffer items, mails, audits;
	int count;
};

const char *const transition_actor_system = "{\"kind\":\"system\"}";

struct transition_batch *
transition_batch_create(struct arena *arena, const char *org_id)
{
	struct transition_batch *batch = arena_take(arena, sizeof(*batch));

	batch->arena = arena;
	batch->org_id = org_id;
	buffer_putc(&batch->items, '[');
	buffer_putc(&batch->mails, '[');
	buffer_putc(&batch->audits, '[');
	return batch;
}

static const char *
invitation_word(enum invitation_effect effect)
{
	static const char *const words[] = {
		[INVITATION_UNCHANGED] = NULL, [INVITATION_ISSUE] = "issue", [INVITATION_RENEW] = "renew",
		[INVITATION_ISSUE_LETTER] = "issue_letter",
		[INVITATION_REVOKE] = "revoke", [INVITATION_ACCEPT] = "accept", [INVITATION_EXPIRE] = "expire",
	};

	return words[effect];
}

static const char *
email_word(enum email_effect effect)
{
	static const char *const words[] = {
		[EMAIL_UNCHANGED] = NULL, [EMAIL_ISSUE] = "issue", [EMAIL_WITHDRAW] = "withdraw", [EMAIL_REPLACE] = "replace",
	};

	return words[effect];
}

static void
write_text(struct buffer *out, const char *name, const char *text)
{
	if (text != NULL)
		json_write_string_member(out, name, text);
}

static void
write_flag(struct buffer *out, const char *name, bool value)
{
	if (value)
		json_write_bool_member(out, name, true);
}

static bool
sends(const struct transition *transition, enum mail_kind kind)
{
	return (transition->mails & (1u << kind)) != 0;
}

static const char *
reset_word(const struct transition *transition, const struct transition_details *details)
{
	if (details->uses_reset)
		return "use";
	if (!transition->issues_password_reset)
		return NULL;
	return sends(transition, MAIL_ACCOUNT_LOCKED) ? "issue_for_lock" : "issue";
}

static void
write_item(struct buffer *out, const struct subject *subject, const struct transition *transition,
	const struct transition_details *details, const char *invitation_mail)
{
	json_write_separator(out);
	buffer_putc(out, '{');
	json_write_string_member(out, "id", subject->id);
	if (!details->ignores_version) {
		json_write_name(out, "version");
		buffer_puts(out, subject->version);
	}
	write_text(out, "guard", details->guard);
	if (details->guard != NULL)
		json_write_int_member(out, "guard_count", details->guard_count);
	if (transition->status_changes) {
		json_write_string_member(out, "status", user_status_word(transition->status));
		json_write_string_member(out, "status_reason", status_reason_word(transition->reason));
	}
	write_flag(out, "ends_sessions", transition->ends_sessions);
	write_text(out, "keep_session", details->keep_session);
	write_flag(out, "restarts_idle_clock", transition->restarts_idle_clock);
	write_flag(out, "is_new", details->is_new);
	write_flag(out, "logged_in", details->logged_in);
	write_text(out, "password_hash", transition->sets_password ? details->password_hash : NULL);
	write_flag(out, "forgets_guesses", transition->forgets_guesses);
	write_flag(out, "drops_password", transition->requires_password_reset);
	write_text(out, "invitation", invitation_word(transition->invitation));
	write_text(out, "invited_by", details->invited_by);
	write_text(out, "invitation_mail", invitation_mail);
	write_text(out, "accepted_through", details->accepted_through);
	write_text(out, "password_reset", reset_word(transition, details));
	write_flag(out, "cancels_mails", transition->cancels_mails);
	if (transition->detaches_assignments) {
		json_write_name(out, "assignment_epoch");
		buffer_puts(out, subject->assignment_epoch);
	}
	write_text(out, "email_change", email_word(transition->email));
	write_text(out, "new_email", details->new_email);
	buffer_putc(out, '}');
}

/* Which link a mail carries: its generation travels with it. */
static const char *
link_of(enum mail_kind kind, const struct transition *transition)
{
	switch (kind) {
	case MAIL_INVITATION:
	case MAIL_INVITATION_EXPIRED:
	case MAIL_LOGIN_INFO:
		return "invitation";
	case MAIL_EMAIL_CHANGE_CONFIRM:
		return "email_change";
	case MAIL_PASSWORD_RESET:
		return "password_reset";
	case MAIL_ACCOUNT_LOCKED:
		return transition->issues_password_reset ? "password_reset" : NULL;
	default:
		return NULL;
	}
}

static bool
goes_to_administrators(enum mail_kind kind)
{
	return kind == MAIL_INVITATION_EXPIRED || kind == MAIL_INVITATION_LAPSED;
}

/* NULL: the user's own address, as it is then. */
static const char *
recipient_of(enum mail_kind kind, const struct subject *subject, const struct transition_details *details)
{
	if (kind == MAIL_EMAIL_CHANGE_CONFIRM)
		return details->new_email;
	return kind == MAIL_EMAIL_CHANGED ? subject->email : NULL;
}

static void
write_mail(struct buffer *out, const struct subject *subject, const struct transition *transition,
	const struct transition_details *details, enum mail_kind kind, char id[UUID_TEXT_SIZE])
{
	const char *recipient = recipient_of(kind, subject, details);

	uuid_make_text(id);
	json_write_separator(out);
	buffer_putc(out, '{');
	json_write_string_member(out, "id", id);
	json_write_string_member(out, "user_id", subject->id);
	json_write_string_member(out, "kind", mail_kind_word(kind));
	json_write_bool_member(out, "to_user", recipient == NULL && !goes_to_administrators(kind));
	write_text(out, "recipient", recipient);
	write_text(out, "link", link_of(kind, transition));
	buffer_putc(out, '}');
}

/* True: one of them is the invitation's, and this is its id. */
static bool
write_mails(struct buffer *out, const struct subject *subject, const struct transition *transition,
	const struct transition_details *details, char invitation_mail[UUID_TEXT_SIZE])
{
	char id[UUID_TEXT_SIZE];
	bool has_invitation = false;

	for (int kind = 0; kind < MAIL_KIND_COUNT; kind++) {
		const char *link = link_of((enum mail_kind)kind, transition);
		if (!sends(transition, (enum mail_kind)kind))
			continue;
		write_mail(out, subject, transition, details, (enum mail_kind)kind, id);
		if (!has_invitation && link != NULL && strcmp(link, "invitation") == 0) {
			memcpy(invitation_mail, id, sizeof(id));
			has_invitation = true;
		}
	}
	return has_invitation;
}

/* In the words of the API, where a link that has lapsed is expired before the clock comes to
 * it; when the clock does, that is what is told. A new link in the place of one before is
 * seen by its generation: both may be pending. */
static void
write_invitation_change(struct buffer *out, const struct subject *subject, enum invitation_effect effect)
{
	static const enum invitation_state states[] = {
		[INVITATION_ISSUE] = INVITATION_PENDING, [INVITATION_ISSUE_LETTER] = INVITATION_PENDING,
		[INVITATION_RENEW] = INVITATION_PENDING, [INVITATION_REVOKE] = INVITATION_REVOKED,
		[INVITATION_ACCEPT] = INVITATION_ACCEPTED, [INVITATION_EXPIRE] = INVITATION_EXPIRED,
	};
	const enum invitation_state before = subject->state.invitation, after = states[effect];
	const bool has_lapsed = before == INVITATION_PENDING && subject->invitation_passed && after != INVITATION_EXPIRED;

	json_write_change(out, "invitation", invitation_state_word(has_lapsed ? INVITATION_EXPIRED : before),
		invitation_state_word(after));
	if (before != INVITATION_NONE && after == INVITATION_PENDING) {
		json_write_name(out, "invitation_generation");
		buffer_printf(out, "[%u,%u]", subject->invitation_generation, subject->invitation_generation + 1);
	}
}

static const char *
changed_address(const struct transition *transition)
{
	return transition->email == EMAIL_REPLACE ? "email" : "email_pending";
}

static void
write_members(struct buffer *out, const char *members)
{
	if (members == NULL)
		return;
	json_write_separator(out);
	buffer_puts(out, members);
}

static void
write_changes(struct buffer *out, const struct subject *subject, const struct transition *transition,
	const struct transition_details *details)
{
	buffer_putc(out, '{');
	if (transition->status_changes) {
		json_write_change(out, "status", user_status_word(subject->state.status), user_status_word(transition->status));
		json_write_change(out, "status_reason", subject->status_reason, status_reason_word(transition->reason));
	}
	if (transition->invitation != INVITATION_UNCHANGED)
		write_invitation_change(out, subject, transition->invitation);
	if (transition->sets_password && details->password_hash != NULL)
		json_write_change(out, "password", NULL, "set");
	if (details->accepted_through != NULL)
		json_write_change(out, "accepted_through", NULL, details->accepted_through);
	if (transition->email != EMAIL_UNCHANGED) {
		json_write_name(out, changed_address(transition));
		buffer_puts(out, "[]");
	}
	write_members(out, details->begins_with);
	buffer_putc(out, '}');
}

/* Addresses, and free words, which may name people, lie apart, where erasing reaches them. */
static void
write_personal(struct buffer *out, const struct subject *subject, const struct transition *transition,
	const struct transition_details *details)
{
	buffer_putc(out, '{');
	if (details->note != NULL)
		json_write_change(out, "note", NULL, details->note);
	if (details->new_email != NULL)
		json_write_change(out, changed_address(transition),
			transition->email == EMAIL_REPLACE ? subject->email : NULL, details->new_email);
	write_members(out, details->begins_with_personal);
	buffer_putc(out, '}');
}

/* The audit row that goes with it; jsonb texts. */
static void
write_audit(struct transition_batch *batch, const char *user_id, const char *action,
	const char *changes, const char *personal)
{
	struct buffer *out = &batch->audits;
	char id[UUID_TEXT_SIZE];

	uuid_make_text(id);
	json_write_separator(out);
	buffer_putc(out, '{');
	json_write_string_member(out, "id", id);
	json_write_string_member(out, "user_id", user_id);
	json_write_string_member(out, "action", action);
	if (changes != NULL) {
		json_write_name(out, "changes");
		buffer_puts(out, changes);
	}
	if (personal != NULL) {
		json_write_name(out, "personal");
		buffer_puts(out, personal);
	}
	buffer_putc(out, '}');
}

void
transition_batch_add(struct transition_batch *batch, const struct subject *subject,
	const struct transition *transition, const struct transition_details *details)
{
	const bool is_personal = details->note != NULL || details->new_email != NULL || details->begins_with_personal != NULL;
	struct buffer changes = BUFFER_INIT, personal = BUFFER_INIT;
	char invitation_mail[UUID_TEXT_SIZE];

	assert(transition->refusal == REFUSAL_NONE);
	assert(!transition->reduces_administrators || batch->admin_epoch == NULL
		|| strcmp(batch->admin_epoch, subject->admin_epoch) == 0);
	write_item(&batch->items, subject, transition, details,
		write_mails(&batch->mails, subject, transition, details, invitation_mail) ? invitation_mail : NULL);
	if (details->action != NULL) {
		write_changes(&changes, subject, transition, details);
		if (is_personal)
			write_personal(&personal, subject, transition, details);
		write_audit(batch, subject->id, details->action, buffer_text(&changes),
			is_personal ? buffer_text(&personal) : NULL);
		buffer_free(&changes);
		buffer_free(&personal);
	}
	if (transition->reduces_administrators)
		batch->admin_epoch = subject->admin_epoch;
	batch->count++;
}

int
transition_batch_count(const struct transition_batch *batch)
{
	return batch->count;
}

bool
transition_batch_reduces_administrators(const struct transition_batch *batch)
{
	return batch->admin_epoch != NULL;
}

void
transition_batch_discard(struct transition_batch *batch)
{
	buffer_free_secret(&batch->items);
	buffer_free(&batch->mails);
	buffer_free(&batch->audits);
}

static const char *
close_array(struct arena *arena, struct buffer *list)
{
	buffer_putc(list, ']');
	const char *text = arena_copy(arena, buffer_text(list));
	buffer_free_secret(list);
	return text;
}

const char *const *
transition_batch_params(struct transition_batch *batch, const char *actor)
{
	const char **params = arena_take(batch->arena, sizeof(*params) * 6);

	params[0] = batch->org_id;
	params[1] = close_array(batch->arena, &batch->items);
	params[2] = close_array(batch->arena, &batch->mails);
	params[3] = close_array(batch->arena, &batch->audits);
	params[4] = actor;
	params[5] = batch->admin_epoch;
	return params;
}
