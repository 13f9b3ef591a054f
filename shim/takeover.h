/* SPDX-License-Identifier: MIT */
/*
 * takeover: endpoints that the program before this one had, and handed over (handover.h).
 *
 * Nothing is believed that does not fit: the memory must be sealed, this user's, and written for
 * this very process; each descriptor must be the file that it was. What cannot be taken up is said.
 */
#ifndef SCTPEEL_TAKEOVER_H
#define SCTPEEL_TAKEOVER_H

/* Once, from the constructor, when events can be told. Takes the variable out of the environment.
 */
void takeover(void);

#endif
