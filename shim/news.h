/* SPDX-License-Identifier: MIT */
/*
 * news: what other processes that share the endpoint have peeled off, or seen the end of.
 */
#ifndef SCTPEEL_NEWS_H
#define SCTPEEL_NEWS_H

#include "mailbox.h"

/* Reads what there is; no lock held. `fd` is a number of the original. errno is kept. */
void news_read(struct endpoint *endpoint, int fd);

/* Is there anything to read, or to be done about what was read? */
static inline bool news_are_due(const struct endpoint *endpoint)
{
	return mailbox_has_news(endpoint) || unlikely(GLANCE(endpoint->begun) != 0);
}

/* The same, at the cost of a look at memory when there is nothing. */
static inline void news_hear(struct endpoint *endpoint, int fd)
{
	if (unlikely(GLANCE(endpoint->hub_inherited)) || news_are_due(endpoint))
		news_read(endpoint, fd);
}

/* Ends of peeled associations that nobody may have told, and now this process does. Lock held. */
void news_check_ends(struct endpoint *endpoint);
/* Ends of peeled associations that this process was not told of. The endpoint's lock is held. */
void news_look_for_ends(struct endpoint *endpoint);

#endif
