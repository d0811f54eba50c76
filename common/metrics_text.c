/*
 * metrics_text: what has been counted, as text.
 *
 * Values of one family stand together, as the format (0.0.4) demands. A counter is shown
 * from the start, so that its first step is seen as one; those by route only once they
 * were used, for most routes of a deployment never are.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

#include "buffer.h"
#include "process_info.h"
#include "schema.h"
#include "shared_page.h"
#include "shared_page_priv.h"

static void
write_head(struct buffer *out, const char *name, const char *type, const char *help)
{
	buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* name{label="value",...}; the value's text must be closed by the caller. */
static void
write_label(struct buffer *out, bool *has_labels, const char *name, const char *value)
{
	buffer_printf(out, "%c%s=\"", *has_labels ? ',' : '{', name);
	*has_labels = true;
	for (; *value; value++) {
		if (*value == '\n') {
			buffer_puts(out, "\\n");
			continue;
		}
		if (*value == '"' || *value == '\\')
			buffer_putc(out, '\\');
		buffer_putc(out, *value);
	}
	buffer_putc(out, '"');
}

/* One value's place: which metric, and where its labels stand. */
struct sample {
	const struct shared_page *page;
	enum metric metric;
	const struct metric_info *info;
	int by, and_by;
	int cell;
};

static void
write_name(struct buffer *out, const struct sample *sample, const char *suffix, const char *bound)
{
	const struct metric_info *info = sample->info;
	bool has_labels = false;

	buffer_printf(out, "%s%s", info->name, suffix);
	if (info->by != LABEL_NONE)
		write_label(out, &has_labels, label_name(info->by), label_value(sample->page, info->by, sample->by));
	if (info->and_by != LABEL_NONE)
		write_label(out, &has_labels, label_name(info->and_by), label_value(sample->page, info->and_by, sample->and_by));
	if (bound != NULL)
		write_label(out, &has_labels, "le", bound);
	buffer_puts(out, has_labels ? "} " : " ");
}

static int64_t
load(const struct sample *sample, int at)
{
	return atomic_load(&sample->page->cells[sample->cell + at]);
}

static void
write_seconds(struct buffer *out, int64_t us)
{
	buffer_printf(out, "%" PRId64 ".%06d\n", us / 1000000, (int)(us % 1000000));
}

static void
write_durations(struct buffer *out, const struct sample *sample)
{
	const int buckets = metric_width(sample->metric) - 1;
	int64_t seen = 0;

	for (int bucket = 0; bucket < buckets; bucket++) {
		/* The format wants each bucket to hold all that are below it. */
		seen += load(sample, bucket);
		if (sample->info->type == SUMMARY)
			continue;
		write_name(out, sample, "_bucket", latency_bound(bucket));
		buffer_printf(out, "%" PRId64 "\n", seen);
	}
	write_name(out, sample, "_sum", NULL);
	write_seconds(out, load(sample, buckets));
	write_name(out, sample, "_count", NULL);
	buffer_printf(out, "%" PRId64 "\n", seen);
}

static int64_t
sum_of_children(const struct sample *sample)
{
	int64_t sum = 0;

	for (int child = 0; child < CHILDREN_MAX; child++)
		sum += atomic_load(&sample->page->children[child].cells[sample->cell]);
	return sum;
}

static bool
is_unused(const struct sample *sample)
{
	for (int at = 0; at < metric_width(sample->metric); at++)
		if (load(sample, at) != 0)
			return false;
	return true;
}

static void
write_sample(struct buffer *out, const struct sample *sample)
{
	const struct metric_info *info = sample->info;

	if (info->type == GAUGE && !atomic_load(&sample->page->cell_is_set[sample->cell]))
		return;
	if (info->by == LABEL_ROUTE && is_unused(sample))
		return;
	if (info->type == HISTOGRAM || info->type == SUMMARY) {
		write_durations(out, sample);
		return;
	}
	write_name(out, sample, "", NULL);
	buffer_printf(out, "%" PRId64 "\n", info->type == CHILD_GAUGE ? sum_of_children(sample) : load(sample, 0));
}

/* A family without a value would be a head without a body. */
static void
write_metric(const struct shared_page *page, enum metric metric, struct buffer *out)
{
	static const char *const types[] = {
		[COUNTER] = "counter", [GAUGE] = "gauge", [CHILD_GAUGE] = "gauge", [HISTOGRAM] = "histogram", [SUMMARY] = "summary",
	};
	const struct metric_info *info = &metric_table[metric];
	struct sample sample = { page, metric, info, 0, 0, page->first_cell[metric] };
	struct buffer values = BUFFER_INIT;

	for (sample.by = 0; sample.by < label_count(page, info->by); sample.by++) {
		for (sample.and_by = 0; sample.and_by < label_count(page, info->and_by); sample.and_by++) {
			write_sample(&values, &sample);
			sample.cell += metric_width(metric);
		}
	}
	if (values.length > 0) {
		write_head(out, info->name, types[info->type], info->help);
		buffer_append(out, values.data, values.length);
	}
	buffer_free(&values);
}

static void
write_build(struct buffer *out)
{
	write_head(out, "rollcall_build_info", "gauge", "1, with the version of this program and the newest migration that it knows.");
	buffer_printf(out, "rollcall_build_info{version=\"" ROLLCALL_VERSION "\",schema=\"%d\"} 1\n",
		migrations[migration_count - 1].version);
}

static void
write_places(const struct shared_page *page, struct buffer *out)
{
	int taken = 0;

	for (int place = 0; place < HASH_PLACES_MAX; place++)
		taken += atomic_load(&page->place_owner[place]) != 0;
	write_head(out, "rollcall_password_places_taken", "gauge",
		"Places of the hashing queue that are taken.");
	buffer_printf(out, "rollcall_password_places_taken %d\n", taken);
}

/* ---- Processes: what the kernel knows of each. */

struct process_sample {
	const struct process_entry *entry;
	int64_t started_at_s;
	struct process_info info;
};

static int
look_at_processes(const struct shared_page *page, struct process_sample samples[CHILDREN_MAX + 1])
{
	int count = 0;

	for (int i = 0; i <= CHILDREN_MAX; i++) {
		const int pid = atomic_load(&page->processes[i].pid);

		samples[count].entry = &page->processes[i];
		samples[count].started_at_s = atomic_load(&page->processes[i].started_at_s);
		if (pid != 0 && process_info_read(pid, &samples[count].info))
			count++;
	}
	return count;
}

static void
write_process_name(struct buffer *out, const char *family, const struct process_entry *entry)
{
	buffer_printf(out, "%s{process=\"%s", family, entry->name);
	if (entry->instance >= 0)
		buffer_printf(out, "-%d", entry->instance);
	buffer_puts(out, "\"} ");
}

static void
write_processes(const struct shared_page *page, struct buffer *out)
{
	struct process_sample samples[CHILDREN_MAX + 1];
	const int count = look_at_processes(page, samples);
	struct rlimit limit;

	write_head(out, "rollcall_process_resident_memory_bytes", "gauge",
		"Resident memory of each process; what they share is in each of them.");
	for (int i = 0; i < count; i++) {
		write_process_name(out, "rollcall_process_resident_memory_bytes", samples[i].entry);
		buffer_printf(out, "%" PRId64 "\n", samples[i].info.resident_bytes);
	}
	write_head(out, "rollcall_process_cpu_seconds_total", "counter", "CPU time of each process, since it began.");
	for (int i = 0; i < count; i++) {
		write_process_name(out, "rollcall_process_cpu_seconds_total", samples[i].entry);
		write_seconds(out, samples[i].info.cpu_us);
	}
	write_head(out, "rollcall_process_start_time_seconds", "gauge", "When each process began, as Unix time.");
	for (int i = 0; i < count; i++) {
		write_process_name(out, "rollcall_process_start_time_seconds", samples[i].entry);
		buffer_printf(out, "%" PRId64 "\n", samples[i].started_at_s);
	}
	write_head(out, "rollcall_process_open_fds", "gauge", "Open file descriptors of each process.");
	for (int i = 0; i < count; i++) {
		write_process_name(out, "rollcall_process_open_fds", samples[i].entry);
		buffer_printf(out, "%" PRId64 "\n", samples[i].info.open_fds);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		write_head(out, "rollcall_process_max_fds", "gauge", "File descriptors that each process may have open.");
		buffer_printf(out, "rollcall_process_max_fds %" PRIu64 "\n", (uint64_t)limit.rlim_cur);
	}
}

void
metrics_write(const struct shared_page *page, struct buffer *out)
{
	const bool is_server = page->route_count > 0;

	write_build(out);
	for (int metric = 0; metric < METRIC_COUNT; metric++) {
		const enum metric_program program = metric_table[metric].program;

		if (program == OF_BOTH || (program == OF_SERVER) == is_server)
			write_metric(page, (enum metric)metric, out);
	}
	if (is_server)
		write_places(page, out);
	write_processes(page, out);
}
