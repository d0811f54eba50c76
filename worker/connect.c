/*
 * connect: the interposed connect(2); see connect.h for why.
 *
 * Always true: a descriptor leaves with the blocking mode that it came with; an
 * attempt that is not ours reaches the kernel untouched.
 */
#include "connect.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "supervisor.h"

enum { DEFAULT_CONNECT_MS = 5000, UNACKNOWLEDGED_MS = 30000 };

/* An interposed libc function is called with nothing but its own arguments, so
 * its state cannot be handed to it. One session at a time in a process. */
static struct {
	int connect_ms;
	volatile sig_atomic_t fd;
	volatile sig_atomic_t is_in_hand;
	volatile sig_atomic_t end;	/* enum connect_end; but for CONNECT_ENDED, no more connections */
	timer_t timer;
	struct sigaction previous;
} guard = { .connect_ms = DEFAULT_CONNECT_MS, .fd = -1 };

/* libesmtp goes back to poll(2) after EINTR and would never look at a flag, so
 * this handler acts: shutdown(2) is async-signal-safe. */
static void
cut_at_deadline(int signal_number)
{
	int saved = errno;

	(void)signal_number;
	guard.end = CONNECT_EXPIRED;
	connect_cut();
	errno = saved;
}

/* In the handler of SIGTERM, too. */
static void
cut_at_stop(void)
{
	if (guard.is_in_hand)
		return;
	guard.end = CONNECT_STOPPED;
	connect_cut();
}

void
connect_guard(int connect_ms, int session_ms)
{
	struct sigaction action = { .sa_handler = cut_at_deadline };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	struct itimerspec deadline = {
		.it_value = { session_ms / 1000, session_ms % 1000 * 1000000L },
	};

	guard.connect_ms = connect_ms;
	guard.fd = -1;
	guard.is_in_hand = 0;
	guard.end = CONNECT_ENDED;
	supervisor_on_stop(cut_at_stop);
	if (supervisor_stopping())
		cut_at_stop();
	sigemptyset(&action.sa_mask);
	sigaction(SIGRTMIN, &action, &guard.previous);
	if (timer_create(CLOCK_MONOTONIC, &event, &guard.timer) < 0)
		abort();	/* out of memory */
	timer_settime(guard.timer, 0, &deadline, NULL);
}

void
connect_set_in_hand(bool is_in_hand)
{
	guard.is_in_hand = is_in_hand;
	if (!is_in_hand && supervisor_stopping())
		cut_at_stop();
}

/* In this order: a cut from now on finds the socket, one from before is seen. */
void
connect_watch(int fd)
{
	guard.fd = fd;
	if (connect_is_over())
		connect_cut();
}

bool
connect_is_over(void)
{
	return guard.end != CONNECT_ENDED;
}

void
connect_cut(void)
{
	if (guard.fd >= 0)
		shutdown((int)guard.fd, SHUT_RDWR);
}

enum connect_end
connect_release(void)
{
	supervisor_on_stop(NULL);
	timer_delete(guard.timer);
	sigaction(SIGRTMIN, &guard.previous, NULL);
	guard.connect_ms = DEFAULT_CONNECT_MS;
	guard.fd = -1;
	return (enum connect_end)guard.end;
}

static bool
is_blocking_tcp(int fd, int flags, const struct sockaddr *address)
{
	int type = 0;
	socklen_t length = sizeof type;

	return flags >= 0 && !(flags & O_NONBLOCK)
		&& (address->sa_family == AF_INET || address->sa_family == AF_INET6)
		&& getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0
		&& type == SOCK_STREAM;
}

/* Without TCP_NODELAY, libesmtp's 2 kB writes meet delayed acknowledgements:
 * 40 ms for each larger message. */
static void
set_options(int fd)
{
	int on = 1, unacknowledged_ms = UNACKNOWLEDGED_MS;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof unacknowledged_ms);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Waits until a connection under way is made; 0, or -1 with errno. */
static int
await_connection(int fd)
{
	int64_t deadline_ms = clock_monotonic_ms() + guard.connect_ms;
	struct pollfd waiting = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t length = sizeof error;

	for (;;) {
		int64_t left_ms = deadline_ms - clock_monotonic_ms();
		int ready = guard.end != CONNECT_ENDED || left_ms <= 0 ? 0
			: poll(&waiting, 1, (int)left_ms);

		if (ready > 0)
			break;
		if (ready == 0)
			error = ETIMEDOUT;
		else if (errno != EINTR)
			error = errno;
		if (error) {
			errno = error;
			return -1;
		}
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		return -1;
	errno = error;
	return error ? -1 : 0;
}

static int
connect_bounded(int fd, int flags, const struct sockaddr *address, socklen_t length)
{
	int result, error;

	/* In this order: a cut from now on finds the socket, one from before is seen. */
	guard.fd = fd;
	if (guard.end != CONNECT_ENDED) {
		errno = ETIMEDOUT;
		return -1;
	}
	set_options(fd);
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	result = (int)syscall(SYS_connect, fd, address, length);
	if (result < 0 && errno == EINPROGRESS)
		result = await_connection(fd);
	error = errno;
	fcntl(fd, F_SETFL, flags);
	errno = error;
	return result;
}

/* The real name; exported to the libraries by --export-dynamic-symbol. The
 * argument is glibc's transparent union, as its header declares it. */
__attribute__((visibility("default")))
int
connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t length)
{
	const struct sockaddr *plain = address.__sockaddr__;
	int flags = fcntl(fd, F_GETFL);

	if (!plain || !is_blocking_tcp(fd, flags, plain))
		return (int)syscall(SYS_connect, fd, plain, length);
	return connect_bounded(fd, flags, plain, length);
}
