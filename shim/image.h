/* SPDX-License-Identifier: MIT */
/*
 * image: the file of a program that is about to be executed.
 */
#ifndef SCTPEEL_IMAGE_H
#define SCTPEEL_IMAGE_H

/*
 * Why nothing can be preloaded into it, as static text; NULL: nothing is seen that stands against
 * it (a script, a file that may not be read). `path` is as for execveat(2), and "" stands for the
 * file `dir` itself; NULL: it is not known. Async-signal-safe.
 */
const char *image_obstacle(int dir, const char *path);

#endif
