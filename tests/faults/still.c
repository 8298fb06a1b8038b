/*
 * Has the program that is told to preload it do nothing for half a second, deaf to SIGTERM, and end.
 */
#include <signal.h>
#include <unistd.h>

__attribute__((constructor)) static void stand_still(void)
{
	signal(SIGTERM, SIG_IGN);
	usleep(500000);
	_exit(0);
}
