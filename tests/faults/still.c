/*
 * Has the program that is told to preload it do nothing for three seconds, deaf to SIGTERM, and end.
 */
#include <signal.h>
#include <unistd.h>

__attribute__((constructor)) static void stand_still(void)
{
	signal(SIGTERM, SIG_IGN);
	sleep(3);
	_exit(0);
}
