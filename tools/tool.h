/* SPDX-License-Identifier: MIT */
/*
 * tool: what the subcommands of sctpeel share. Messages go to standard error, what was asked for
 * to standard output; statuses are those of sysexits.h.
 */
#ifndef SCTPEEL_TOOL_H
#define SCTPEEL_TOOL_H

/* What a shell answers for a program that cannot be run, and for one that is not there. */
enum { EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

/*
 * "sctpeel COMMAND: MESSAGE" and, indented in a second line, what to do about it (NULL: nothing),
 * by one write. The format is line_format's. Returns the status, for the caller to return.
 */
int complain(int status, const char *command, const char *remedy, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* The same for a wrong command line: shows how to get help. EX_USAGE. */
int complain_usage(const char *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Help that was asked for, on standard output. 0, or EX_IOERR. */
int show(const char *command, const char *text);
/* Flushes standard output. 0, or EX_IOERR with a message. */
int finish_output(const char *command);

/* The subcommands: argv[0] is the subcommand's name. They return the exit status. */
int run_main(int argc, char **argv);
int check_main(int argc, char **argv);
int doctor_main(int argc, char **argv);
int report_main(int argc, char **argv);
int simulate_main(int argc, char **argv);
int top_main(int argc, char **argv);

#endif
