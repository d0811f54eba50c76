/*
 * Serves the description of the API, which is a file of the program.
 */
#include "openapi.h"

#include "embedded_file.h"
#include "files.h"

static enum step
openapi(struct request *rq)
{
	return file_reply_embedded(rq, &openapi_files[0], "application/json");
}

request_step *const openapi_steps[] = { openapi, NULL };
