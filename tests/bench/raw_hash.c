/*
 * raw_hash: how long one hash of libargon2's takes, with nothing around it.
 *
 *     raw_hash MEMORY_KIB PASSES LANES THREADS SECONDS
 *
 * Prints hashes a second of all threads together, the median time of one, and the CPU
 * time of one (on a machine that is busy with something else they differ).
 */
#include <argon2.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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
	double start, took, cpu_s;
	struct rusage used;

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
	getrusage(RUSAGE_SELF, &used);
	cpu_s = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec)
		+ (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
	qsort(samples_ms[0], (size_t)counts[0], sizeof(double), compare);
	printf("{\"per_second\": %.3f, \"median_ms\": %.4f, \"cpu_ms\": %.4f}\n", total / took,
		samples_ms[0][counts[0] / 2], cpu_s * 1e3 / total);
	return 0;
}
