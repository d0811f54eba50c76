/*
 * One sender: claim, read, compose, send, settle, and again.
 *
 * At least once, never lost: a claim is a lease, and what a dead sender held comes back
 * when it runs out. No transaction is open while SMTP talks. Twice only when process,
 * reply or database is lost between the receiver's acceptance and the settling, and
 * then under the same Message-ID.
 *
 * A fault of our own (authentication, sender refused, no TLS) is nobody's attempt: it
 * holds this sender for a while and raises an alarm.
 */
#include "sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "config.h"
#include "json.h"
#include "lifecycle.h"
#include "log.h"
#include "mailer.h"
#include "outgoing.h"
#include "queries.h"
#include "shared_page.h"
#include "supervisor.h"
#include "template.h"
#include "uuid.h"
#include "worker.h"

#define BATCH 100
/* A lease outlives SENDER_DEADLINE_S, at which who holds it is killed. */
#define LEASE_S 180
/* What is not composed by then is left for later, so that the lease outlives the sending, too:
 * with the statement in hand, which a timeout ends, and SENDER_DEADLINE_S for the relay. */
#define COMPOSE_S 20
/* Settling is tried again until shortly before the lease ends and somebody else may
 * send the mails; while stopping, for as long as main.c's deadline allows. */
#define LEASE_MARGIN_S 10
#define SETTLE_STOPPING_S 10
#define SETTLE_PAUSE_MIN_MS 100
#define SETTLE_PAUSE_MAX_MS 2000

/* Quadratic: 30 s, 2 min, 4.5 min, ... up to 6 h, each spread by a fifth. */
#define BACKOFF_UNIT_S 30
#define BACKOFF_MAX_S (6 * 3600)
/* Nobody answered at all: the relay is down, which is no message's fault. */
#define UNREACHED_DELAY_S 10
#define HOLD_MIN_S 5
#define HOLD_MAX_S 300

struct sender {
	struct worker worker;
	struct mailer *mailer;
	struct template_set *templates;
	int64_t lease_until_ms;		/* of the batch in hand, at the earliest */
	int hold_s;			/* 0: not held */
	int64_t held_until_ms;
};

static double
spread(double seconds)
{
	return seconds * (0.8 + 0.4 * (double)random() / (double)RAND_MAX);
}

static double
back_off_s(long attempts)
{
	double seconds = (double)attempts * (double)attempts * BACKOFF_UNIT_S;

	return spread(seconds < BACKOFF_MAX_S ? seconds : BACKOFF_MAX_S);
}

static double
delay_s(const struct outgoing *mail, const struct mail_outcome *outcome)
{
	if (outcome->attempted)
		return back_off_s(mail->attempts);
	/* What we leave because we stop is for whoever takes it first. */
	return supervisor_stopping() ? 0 : spread(UNREACHED_DELAY_S);
}

static PGresult *
claim(struct sender *sender)
{
	struct buffer ids = BUFFER_INIT;
	PGresult *claimed, *rows = NULL;

	sender->lease_until_ms = clock_monotonic_ms() + LEASE_S * 1000;
	claimed = worker_query(&sender->worker, &query_outbox_claim,
		(const char *const[]){ sender->worker.name, AS_TEXT(LEASE_S), AS_TEXT(BATCH) });
	if (claimed != NULL && PQntuples(claimed) > 0) {
		buffer_putc(&ids, '[');
		for (int i = 0; i < PQntuples(claimed); i++) {
			json_write_separator(&ids);
			buffer_printf(&ids, "{\"org_id\":\"%s\",\"id\":\"%s\"}", row_text(claimed, i, "org_id"),
				row_text(claimed, i, "id"));
		}
		buffer_putc(&ids, ']');
		rows = worker_query(&sender->worker, &query_outbox_read, (const char *const[]){ buffer_text(&ids) });
	}
	buffer_free(&ids);
	PQclear(claimed);
	return rows;
}

static void
write_result(struct buffer *out, const struct outgoing *mail, const char *state, const char *reply, double delay_s,
	bool unattempted)
{
	json_write_separator(out);
	buffer_putc(out, '{');
	json_write_string_member(out, "org_id", mail->org_id);
	json_write_string_member(out, "id", mail->id);
	json_write_int_member(out, "attempts", mail->attempts);
	json_write_string_member(out, "state", state);
	json_write_string_member(out, "reply", reply);
	/* An administrator's address is chosen anew at each try until one is accepted. */
	if (*mail->recipient != '\0' && (*mail->administrator_id == '\0' || strcmp(state, "sent") == 0))
		json_write_string_member(out, "recipient", mail->recipient);
	json_write_name(out, "delay_s");
	buffer_printf(out, "%.1f", delay_s);
	json_write_bool_member(out, "unattempted", unattempted);
	buffer_putc(out, '}');
}

/* Of what the relay said the code alone, which quotes nobody: the words stand in the outbox.
 * Empty: they are ours. */
static void
take_code(const struct mail_outcome *outcome, char code[4])
{
	snprintf(code, 4, "%.3s", strspn(outcome->reply, "0123456789") == 3 ? outcome->reply : "");
}

/* What became of a mail, with the id of the request behind it. */
static void
log_mail(enum log_level level, const char *message, const struct outgoing *mail, const struct mail_outcome *outcome)
{
	char code[4] = "", attempts[16];

	if (outcome != NULL)
		take_code(outcome, code);
	snprintf(attempts, sizeof(attempts), "%ld", mail->attempts);
	log_event(level, message, "outbox_id", mail->id, "kind", mail->kind, "attempt", attempts,
		"reply_code", *code != '\0' ? code : NULL, "reason", outcome == NULL ? mail->reason : NULL,
		"request_id", mail->request_id, NULL);
}

static void
count_mail(struct sender *sender, const struct outgoing *mail, enum mail_count outcome)
{
	/* Of a kind that is none of this release's: the last label. */
	metric_add_by(sender->worker.page, METRIC_MAILS, (int)mail_kind_from_word(mail->kind), (int)outcome, 1);
}

static void
write_unsent(struct sender *sender, struct buffer *out, const struct outgoing *mail)
{
	switch (mail->verdict) {
	case OUTGOING_CANCELLED:
		count_mail(sender, mail, MAIL_COUNT_CANCELLED);
		log_mail(LOG_LEVEL_INFO, "cancelled mail", mail, NULL);
		write_result(out, mail, "cancelled", mail->reason, 0, true);
		break;
	case OUTGOING_FAILED:
		count_mail(sender, mail, MAIL_COUNT_FAILED);
		log_mail(LOG_LEVEL_WARN, "could not send mail", mail, NULL);
		write_result(out, mail, "failed", mail->reason, 0, true);
		break;
	default:
		write_result(out, mail, "queued", mail->reason, UNREACHED_DELAY_S, true);
	}
}

static void
write_sent(struct sender *sender, struct buffer *out, const struct outgoing *mail, const struct mail_outcome *outcome)
{
	switch (outcome->result) {
	case MAIL_SENT:
		count_mail(sender, mail, MAIL_COUNT_SENT);
		log_mail(LOG_LEVEL_INFO, "sent mail", mail, outcome);
		write_result(out, mail, "sent", outcome->reply, 0, false);
		break;
	case MAIL_REFUSED:
		count_mail(sender, mail, MAIL_COUNT_FAILED);
		log_mail(LOG_LEVEL_WARN, "could not send mail: refused", mail, outcome);
		write_result(out, mail, "failed", outcome->reply, 0, !outcome->attempted);
		break;
	case MAIL_LATER:
		count_mail(sender, mail, MAIL_COUNT_RETRIED);
		log_mail(LOG_LEVEL_INFO, "could not send mail yet", mail, outcome);
		write_result(out, mail, "queued", outcome->reply, delay_s(mail, outcome), !outcome->attempted);
		break;
	case MAIL_OUR_FAULT:
		write_result(out, mail, "queued", outcome->reply, sender->hold_s, true);
		break;
	}
}

/* Holds the lane when the batch met a fault of our own; frees it when the relay spoke
 * about a mail again. */
static void
judge_lane(struct sender *sender, const struct mail_outcome *outcomes, int count)
{
	const struct mail_outcome *fault = NULL;
	bool went_through = false;
	char code[4];

	for (int i = 0; i < count; i++) {
		if (outcomes[i].result == MAIL_OUR_FAULT)
			fault = &outcomes[i];
		else if (outcomes[i].attempted)
			went_through = true;
	}
	if (fault == NULL) {
		/* Whoever was held: the relay takes mails. */
		if (went_through) {
			sender->hold_s = 0;
			metric_set(sender->worker.page, METRIC_MAIL_LANE_HELD, 0);
		}
		return;
	}
	sender->hold_s = sender->hold_s == 0 ? HOLD_MIN_S : sender->hold_s * 2;
	if (sender->hold_s > HOLD_MAX_S)
		sender->hold_s = HOLD_MAX_S;
	sender->held_until_ms = clock_monotonic_ms() + sender->hold_s * 1000;
	metric_set(sender->worker.page, METRIC_MAIL_LANE_HELD, 1);
	take_code(fault, code);
	log_error("could not send any mail: check ROLLCALL_SMTP_URL and ROLLCALL_MAIL_FROM", "reply",
		*code != '\0' ? code : fault->reply, NULL);
}

/* "Link issued to ..." belongs to the audit from the moment that somebody has it. */
static void
write_audit(struct buffer *out, const struct outgoing *mail)
{
	char id[UUID_TEXT_SIZE];

	uuid_make_text(id);
	json_write_separator(out);
	buffer_putc(out, '{');
	json_write_string_member(out, "org_id", mail->org_id);
	json_write_string_member(out, "outbox_id", mail->id);
	json_write_string_member(out, "id", id);
	json_write_string_member(out, "user_id", mail->user_id);
	json_write_string_member(out, "action", "user.link_issued");
	json_write_name(out, "changes");
	buffer_printf(out, "{\"issued_to\":[null,\"%s\"]}", mail->administrator_id);
	buffer_putc(out, '}');
}

/* True when nothing of it is left to settle. */
static bool
try_to_settle(struct sender *sender, const struct buffer *results, const struct buffer *audits)
{
	PGresult *settled = worker_query(&sender->worker, &query_outbox_settle, (const char *const[]){
		buffer_text(results), buffer_text(audits), transition_actor_system, sender->worker.name });
	const bool is_all = settled != NULL && row_int(settled, 0, "left_over") == 0;

	PQclear(settled);
	return is_all;
}

/* What is not settled will be sent again: so a row that is locked, or a database that
 * is away, is worth waiting for as long as the mails are ours. */
static void
settle(struct sender *sender, const struct buffer *results, const struct buffer *audits)
{
	struct worker *worker = &sender->worker;
	int64_t until_ms = sender->lease_until_ms - LEASE_MARGIN_S * 1000;
	long pause_ms = SETTLE_PAUSE_MIN_MS;
	bool knows_of_stop = false;

	/* The relay's time is over: this is another thing to hang at. */
	child_busy_set(worker->page, worker->child, clock_monotonic_ms());
	while (!try_to_settle(sender, results, audits)) {
		const int64_t now_ms = clock_monotonic_ms();

		if (!knows_of_stop && supervisor_stopping()) {
			knows_of_stop = true;
			if (until_ms > now_ms + SETTLE_STOPPING_S * 1000)
				until_ms = now_ms + SETTLE_STOPPING_S * 1000;
		}
		if (now_ms + pause_ms > until_ms) {
			log_warn("could not settle a batch: its mails may be sent again", NULL);
			return;
		}
		(void)nanosleep(&(struct timespec){ pause_ms / 1000, pause_ms % 1000 * 1000000 }, NULL);
		pause_ms = pause_ms * 2 < SETTLE_PAUSE_MAX_MS ? pause_ms * 2 : SETTLE_PAUSE_MAX_MS;
	}
}

/* Sends what is ready in one session; outcomes come in the order of what is ready. */
static void
send_batch(struct sender *sender, struct outgoing *mails, int count)
{
	struct mail batch[BATCH];
	struct mail_outcome outcomes[BATCH] = { 0 };
	int ready = 0, answered = 0;
	struct buffer results = BUFFER_INIT, audits = BUFFER_INIT;

	for (int i = 0; i < count; i++) {
		if (mails[i].verdict == OUTGOING_READY)
			batch[ready++] = (struct mail){ mails[i].recipient, mails[i].message.data, mails[i].message.length };
	}
	if (ready > 0)
		mailer_send(sender->mailer, batch, ready, outcomes);
	judge_lane(sender, outcomes, ready);
	buffer_putc(&results, '[');
	buffer_putc(&audits, '[');
	for (int i = 0; i < count; i++) {
		const struct outgoing *mail = &mails[i];
		if (mail->verdict != OUTGOING_READY) {
			write_unsent(sender, &results, mail);
			continue;
		}
		const struct mail_outcome *outcome = &outcomes[answered++];
		write_sent(sender, &results, mail, outcome);
		if (outcome->result == MAIL_SENT && *mail->administrator_id != '\0')
			write_audit(&audits, mail);
	}
	buffer_putc(&results, ']');
	buffer_putc(&audits, ']');
	settle(sender, &results, &audits);
	buffer_free(&results);
	buffer_free(&audits);
}

/* Each mail that is composed is a sign of life: slowly is not hung. */
static void
compose_batch(struct sender *sender, const PGresult *rows, struct outgoing *mails, int count)
{
	struct worker *worker = &sender->worker;
	int64_t now_ms = clock_monotonic_ms();
	const int64_t until_ms = now_ms + COMPOSE_S * 1000;

	for (int i = 0; i < count; i++) {
		child_busy_set(worker->page, worker->child, now_ms);
		if (now_ms < until_ms)
			outgoing_compose(worker, sender->templates, rows, i, &mails[i]);
		else
			outgoing_put_off(rows, i, &mails[i]);
		now_ms = clock_monotonic_ms();
	}
	child_busy_set(worker->page, worker->child, now_ms);
}

/* True when there was something to do. */
static bool
work(struct sender *sender)
{
	struct worker *worker = &sender->worker;
	struct outgoing mails[BATCH];
	PGresult *rows = claim(sender);

	if (rows == NULL)
		return false;
	const int count = PQntuples(rows);
	compose_batch(sender, rows, mails, count);
	send_batch(sender, mails, count);
	for (int i = 0; i < count; i++)
		outgoing_free(&mails[i]);
	child_busy_set(worker->page, worker->child, 0);
	PQclear(rows);
	return true;
}

static int64_t
wait_ms(struct sender *sender)
{
	const int64_t poll_ms = sender->worker.config->poll_interval_s * 1000;
	int64_t until_due_ms = poll_ms;
	PGresult *next;

	if (sender->hold_s > 0 && sender->held_until_ms > clock_monotonic_ms())
		return sender->held_until_ms - clock_monotonic_ms();
	next = worker_query(&sender->worker, &query_outbox_next, NULL);
	if (next != NULL && row_text(next, 0, "wait_ms") != NULL)
		until_due_ms = row_int(next, 0, "wait_ms");
	PQclear(next);
	return until_due_ms < poll_ms ? until_due_ms : poll_ms;
}

static bool
is_held(const struct sender *sender)
{
	return sender->hold_s > 0 && sender->held_until_ms > clock_monotonic_ms();
}

int
sender_run(const struct config *config, struct shared_page *page, int child)
{
	struct sender sender = { 0 };

	srandom((unsigned)clock_monotonic_ns());
	worker_open(&sender.worker, config, page, child, "sender");
	sender.mailer = mailer_create(config);
	sender.templates = template_set_load(config->templates);
	while (!supervisor_stopping()) {
		if (!is_held(&sender) && work(&sender))
			continue;
		/* At least a little: an empty claim beside a due row is one that another holds. */
		int64_t ms = wait_ms(&sender);
		if (!supervisor_stopping())
			(void)database_wait(sender.worker.database, OUTBOX_CHANNEL, ms > 50 ? ms : 50);
	}
	mailer_free(&sender.mailer);
	template_set_free(&sender.templates);
	worker_close(&sender.worker);
	return 0;
}
