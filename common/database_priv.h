/*
 * What database.c and database_wait.c know of a connection.
 */
#ifndef ROLLCALL_DATABASE_PRIV_H
#define ROLLCALL_DATABASE_PRIV_H

#include "database.h"

struct database {
	char *url;
	char *application_name;
	int statement_timeout_ms;
	PGconn *connection;	/* NULL while there is none */
	bool *prepared;		/* by query->index, on this connection */
	char *listening;	/* channel, on this connection; NULL: none */
	char violated[64];	/* by the last query that failed */
	struct shared_page *page;	/* what fails is counted there; NULL: nowhere */
	bool plans_for_values;
	bool was_connected;
	bool is_down;		/* the last attempt failed, and that was logged */
};

/* With all that belongs to the connection. */
void database_disconnect(struct database *database);
bool database_succeeded(const PGresult *result);

#endif
