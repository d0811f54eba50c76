/*
 * import_match: whom each row of a page is about, and so what is to become of it.
 */
#ifndef ROLLCALL_IMPORT_MATCH_H
#define ROLLCALL_IMPORT_MATCH_H

#include "import_row.h"
#include "import_work.h"
#include "seen.h"

/* Decides of each row whether it makes a user, changes one, is skipped, or is wrong: by the id
 * that it has, else by external id, e-mail and username, in the file and in the database, as
 * policy import_on_duplicate says. */
enum job_progress import_match(struct import_work *work, struct seen *seen, struct import_row *rows, int count, struct arena *arena)
	__attribute__((warn_unused_result));

#endif
