/*
 * resolver: the addresses of the database's hosts, looked up off the event loop.
 *
 * getaddrinfo blocks, for many seconds when a name server is away; so it runs on a
 * thread that lives for one lookup. Those who ask while a lookup is under way share
 * its answer. Answers come through the loop, never inside resolver_ask.
 */
#ifndef ROLLCALL_RESOLVER_H
#define ROLLCALL_RESOLVER_H

#include "conninfo.h"

struct event_base;
struct resolver;

/* The list lives until the callback returns. It is empty, with the fault named,
 * when none of the names has an address. */
typedef void resolver_callback(void *context, const struct host_list *hosts);

struct resolver *resolver_create(struct event_base *base, const struct conninfo *info);
/* No callback comes afterwards. A lookup under way ends by itself, unheard. */
void resolver_free(struct resolver **resolver);

/* One question a context at a time. */
void resolver_ask(struct resolver *resolver, resolver_callback *callback, void *context);
/* The context's callback will not come any more. */
void resolver_forget(struct resolver *resolver, const void *context);

#endif
