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

/* For a child_spec's `run`: serves until SIGTERM, then returns 0; 1,
 * logged, when the address cannot be listened on. Everything but /metrics is 404. */
int metrics_server_run(const struct endpoint *endpoint, const struct shared_page *page);

#endif
