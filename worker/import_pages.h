/*
 * import_pages: a stage of an import that goes through its rows, page by page.
 */
#ifndef ROLLCALL_IMPORT_PAGES_H
#define ROLLCALL_IMPORT_PAGES_H

#include "import_work.h"
#include "seen.h"

#define IMPORT_PAGE_ROWS 1000

/* Those of the rows found that go together: row places[i] of `found`. */
struct import_page {
	struct import_work *work;	/* with the lease on the connection that is the page's */
	const PGresult *found;		/* until it was sent */
	int places[IMPORT_PAGE_ROWS];
	int count;
	void *sent;			/* the stage's own, from `send` to `finish` */
	bool is_open;			/* what it landed with is not all of it */
};

struct import_stage {
	const char *state, *done;	/* of the import, while it goes on and when it is over */
	bool as_actor;			/* as who asked for the stage, not as who uploaded the file */
	bool tells;			/* by mail, when it is over */
	/* (org_id, import_id, row, limit): the rows that are still to be dealt with, in the order of
	 * the stage; `row`: behind it, NULL: from the beginning. */
	const struct query *next;
	int direction;			/* 1: as the file has them, -1: the last first */
	/* Whether row i of `found` rests on what becomes of one before it there, or on the page that is
	 * under way (NULL: none). Each is asked in turn. */
	bool (*rests)(struct seen *here, const struct seen *under_way, const PGresult *found, int i);
	/* All of a page; or, where there is `land`, up to where the database writes it. */
	enum job_progress (*send)(struct import_page *page);
	/* The outcome of what was sent; is_open: others were quicker, and some of it is to be written again. */
	enum job_progress (*land)(struct import_page *page);
	/* The rest, if it `landed` well, and the end of what was sent; of a page that is open, nothing else is
	 * under way. */
	enum job_progress (*finish)(struct import_page *page, enum job_progress landed);
};

enum job_end import_stage_run(struct job_lease *lease, const struct import_stage *stage);

/* A statement about rows: (org_id, import_id, {row: ...}); `items` are the members, and the
 * buffer is freed. */
struct statement import_statement(struct import_work *work, struct job_batch *batch, const struct query *query,
	struct buffer *items);
/* Writes one by itself, if there are items. Another page may have the import's own row. */
enum job_progress import_write_rows(struct import_work *work, struct job_batch *batch, const struct query *query,
	struct buffer *items) __attribute__((warn_unused_result));

#endif
