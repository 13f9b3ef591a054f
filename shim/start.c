/* SPDX-License-Identifier: MIT */
/*
 * start: the library is loaded, and unloaded.
 *
 * Until the constructor has run the doors pass everything on (settings_get answers MODE_OFF); what
 * was opened before is asked about when it is first used.
 */
#include <errno.h>

#include "endpoint.h"
#include "environment.h"
#include "events/descriptor.h"
#include "events/events.h"
#include "libc.h"
#include "siblings.h"
#include "takeover.h"

/* The trace's own descriptor is hidden like the peeled ones; it moves by events_move_fd. */
static void hide_sink(int fd, bool ours)
{
	static int slot __attribute__((aligned(8)));

	fdtable_set(fd, ours ? fd_word(FD_HIDDEN, &slot) : FD_UNKNOWN);
}

static __attribute__((constructor)) void start(void)
{
	int kept = errno;

	libc_resolve();
	endpoint_set_process();
	if (settings_load()->mode != MODE_OFF) {
		siblings_start();
		descriptor_changed = hide_sink;
		events_start(settings_get());
		if (!settings_get()->follow)
			environment_leave();
		takeover();
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
