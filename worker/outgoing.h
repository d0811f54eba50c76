/*
 * outgoing: from an outbox row to the message that goes on the wire.
 *
 * The row says what kind of mail and about whom; names, addresses and links are read
 * and computed when it is sent, so that nothing stale goes out. Mails to
 * administrators find their recipient here (DESIGN.md §4, links that go to
 * administrators).
 */
#ifndef ROLLCALL_OUTGOING_H
#define ROLLCALL_OUTGOING_H

#include <libpq-fe.h>

#include "buffer.h"

struct template_set;
struct worker;

enum outgoing_verdict {
	OUTGOING_READY,
	OUTGOING_CANCELLED,	/* its link has died, its reason has gone */
	OUTGOING_FAILED,	/* it can never be sent: no address, too old, unknown kind */
	OUTGOING_LATER,		/* the database did not answer, or not soon enough */
};

struct outgoing {
	/* Of the row; live as long as the rows. */
	const char *org_id, *id, *kind, *user_id;
	const char *request_id;		/* that it goes back to; NULL: none */
	long attempts;
	/* What became of it. */
	enum outgoing_verdict verdict;
	const char *reason;		/* static: why it is not sent now */
	char recipient[256];
	char administrator_id[40];	/* "" unless an administrator gets a link */
	struct buffer message;
};

/* Composes row `row` of query_outbox_read. */
void outgoing_compose(struct worker *worker, const struct template_set *templates,
	const PGresult *rows, int row, struct outgoing *mail);
/* Leaves it for later, uncomposed. */
void outgoing_put_off(const PGresult *rows, int row, struct outgoing *mail);
void outgoing_free(struct outgoing *mail);

#endif
