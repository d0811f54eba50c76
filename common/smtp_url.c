/*
 * smtp_url: see its header. A URL is read from its scheme over its options to its host, because
 * scheme and options say what user, password and port may be.
 */
#include "smtp_url.h"

#include <stdlib.h>
#include <string.h>

#include "config_values.h"
#include "encode.h"
#include "memory.h"

#define PORT_SUBMISSION 587
#define PORT_SUBMISSIONS 465
#define PORT_SMTP 25

struct words {
	const char *text;
	size_t length;
};

static bool
is_word(struct words words, const char *word)
{
	return words.length == strlen(word) && strncmp(words.text, word, words.length) == 0;
}

/* NULL for a malformed escape or a control character. */
static char *
decode_login_part(struct words part)
{
	char *decoded = xcalloc(1, part.length + 1);
	bool ok;

	memcpy(decoded, part.text, part.length);
	ok = percent_decode(decoded, &part.length);
	/* A line end in a user name would be a command of its own to the relay. */
	for (size_t i = 0; ok && i < part.length; i++)
		ok = (unsigned char)decoded[i] >= 0x20 && decoded[i] != 0x7f;
	if (!ok) {
		free(decoded);
		return NULL;
	}
	return decoded;
}

static const char *
parse_login(struct words login, struct smtp_config *smtp)
{
	const char *colon = memchr(login.text, ':', login.length);
	const size_t user_length = colon ? (size_t)(colon - login.text) : login.length;

	if (smtp->xoauth2 && (colon || user_length == 0))
		return "auth=xoauth2 goes with a user and no password: user@host";
	if (!smtp->xoauth2 && (!colon || user_length == 0 || user_length + 1 == login.length))
		return "a user needs a password, and a password a user";
	smtp->user = decode_login_part((struct words){ login.text, user_length });
	if (colon)
		smtp->password = decode_login_part((struct words){ colon + 1, login.length - user_length - 1 });
	return smtp->user && (smtp->password || !colon) ? NULL : "user or password is not properly percent-encoded";
}

static const char *
parse_tls(struct words value, struct smtp_config *smtp)
{
	if (smtp->tls == SMTP_TLS_IMPLICIT)
		return "smtps:// is TLS from the first byte: it takes no option tls";
	smtp->tls = is_word(value, "none") ? SMTP_TLS_NONE : SMTP_TLS_STARTTLS;
	return smtp->tls == SMTP_TLS_NONE || is_word(value, "starttls") ? NULL : "the option tls is starttls or none";
}

static const char *
parse_auth(struct words value, struct smtp_config *smtp)
{
	smtp->xoauth2 = is_word(value, "xoauth2");
	return smtp->xoauth2 ? NULL : "the option auth is xoauth2, or is left out";
}

static const char *
parse_transport(struct words value, struct smtp_config *smtp)
{
	smtp->transport = is_word(value, "libcurl") ? SMTP_LIBCURL : SMTP_LIBESMTP;
	return smtp->transport == SMTP_LIBCURL || is_word(value, "libesmtp") ? NULL
		: "the option transport is libesmtp or libcurl";
}

static const struct option {
	const char *name;
	const char *(*parse)(struct words value, struct smtp_config *smtp);
} options[] = { { "tls", parse_tls }, { "auth", parse_auth }, { "transport", parse_transport } };
enum { OPTION_COUNT = sizeof options / sizeof *options, OPTION_TRANSPORT = 2 };

static const char *
parse_option(struct words option, struct smtp_config *smtp, bool given[OPTION_COUNT])
{
	const char *equals = memchr(option.text, '=', option.length);
	const struct words name = { option.text, equals ? (size_t)(equals - option.text) : option.length };

	for (int i = 0; equals && i < OPTION_COUNT; i++) {
		if (!is_word(name, options[i].name))
			continue;
		if (given[i])
			return "an option stands there twice";
		given[i] = true;
		return options[i].parse((struct words){ equals + 1, option.length - name.length - 1 }, smtp);
	}
	return "the only options are tls, auth and transport";
}

/* `query` is "" or begins with the question mark. */
static const char *
parse_options(const char *query, struct smtp_config *smtp)
{
	bool given[OPTION_COUNT] = { false };
	const char *fault = NULL;

	if (*query != '\0' && *query != '?')
		return "behind the host stand only options, after a question mark";
	while (*query != '\0' && !fault) {
		const size_t length = strcspn(++query, "&");

		fault = parse_option((struct words){ query, length }, smtp, given);
		query += length;
	}
	if (fault)
		return fault;
	if (smtp->tls != SMTP_TLS_IMPLICIT && !smtp->xoauth2)
		return NULL;
	if (given[OPTION_TRANSPORT] && smtp->transport == SMTP_LIBESMTP)
		return "libesmtp knows neither smtps:// nor xoauth2: leave the option transport out";
	smtp->transport = SMTP_LIBCURL;
	return NULL;
}

static const char *
check_secrecy(const struct smtp_config *smtp)
{
	if (smtp->xoauth2 && !smtp->user)
		return "auth=xoauth2 needs the user whose token it is: user@host";
	if (smtp->tls == SMTP_TLS_NONE && smtp->user)
		return "a password would be sent in clear: tls=none goes without user and password";
	return NULL;
}

/* host[:port] */
static const char *
parse_host_and_port(struct words host, struct smtp_config *smtp)
{
	static const uint16_t ports[] = {
		[SMTP_TLS_STARTTLS] = PORT_SUBMISSION, [SMTP_TLS_IMPLICIT] = PORT_SUBMISSIONS, [SMTP_TLS_NONE] = PORT_SMTP,
	};
	const char *colon = memchr(host.text, ':', host.length);
	const char *fault;
	char *port;

	if (*host.text == '[')
		return "an IPv6 address cannot be used here: give the relay a name";
	smtp->port = ports[smtp->tls];
	fault = value_parse_host(host.text, colon ? (size_t)(colon - host.text) : host.length, smtp->host);
	if (fault || !colon)
		return fault;
	port = xstrdup(colon + 1);
	port[host.length - (size_t)(colon + 1 - host.text)] = '\0';
	fault = value_parse_port(port, &smtp->port);
	free(port);
	return fault;
}

const char *
smtp_url_parse(const char *text, struct smtp_config *smtp)
{
	const bool is_smtps = strncmp(text, "smtps://", 8) == 0;
	const char *host, *at = NULL, *fault;
	size_t length;

	if (!is_smtps && strncmp(text, "smtp://", 7) != 0)
		return "it begins with neither smtp:// nor smtps://";
	text += is_smtps ? 8 : 7;
	smtp->tls = is_smtps ? SMTP_TLS_IMPLICIT : SMTP_TLS_STARTTLS;
	length = strcspn(text, "/?");
	for (size_t i = 0; i < length; i++)
		if (text[i] == '@')
			at = text + i;
	host = at ? at + 1 : text;
	fault = parse_options(text + length + (text[length] == '/'), smtp);
	if (!fault && at)
		fault = parse_login((struct words){ text, (size_t)(at - text) }, smtp);
	if (!fault)
		fault = check_secrecy(smtp);
	return fault ? fault : parse_host_and_port((struct words){ host, length - (size_t)(host - text) }, smtp);
}
