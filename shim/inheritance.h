/* SPDX-License-Identifier: MIT */
/*
 * inheritance: socket options that a peel does not inherit, read back and set (KERNEL.md 1).
 *
 * Before 6.19 much is lost (TOS, mark, priority, all IPV6_*, the endpoint's feature flags), after
 * it less: neither is assumed.
 */
#ifndef SCTPEEL_INHERITANCE_H
#define SCTPEEL_INHERITANCE_H

#include "endpoint.h"

/* The program set this option on the original: remembered if a peel would lose it. */
void inheritance_note(struct endpoint *endpoint, int level, int name);
/* Its messages come in parts from now on (SCTP_PARTIAL_DELIVERY_POINT): held where peels endanger
 * them. */
void inheritance_note_parts(struct endpoint *endpoint);
/* For a socket whose birth we did not see: all that may have been set. */
void inheritance_note_all(struct endpoint *endpoint);
/* From the original to a descriptor just peeled. */
void inheritance_apply(struct endpoint *endpoint, int original, int peeled);
/* Can it be applied? If not, the endpoint is held. */
bool inheritance_possible(struct endpoint *endpoint, int original);
/* It is driven by signals (O_ASYNC): held from now on. */
void inheritance_note_signals(struct endpoint *endpoint);
/* So it is from now on: those that are peeled off already signal too. errno is kept. (With
 * F_SETSIG, si_fd is their own number.) */
void inheritance_drive_by_signals(struct endpoint *endpoint, int original);
/* SO_RCVBUF and SO_SNDBUF as on the original. */
void inheritance_copy_buffers(int original, int peeled);

#endif
