/*
 * sandbox: limits first, then seccomp: an allow-list, and death for everything else.
 *
 * Memory may be mapped but never be made executable. The only signal that may be sent
 * is to oneself: abort() does that. Nothing is open but two pipes and nothing can be
 * opened, so reading and writing need no finer rule.
 */
#include "sandbox.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <seccomp.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
/* Its shadow is terabytes of address space. */
enum { HAS_SHADOW = 1 };
#else
enum { HAS_SHADOW = 0 };
#endif

static bool
limit(int resource, rlim_t most)
{
	return setrlimit((__rlimit_resource_t)resource, &(struct rlimit){ most, most }) == 0;
}

/* At its end the kernel sends SIGXCPU, and SIGKILL only to who outlives that: so whoever dies
 * of SIGKILL was killed by somebody. */
static bool
limit_time(rlim_t cpu_s)
{
	return setrlimit((__rlimit_resource_t)RLIMIT_CPU, &(struct rlimit){ cpu_s, cpu_s + 1 }) == 0;
}

static bool
allow_all(scmp_filter_ctx filter)
{
	static const int calls[] = {
		SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(exit_group), SCMP_SYS(exit),
		SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise),
		SCMP_SYS(futex), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(getrandom),
		SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(restart_syscall),
		SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(sched_yield), SCMP_SYS(sigaltstack),
	};

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0) != 0)
			return false;
	return true;
}

static bool
allow_some(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0
		&& seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0
		&& seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
			SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid())) == 0;
}

static bool
forbid_the_rest(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	bool is_loaded;

	if (filter == NULL)
		return false;
	is_loaded = allow_all(filter) && allow_some(filter) && seccomp_load(filter) == 0;
	seccomp_release(filter);
	return is_loaded;
}

bool
sandbox_enter(size_t memory_bytes, unsigned cpu_s)
{
	return close_range(STDERR_FILENO + 1, ~0u, 0) == 0
		&& prctl(PR_SET_DUMPABLE, 0) == 0
		&& limit(RLIMIT_CORE, 0)
		&& limit(RLIMIT_FSIZE, 0)
		&& limit_time(cpu_s)
		&& (HAS_SHADOW || limit(RLIMIT_AS, memory_bytes))
		&& limit(RLIMIT_NOFILE, 0)
		&& forbid_the_rest();
}
