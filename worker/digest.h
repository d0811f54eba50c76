/*
 * digest: tells administrators who was locked, at once and then at most every five
 * minutes, in one mail for all of them.
 */
#ifndef ROLLCALL_DIGEST_H
#define ROLLCALL_DIGEST_H

#include <stdbool.h>

struct worker;

bool digest_locks(struct worker *worker);

#endif
