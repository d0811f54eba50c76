/*
 * bounce: reads a delivery report (RFC 3464): which of our mails, what became of it, and why.
 *
 * A mail is known by its Message-ID, `<outbox id@domain>`, which a report carries in the
 * headers that it returns, and else where mail programs name what they answer (In-Reply-To,
 * References). Ids are hard to guess and tell nothing; the domain is not looked at, because
 * the sender's address may have changed since. A return path for each mail (VERP) would also
 * know bounces that are no reports, but asks for a domain whose mailboxes are all ours.
 *
 * Pure: no database, no files.
 */
#ifndef ROLLCALL_BOUNCE_H
#define ROLLCALL_BOUNCE_H

#include <stddef.h>

#include "uuid.h"

#define BOUNCE_MAX_BYTES (1024 * 1024)

enum bounce_action {
	BOUNCE_FAILED,		/* it will not arrive */
	BOUNCE_DELAYED,		/* it is still being tried */
	BOUNCE_ARRIVED,		/* delivered, relayed, expanded: nobody asked for this */
};

struct bounce {
	enum bounce_action action;	/* the worst of all recipients in the report */
	char mail_id[UUID_TEXT_SIZE];
	char status[16];		/* RFC 3463, as "5.1.1"; "" where none is given */
	char diagnostic[256];		/* what the last server said: one line of printable UTF-8 */
};

/* NULL, or a static sentence that says what was not understood; then `bounce` is undefined. */
const char *bounce_read(const char *text, size_t length, struct bounce *bounce);

#endif
