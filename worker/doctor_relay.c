/*
 * The settings as smtp_probe wants them: within the bounds of the transport that would send.
 */
#include "doctor_relay.h"

#include <string.h>
#include <unistd.h>

#include "config.h"
#include "findings.h"
#include "mailer_priv.h"
#include "smtp_probe.h"
#include "smtp_token.h"

static const enum probe_tls tls_of[] = {
	[SMTP_TLS_STARTTLS] = PROBE_TLS_STARTTLS, [SMTP_TLS_IMPLICIT] = PROBE_TLS_IMPLICIT, [SMTP_TLS_NONE] = PROBE_TLS_NONE,
};

/* The token that the mailer would read; false, said, when there is none. */
static bool
read_token(struct findings *findings, const struct config *config, char **token)
{
	const char *reason = NULL;

	if (!config->smtp.xoauth2)
		return true;
	*token = smtp_token_read(config->smtp_token_file, &reason);
	if (*token == NULL)
		findings_add(findings, FINDING_FAIL, "smtp.auth", "Mend the file that ROLLCALL_SMTP_TOKEN_FILE names: it holds the token alone.",
			"The relay's token cannot be used: %s.", reason);
	return *token != NULL;
}

void
doctor_look_at_relay(struct findings *findings, const struct config *config)
{
	char *token = NULL;
	const char *host = strstr(config->public_url, "://");
	char greeting[256] = "";
	struct probe_target target = {
		.host = config->smtp.host, .port = config->smtp.port,
		.tls = tls_of[config->smtp.tls], .newest_tls = transport_of(config)->newest_tls, .ca_file = config->smtp_ca,
		.greeting = greeting, .user = config->smtp.user, .password = config->smtp.password,
		.sender = config->mail_from_address,
	};

	/* As the mailer does: a name without a dot is refused by some. */
	gethostname(greeting, sizeof(greeting) - 1);
	if (strchr(greeting, '.') == NULL && host != NULL && strcspn(host + 3, ":/[") > 0) {
		memset(greeting, 0, sizeof(greeting));
		memcpy(greeting, host + 3, strcspn(host + 3, ":/[") < sizeof(greeting) ? strcspn(host + 3, ":/[") : sizeof(greeting) - 1);
	}
	if (read_token(findings, config, &token)) {
		target.token = token;
		smtp_probe(&target, findings);
		smtp_token_free(&token);
	}
}
