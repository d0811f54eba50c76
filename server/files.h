/*
 * files: what routes that answer with a file have in common.
 */
#ifndef ROLLCALL_FILES_H
#define ROLLCALL_FILES_H

#include "request.h"

struct embedded_file;

/* The parameter `delimiter` as a character: a comma unless another is asked for. */
char file_read_delimiter(struct request *rq);
/* The parameter `format`, csv (the default) or xlsx. */
bool file_wants_xlsx(struct request *rq);
/* Says under which name a browser shall keep it. The name is valid UTF-8. */
void file_reply_name(struct request *rq, const char *name);

/* A file of the program itself: 304 to who has it already. It is asked for again each time, so
 * that a new release is seen at once. */
enum step file_reply_embedded(struct request *rq, const struct embedded_file *file, const char *content_type);

/* Behind a query whose row says file_name, file_id, parts and size: the parts of a file of
 * the database, one after the other. */
enum step file_stream(struct request *rq, const char *content_type);

#endif
