/*
 * dial: one outgoing connection for a doctor: TCP, TLS when asked for, lines of text.
 *
 * Blocking, with one deadline over all of it. The certificate is always verified, and
 * must carry the name that was dialled. Every failure leaves its reason in dial_fault.
 */
#ifndef ROLLCALL_DIAL_H
#define ROLLCALL_DIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dial;

/* Never NULL; not connected when dial_fault says something. `host` is a name or an address
 * without brackets. All that is done with it must be done within limit_ms, of which no address
 * of the name takes more than its share. */
struct dial *dial_open(const char *host, uint16_t port, int limit_ms);
void dial_close(struct dial **dial);
/* "" while all is well. */
const char *dial_fault(const struct dial *dial);
/* Goes on in TLS, 1.2 or later. `ca_file` NULL: the system's certificates. `newest`: the last version
 * that is offered, as OpenSSL numbers them (TLS1_2_VERSION); 0: as new as there is. */
bool dial_start_tls(struct dial *dial, const char *ca_file, int newest) __attribute__((warn_unused_result));
/* "TLSv1.3", or NULL. */
const char *dial_tls_version(const struct dial *dial);
bool dial_write(struct dial *dial, const char *text) __attribute__((warn_unused_result));
/* One line without its end; what does not fit is cut. What comes without a line end before the
 * connection closes is the last line; behind it, and when something fails, false. */
bool dial_read_line(struct dial *dial, char *line, size_t size) __attribute__((warn_unused_result));

#endif
