/*
 * metrics_server: answers GET /metrics, in a child of its own.
 *
 * It has its own event loop and only reads the shared page, so scraping never
 * waits for a busy server process and never delays one. No authentication: the
 * address should be one that only the monitoring reaches (loopback by default).
 */
#ifndef ROLLCALL_METRICS_SERVER_H
#define ROLLCALL_METRICS_SERVER_H

struct endpoint;
struct shared_page;

/* Before the first child: dies, naming the variable, when the address cannot be
 * listened on. A child that finds it taken would be started again for ever. */
void metrics_server_probe(const struct endpoint *endpoint);
/* For a child_spec's `run`: serves until SIGTERM, then returns 0; 1,
 * logged, when the address cannot be listened on. Everything but /metrics is 404. */
int metrics_server_run(const struct endpoint *endpoint, const struct shared_page *page);

#endif
