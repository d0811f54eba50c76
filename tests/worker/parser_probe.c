/*
 * parser_probe: lets pytest drive the file parser without a database.
 *
 *     parser_probe [charset=C] [deadline_ms=N] [memory_bytes=N] [stop_after=ROWS] [count]
 *
 * stdin: the file; stdout: JSON lines: each row ([number, [texts]]; a text that is
 * none is {"error": ...} or {"no_value": ""}), then what came of it, with what the file was
 * taken for and the child's memory. With `count` the rows are only counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "buffer.h"
#include "clock.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "parser.h"
#include "parser_child.h"

struct probe {
	bool counts_only;
	uint32_t rows, stop_after;
	struct buffer out;
};

static void
write_cell(struct buffer *out, const struct parser_cell *cell)
{
	if (cell->value != PARSER_TEXT)
		buffer_puts(out, cell->value == PARSER_ERROR ? "{\"error\":" : "{\"no_value\":");
	json_write_string(out, cell->text);
	if (cell->value != PARSER_TEXT)
		buffer_putc(out, '}');
}

static bool
take_row(void *context, const struct parser_row *row)
{
	struct probe *probe = context;

	probe->rows++;
	if (!probe->counts_only) {
		buffer_clear(&probe->out);
		buffer_printf(&probe->out, "[%u,[", row->number);
		for (int i = 0; i < row->count; i++) {
			if (i > 0)
				buffer_putc(&probe->out, ',');
			write_cell(&probe->out, &row->cells[i]);
		}
		printf("%s]]\n", buffer_text(&probe->out));
	}
	return probe->stop_after == 0 || probe->rows < probe->stop_after;
}

static uint8_t *
read_all(size_t *length)
{
	size_t capacity = 0;
	uint8_t *bytes = NULL;
	ssize_t count;

	*length = 0;
	do {
		if (capacity - *length < 65536)
			bytes = xrealloc(bytes, capacity = 2 * capacity + 131072);
		count = read(STDIN_FILENO, bytes + *length, capacity - *length);
		*length += count > 0 ? (size_t)count : 0;
	} while (count > 0);
	return bytes;
}

static const char *
value_of(int argc, char **argv, const char *name)
{
	const size_t length = strlen(name);

	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], name, length) == 0 && (argv[i][length] == '=' || argv[i][length] == '\0'))
			return argv[i] + length + (argv[i][length] == '=');
	return NULL;
}

static size_t
number_of(int argc, char **argv, const char *name)
{
	const char *value = value_of(argc, argv, name);

	return value != NULL ? strtoul(value, NULL, 10) : 0;
}

static void
print_end(struct probe *probe, const struct parser_file *file, const struct parser_fault *fault, int64_t taken_ms)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	buffer_clear(&probe->out);
	parser_fault_describe(fault, &probe->out);
	printf("{\"fault\":\"%s\",\"row\":%u,\"column\":%u,\"says\":", parser_fault_word(fault->kind), fault->row, fault->column);
	printf("\"%s\",\"rows\":%u,", buffer_text(&probe->out), probe->rows);
	if (file->charset != NULL)
		printf("\"format\":\"%s\",\"charset\":\"%s\",\"is_guess\":%s,\"sure\":%d,\"delimiter\":\"%s\",",
			file->format == PARSER_CSV ? "csv" : "xlsx", file->charset, file->is_guess ? "true" : "false",
			file->sure_percent, file->delimiter == '\t' ? "\\t" : (char[2]){ file->delimiter });
	printf("\"child_kib\":%ld,\"ms\":%lld}\n", usage.ru_maxrss, (long long)taken_ms);
}

int
main(int argc, char **argv)
{
	struct probe probe = { .out = BUFFER_INIT };
	struct parser_file file = { .charset = NULL };
	struct parser_fault fault;
	struct parser_job job = { .take = take_row, .context = &probe };
	uint8_t *bytes;
	int64_t started_ms;

	parser_child_enter(argc, argv, NULL);
	bytes = read_all(&job.length);
	job.bytes = bytes;
	job.charset = value_of(argc, argv, "charset");
	job.deadline_ms = (int)number_of(argc, argv, "deadline_ms");
	job.memory_bytes = number_of(argc, argv, "memory_bytes");
	probe.stop_after = (uint32_t)number_of(argc, argv, "stop_after");
	probe.counts_only = value_of(argc, argv, "count") != NULL;
	started_ms = clock_monotonic_ms();
	(void)!parser_run(&job, &file, &fault);
	print_end(&probe, &file, &fault, clock_monotonic_ms() - started_ms);
	buffer_free(&probe.out);
	free(bytes);
	return 0;
}
