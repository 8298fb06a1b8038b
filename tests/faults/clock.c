/*
 * Takes the place of the C library's clock in a program that is told to preload it, since the
 * machine's own clock is everybody's: the time of day jumps an hour ahead at the moment in which
 * /tmp/ahead appears, an hour back with /tmp/behind. The monotonic clock goes on.
 */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *now)
{
	int failed = (int)syscall(SYS_clock_gettime, id, now);

	if (failed == 0 && id == CLOCK_REALTIME) {
		if (access("/tmp/ahead", F_OK) == 0)
			now->tv_sec += 3600;
		else if (access("/tmp/behind", F_OK) == 0)
			now->tv_sec -= 3600;
	}
	return failed;
}

int gettimeofday(struct timeval *now, void *zone)
{
	struct timespec time;
	int failed = clock_gettime(CLOCK_REALTIME, &time);

	(void)zone;
	now->tv_sec = time.tv_sec;
	now->tv_usec = time.tv_nsec / 1000;
	return failed;
}

time_t time(time_t *now)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	if (now)
		*now = time.tv_sec;
	return time.tv_sec;
}

int timespec_get(struct timespec *now, int base)
{
	return clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}
