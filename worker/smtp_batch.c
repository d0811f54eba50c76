/*
 * smtp_batch: see its header.
 *
 * Always true: a text goes out only behind a 2xx to its sender and its recipient and the 354;
 * once it is under way, a stop of the program waits for the answer to it. MAIL and RCPT go
 * together where the relay allows it, DATA never goes with them: so no relay can ask for a
 * text that has no recipient.
 */
#include "smtp_batch.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "buffer.h"
#include "clock.h"
#include "connect.h"
#include "supervisor.h"

enum { REPLY_LINES_MAX = 100, QUIT_MS = 2000 };

/* False: lost, or too late. */
static bool
await(struct smtp_link *link, short events, int64_t deadline_ms)
{
	struct pollfd waiting = { .fd = link->fd, .events = events };
	int64_t left_ms = deadline_ms - clock_monotonic_ms();
	int ready = left_ms > 0 ? poll(&waiting, 1, (int)left_ms) : 0;

	if (ready > 0 || (ready < 0 && errno == EINTR))
		return true;
	link->is_lost = true;
	link->went_quiet = ready == 0;
	return false;
}

static bool
send_all(struct smtp_link *link, const char *bytes, size_t length)
{
	int64_t deadline_ms = clock_monotonic_ms() + link->timeout_ms;

	while (length > 0 && !link->is_lost) {
		size_t sent = 0;
		CURLcode code = curl_easy_send(link->easy, bytes, length, &sent);

		if (code == CURLE_OK) {
			bytes += sent;
			length -= sent;
			deadline_ms = clock_monotonic_ms() + link->timeout_ms;
		} else if (code != CURLE_AGAIN || !await(link, POLLOUT, deadline_ms)) {
			link->is_lost = true;
		}
	}
	return !link->is_lost;
}

/* More of what the relay says. It may already lie inside TLS, where poll(2) does not see it. */
static bool
receive(struct smtp_link *link, int64_t deadline_ms)
{
	while (!link->is_lost && link->input_length < sizeof link->input) {
		size_t received = 0;
		CURLcode code = curl_easy_recv(link->easy, link->input + link->input_length,
			sizeof link->input - link->input_length, &received);

		link->input_length += received;
		if (code == CURLE_OK && received > 0)
			return true;
		if (code != CURLE_AGAIN || !await(link, POLLIN, deadline_ms))
			link->is_lost = true;
	}
	link->is_lost = true;	/* a line that is longer than all that is told in one */
	return false;
}

/* Without its end; cut where it is longer than `line`. */
static bool
read_line(struct smtp_link *link, char *line, size_t size, int64_t deadline_ms)
{
	const char *feed;
	size_t length, shown;

	while ((feed = memchr(link->input, '\n', link->input_length)) == NULL)
		if (!receive(link, deadline_ms))
			return false;
	length = (size_t)(feed - link->input) + 1;
	shown = length - 1 < size ? length - 1 : size - 1;
	memcpy(line, link->input, shown);
	line[shown] = '\0';
	line[strcspn(line, "\r")] = '\0';
	link->input_length -= length;
	memmove(link->input, link->input + length, link->input_length);
	return true;
}

/* RFC 5321 §4.2: three digits, and more lines behind a hyphen. 0: none of it. */
static int
code_of(const char *line)
{
	if (line[0] < '2' || line[0] > '5' || !isdigit((unsigned char)line[1]) || !isdigit((unsigned char)line[2]))
		return 0;
	if (line[3] != '\0' && line[3] != ' ' && line[3] != '-')
		return 0;
	return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

/* The words of all lines behind one code. Enhanced status codes (RFC 2034) stand in each
 * line, and are shown once. */
static void
append_words(struct buffer *words, const char *line)
{
	const char *text = line[3] != '\0' ? line + 4 : "";
	size_t status = strspn(text, "0123456789."), shown = strcspn(buffer_text(words), " ") + 1;

	if (words->length == 0) {
		buffer_printf(words, "%.3s %s", line, text);
		return;
	}
	if (status > 4 && text[status] == ' ' && words->length > shown + status
		&& strncmp(buffer_text(words) + shown, text, status + 1) == 0)
		text += status + 1;
	buffer_printf(words, " %s", text);
}

/* False: there was none. */
static bool
read_reply(struct smtp_link *link, struct relay_reply *reply, int timeout_ms)
{
	const int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
	struct buffer words = BUFFER_INIT;
	char line[512];
	int code = 0, lines = 0;

	do {
		if (!read_line(link, line, sizeof line, deadline_ms))
			break;
		code = code_of(line);
		if (code == 0 || ++lines > REPLY_LINES_MAX)
			link->is_lost = true;
		else
			append_words(&words, line);
	} while (!link->is_lost && line[3] == '-');
	if (!link->is_lost) {
		reply->code = code;
		copy_words(reply->words, sizeof reply->words, buffer_text(&words));
		if (code == 421)
			copy_words(link->goodbye, sizeof link->goodbye, buffer_text(&words));
	}
	buffer_free(&words);
	return !link->is_lost;
}

static bool
ask(struct smtp_link *link, const char *command, struct relay_reply *reply)
{
	return send_all(link, command, strlen(command)) && read_reply(link, reply, link->timeout_ms);
}

static bool
is_positive(const struct relay_reply *reply)
{
	return reply->code / 100 == 2;
}

/* True when a text may follow. */
static bool
offer_envelope(struct smtp_link *link, const char *sender, const char *recipient, struct mail_facts *facts)
{
	struct buffer from = BUFFER_INIT, to = BUFFER_INIT;
	struct relay_reply ignored = { 0 };
	bool is_asked = !link->needs_reset || ask(link, "RSET\r\n", &ignored);

	buffer_printf(&from, "MAIL FROM:<%s>\r\n", sender);
	buffer_printf(&to, "RCPT TO:<%s>\r\n", recipient);
	link->needs_reset = true;
	if (is_asked && link->may_pipeline) {
		buffer_puts(&from, buffer_text(&to));
		is_asked = ask(link, buffer_text(&from), &facts->sender)
			&& read_reply(link, is_positive(&facts->sender) ? &facts->recipient : &ignored, link->timeout_ms);
	} else if (is_asked) {
		is_asked = ask(link, buffer_text(&from), &facts->sender)
			&& (!is_positive(&facts->sender) || ask(link, buffer_text(&to), &facts->recipient));
	}
	buffer_free(&from);
	buffer_free(&to);
	return is_asked && is_positive(&facts->sender) && is_positive(&facts->recipient);
}

/* RFC 5321 §4.5.2; message_build begins no line with a dot, but that is not known here. */
static void
stuff_dots(struct buffer *out, const struct mail *mail)
{
	const char *line = mail->message, *end = line + mail->message_length;

	while (line < end) {
		const char *feed = memchr(line, '\n', (size_t)(end - line));
		const char *next = feed != NULL ? feed + 1 : end;

		if (*line == '.')
			buffer_putc(out, '.');
		buffer_append(out, line, (size_t)(next - line));
		line = next;
	}
	buffer_puts(out, ".\r\n");
}

static void
send_text(struct smtp_link *link, const struct mail *mail, struct mail_facts *facts)
{
	struct buffer text = BUFFER_INIT;

	stuff_dots(&text, mail);
	connect_set_in_hand(true);
	facts->is_complete = send_all(link, text.data, text.length)
		&& read_reply(link, &facts->message, 2 * link->timeout_ms);
	connect_set_in_hand(false);
	link->needs_reset = !facts->is_complete || !is_positive(&facts->message);
	buffer_free_secret(&text);
}

static void
offer(struct smtp_link *link, const char *sender, const struct mail *mail, struct mail_facts *facts)
{
	struct relay_reply go_ahead = { 0 };

	if (!offer_envelope(link, sender, mail->recipient, facts) || !ask(link, "DATA\r\n", &go_ahead))
		return;
	if (go_ahead.code == 354)
		send_text(link, mail, facts);
	else if (go_ahead.code / 100 > 3)
		facts->message = go_ahead;
	else
		link->is_lost = true;	/* neither yes nor no: whatever came next would be a guess */
}

void
smtp_batch_run(struct smtp_link *link, const char *sender, const struct mail *mails, int count,
	struct mail_facts *facts)
{
	for (int i = 0; i < count && !link->is_lost; i++) {
		link->was_stopped = supervisor_stopping();
		link->has_run_out = !link->was_stopped && clock_monotonic_ms() > link->offer_until_ms;
		if (link->was_stopped || link->has_run_out)
			return;
		offer(link, sender, &mails[i], &facts[i]);
	}
}

void
smtp_batch_quit(struct smtp_link *link)
{
	static const char quit[] = "QUIT\r\n";
	struct relay_reply ignored;
	bool was_quiet = link->went_quiet;

	if (!link->is_lost && send_all(link, quit, strlen(quit)))
		(void)read_reply(link, &ignored, link->timeout_ms < QUIT_MS ? link->timeout_ms : QUIT_MS);
	link->went_quiet = was_quiet;	/* all is known: it was no mail's fault */
}
