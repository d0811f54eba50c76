/*
 * raw_hash: how long one hash of libargon2's takes, with nothing around it.
 *
 *     raw_hash MEMORY_KIB PASSES LANES THREADS SECONDS
 *
 * Prints hashes a second of all threads together, and the median time of one.
 */
#include <argon2.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREADS_MAX 256
#define SAMPLES_MAX 65536

static uint32_t memory_kib, passes, lanes;
static double seconds;
static double samples_ms[THREADS_MAX][SAMPLES_MAX];
static int counts[THREADS_MAX];

static double
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void *
hash_until_time_is_up(void *context)
{
	const int self = (int)(intptr_t)context;
	static const char password[] = "violet tractor under seven moons", salt[] = "sixteen bytes...";
	const double end = now_s() + seconds;
	uint8_t out[32];

	for (double before = now_s(), after; before < end && counts[self] < SAMPLES_MAX; before = after) {
		if (argon2id_hash_raw(passes, memory_kib, lanes, password, strlen(password), salt, 16, out, sizeof(out)) != ARGON2_OK)
			abort();
		after = now_s();
		samples_ms[self][counts[self]++] = (after - before) * 1e3;
	}
	return NULL;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int
main(int argc, char **argv)
{
	pthread_t threads[THREADS_MAX];
	int thread_count, total = 0;
	double start, took;

	if (argc != 6 || (thread_count = atoi(argv[4])) < 1 || thread_count > THREADS_MAX)
		return 2;
	memory_kib = (uint32_t)atoi(argv[1]);
	passes = (uint32_t)atoi(argv[2]);
	lanes = (uint32_t)atoi(argv[3]);
	seconds = atof(argv[5]);
	start = now_s();
	for (intptr_t i = 0; i < thread_count; i++)
		if (pthread_create(&threads[i], NULL, hash_until_time_is_up, (void *)i) != 0)
			abort();
	for (int i = 0; i < thread_count; i++)
		pthread_join(threads[i], NULL);
	took = now_s() - start;
	for (int i = 0; i < thread_count; i++)
		total += counts[i];
	qsort(samples_ms[0], (size_t)counts[0], sizeof(double), compare);
	printf("{\"per_second\": %.3f, \"median_ms\": %.4f}\n", total / took, samples_ms[0][counts[0] / 2]);
	return 0;
}
