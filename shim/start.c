/* SPDX-License-Identifier: MIT */
/*
 * start: the library is loaded, and unloaded.
 *
 * Until the constructor has run the doors pass everything on (settings_get answers MODE_OFF); what
 * was opened before is asked about when it is first used.
 */
#include <errno.h>

#include "endpoint.h"
#include "events/events.h"
#include "libc.h"
#include "siblings.h"

static __attribute__((constructor)) void start(void)
{
	int kept = errno;

	libc_resolve();
	endpoint_set_process();
	if (settings_load()->mode != MODE_OFF) {
		siblings_start();
		events_start(settings_get());
	}
	errno = kept;
}

static __attribute__((destructor)) void stop(void)
{
	int kept = errno;

	if (settings_get()->mode != MODE_OFF)
		events_stop();
	errno = kept;
}
