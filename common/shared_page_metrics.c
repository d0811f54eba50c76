/*
 * shared_page_metrics: counting. No locks: each of these is one or a few relaxed
 * additions, for nobody reads two cells and expects them to agree.
 */
#include "shared_page.h"

#include <assert.h>

#include "shared_page_priv.h"

static const struct latency_bound {
	int64_t us;
	const char *label;
} latency_bounds[LATENCY_BUCKETS] = {
	{ 500, "0.0005" }, { 1000, "0.001" }, { 2500, "0.0025" }, { 5000, "0.005" },
	{ 10000, "0.01" }, { 25000, "0.025" }, { 50000, "0.05" }, { 100000, "0.1" },
	{ 250000, "0.25" }, { 500000, "0.5" }, { 1000000, "1" }, { 2500000, "2.5" },
	{ 5000000, "5" }, { 10000000, "10" },
};

const char *
latency_bound(int bucket)
{
	return bucket < LATENCY_BUCKETS ? latency_bounds[bucket].label : "+Inf";
}

/* The first cell of a combination of labels. */
static int
cell_of(const struct shared_page *page, enum metric metric, int by, int and_by)
{
	const struct metric_info *info = &metric_table[metric];

	assert(metric < METRIC_COUNT && by >= 0 && by < label_capacity(info->by)
		&& and_by >= 0 && and_by < label_capacity(info->and_by));
	return page->first_cell[metric] + (by * label_capacity(info->and_by) + and_by) * metric_width(metric);
}

static void
add(_Atomic int64_t *cell, int64_t amount)
{
	atomic_fetch_add_explicit(cell, amount, memory_order_relaxed);
}

void
metric_add_by(struct shared_page *page, enum metric metric, int by, int and_by, int64_t amount)
{
	assert(metric_table[metric].type == COUNTER);
	add(&page->cells[cell_of(page, metric, by, and_by)], amount);
}

void
metric_set_by(struct shared_page *page, enum metric metric, int by, int64_t value)
{
	const int cell = cell_of(page, metric, by, 0);

	assert(metric_table[metric].type == GAUGE);
	atomic_store(&page->cells[cell], value);
	atomic_store(&page->cell_is_set[cell], 1);
}

void
metric_child_add(struct shared_page *page, enum metric metric, int by, int child, int64_t amount)
{
	assert(metric_table[metric].type == CHILD_GAUGE && child >= 0 && child < CHILDREN_MAX);
	add(&page->children[child].cells[cell_of(page, metric, by, 0)], amount);
}

int64_t
metric_get(const struct shared_page *page, enum metric metric)
{
	const struct metric_info *info = &metric_table[metric];
	const int first = page->first_cell[metric], count = label_capacity(info->by) * label_capacity(info->and_by);
	int64_t sum = 0;

	assert(metric_width(metric) == 1);
	for (int cell = first; cell < first + count; cell++) {
		if (info->type != CHILD_GAUGE)
			sum += atomic_load(&page->cells[cell]);
		for (int child = 0; info->type == CHILD_GAUGE && child < CHILDREN_MAX; child++)
			sum += atomic_load(&page->children[child].cells[cell]);
	}
	return sum;
}

void
metric_observe(struct shared_page *page, enum metric metric, int by, int64_t duration_us)
{
	const int cell = cell_of(page, metric, by, 0), last = metric_width(metric) - 1;
	int bucket = 0;

	assert(metric_table[metric].type == HISTOGRAM || metric_table[metric].type == SUMMARY);
	while (bucket < last - 1 && duration_us > latency_bounds[bucket].us)
		bucket++;
	add(&page->cells[cell + bucket], 1);
	add(&page->cells[cell + last], duration_us);
}

void
metric_request(struct shared_page *page, int route, int status, int64_t duration_us)
{
	if (route < 0 || route > page->route_count)
		route = page->route_count;
	metric_add_by(page, METRIC_REQUESTS, route, status >= 100 && status < 600 ? status / 100 : 0, 1);
	metric_observe(page, METRIC_REQUEST_DURATION, route, duration_us);
}
