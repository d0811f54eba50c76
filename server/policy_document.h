/*
 * policy_document: the table of policies as Markdown, for whoever runs an organization:
 * deploy/POLICIES.md is its output, and a test keeps it so.
 */
#ifndef ROLLCALL_POLICY_DOCUMENT_H
#define ROLLCALL_POLICY_DOCUMENT_H

#include <stdio.h>

void policy_document_print(FILE *out);

#endif
