/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "doctor.h"
#include "library.h"
#include "settings.h"

/* In the child: what the library says to SCTPEEL_POLICY=help, ending what it is loaded into. */
static _Noreturn void become_asked(int answer)
{
	int nowhere = open("/dev/null", O_WRONLY);

	unsetenv("SCTPEEL_MODE");
	unsetenv("SCTPEEL_PROGRAM");
	setenv("SCTPEEL_POLICY", "help", 1);
	dup2(nowhere, STDOUT_FILENO);
	dup2(answer, STDERR_FILENO);
	execl("/proc/self/exe", "sctpeel", "--version", NULL);
	execlp(program_invocation_name, "sctpeel", "--version", NULL); /* no /proc */
	_exit(EX_OSERR);
}

static void read_line(int fd, char *ret_line, size_t size)
{
	FILE *stream = fdopen(fd, "r");

	if (stream == NULL) {
		close(fd);
		return;
	}
	if (fgets(ret_line, (int)size, stream) != NULL)
		ret_line[strcspn(ret_line, "\n")] = '\0';
	/* to the end, for a closed pipe would end it by SIGPIPE */
	while (getc(stream) != EOF)
		;
	fclose(stream);
}

/* The first that the loader or the library says when this very program is started with it. */
static bool ask_library(char *ret_line, size_t size)
{
	int ends[2];
	pid_t pid;

	*ret_line = '\0';
	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		become_asked(ends[1]);
	close(ends[1]);
	read_line(ends[0], ret_line, size);
	return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

static void check_answer(struct findings *findings, const char *path, const char *answer)
{
	static const char sentence[] = ": peels associations";
	char version[32] = "";

	if (strstr(answer, sentence) == NULL || sscanf(answer, "sctpeel %31[^: ]", version) != 1)
		found_bad(findings, EX_OSFILE, "install it again: the two belong together",
			  "%s does not load: %s", path, *answer ? answer : "it says nothing");
	else if (strcmp(version, SCTPEEL_VERSION) != 0)
		found_doubtful(findings, "install both from one build",
			       "%s is version %s, this command " SCTPEEL_VERSION, path, version);
	else
		found_good(findings, "%s, version %s, loads", path, version);
}

void doctor_library(struct findings *findings)
{
	char path[PATH_MAX], answer[1024];

	findings_section(findings, "library");
	if (!library_find(path)) {
		found_bad(findings, EX_OSFILE, library_remedy, "%s", library_missing);
		return;
	}
	if (library_preload("doctor") != EX_OK || !ask_library(answer, sizeof(answer)))
		found_bad(findings, EX_OSERR, NULL, "%s could not be tried: %m", path);
	else
		check_answer(findings, path, answer);
}
