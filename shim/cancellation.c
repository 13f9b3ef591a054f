/* SPDX-License-Identifier: MIT */
#include "cancellation.h"

#include <pthread.h>

enum { STATE = PTHREAD_CANCEL_ENABLE | PTHREAD_CANCEL_DISABLE, DEEPER = STATE + 1 };

_Thread_local uint32_t cancellation_inside;

/* A handler in between finds us outside, with the state that it will leave it in. */
void cancellation_off_slow(void)
{
	int state;

	if (cancellation_inside != 0) {
		cancellation_inside += DEEPER;
		return;
	}
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	cancellation_inside = DEEPER + (uint32_t)state;
}

void cancellation_on_slow(void)
{
	uint32_t inside = cancellation_inside - DEEPER;

	if (inside >= DEEPER) {
		cancellation_inside = inside;
		return;
	}
	cancellation_inside = 0;
	pthread_setcancelstate((int)inside, NULL);
}

void cancellation_point_slow(void)
{
	uint32_t inside = cancellation_let();

	pthread_testcancel();
	cancellation_stop(inside);
}

uint32_t cancellation_let(void)
{
	uint32_t inside = cancellation_inside;

	if (inside != 0) {
		cancellation_inside = 0;
		pthread_setcancelstate((int)(inside & STATE), NULL);
	}
	return inside;
}

void cancellation_stop(uint32_t inside)
{
	if (inside == 0)
		return;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	cancellation_inside = inside;
}
