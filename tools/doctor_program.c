/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "doctor.h"
#include "elf_file.h"
#include "elf_links.h"
#include "line.h"
#include "loader.h"
#include "program.h"
#include "settings.h"
#include "values.h"

enum { OBJECTS_MAX = 512 };

/* The program, then its libraries in the order in which the loader comes to them. */
struct object {
	char name[256];
	char path[PATH_MAX];
	struct elf_links links;
};

struct program {
	struct object *objects;
	size_t count;
	bool sctp;	   /* libsctp is linked, or named somewhere */
	bool opens;	   /* one of them imports socket() */
	bool peels;	   /* ... one of libsctp's sctp_peeloff functions */
	const char *raw;   /* the program itself, if it imports syscall() */
	const char *uring; /* who uses io_uring */
};

static const char *const taken[] = {
#define CALL(ret, name, params, args, family) #name,
#define CALL_VARIADIC(ret, name, params, fetched, args, family) #name,
#include "calls.def"
#undef CALL
#undef CALL_VARIADIC
};

enum { TAKEN = sizeof(taken) / sizeof(taken[0]) };

static bool begins_with(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* They are what the calls lead to. */
static bool is_libc(const char *name)
{
	return begins_with(name, "libc.so.") || begins_with(name, "ld-linux") ||
	       begins_with(name, "libpthread.so.");
}

static bool is_known(const struct program *program, const char *name)
{
	for (size_t i = 0; i < program->count; i++)
		if (!strcmp(program->objects[i].name, name))
			return true;
	return false;
}

static bool add_object(struct program *program, const char *name, const char *path)
{
	struct object *object = &program->objects[program->count];

	if (program->count == OBJECTS_MAX || strlen(name) >= sizeof(object->name) ||
	    elf_links_open(path, &object->links) < 0)
		return false;
	strcpy(object->name, name);
	if (path != object->path)
		strcpy(object->path, path);
	program->count++;
	return true;
}

/* Adds what the object at `index` needs and nobody before it did. */
static void add_needed(struct findings *findings, struct program *program, size_t index)
{
	const struct object *object = &program->objects[index];
	char path[PATH_MAX];
	const char *name;
	size_t at = 0;

	while ((name = elf_links_entry(&object->links, DT_NEEDED, &at)) != NULL) {
		if (is_known(program, name) || is_libc(name))
			continue;
		if (!loader_find(name, object->path, &object->links, program->objects[0].path,
				 &program->objects[0].links, path) ||
		    !add_object(program, name, path))
			found_doubtful(findings,
				       "install it, or set LD_LIBRARY_PATH as for the program",
				       "%s needs %s, which is not found", object->name, name);
	}
}

static void note_symbol(struct program *program, const struct object *object, const char *symbol)
{
	if (!strcmp(symbol, "socket"))
		program->opens = true;
	if (begins_with(symbol, "sctp_peeloff"))
		program->peels = true;
	/* libraries use it for futexes and the like */
	if (!strcmp(symbol, "syscall") && object == program->objects)
		program->raw = object->name;
	if (begins_with(symbol, "io_uring_"))
		program->uring = object->name;
}

/* fclose, which everything imports, says nothing of sockets. */
static void mark(bool imported[TAKEN], const char *symbol)
{
	for (int i = 0; i < TAKEN; i++)
		if (!strcmp(symbol, taken[i]) && strcmp(symbol, "fclose") != 0)
			imported[i] = true;
}

/* Says which of the calls that the shim takes this object imports; false when it is none. */
static bool show_imports(struct findings *findings, struct program *program,
			 const struct object *object)
{
	bool imported[TAKEN] = {false}, any = false;
	char buf[4096];
	struct line line;
	const char *symbol;
	size_t at = 0;

	while ((symbol = elf_links_import(&object->links, &at)) != NULL) {
		note_symbol(program, object, symbol);
		mark(imported, symbol);
	}
	if (begins_with(object->name, "libsctp.so") ||
	    elf_links_mentions(&object->links, "libsctp.so"))
		program->sctp = true;
	line_open(&line, buf, sizeof(buf));
	for (int i = 0; i < TAKEN; i++) {
		if (imported[i])
			line_format(&line, "%s%s", any ? " " : "", taken[i]);
		any |= imported[i];
	}
	if (any)
		found_good(findings, "%s imports %s", object->name, line_done(&line));
	return any;
}

static void judge_sctp(struct findings *findings, const struct program *program)
{
	if (program->sctp)
		found_good(findings, "it uses SCTP, through libsctp%s",
			   program->peels ? "; it can peel off by itself, and then gets plain "
					    "descriptors of its own"
					  : "");
	else
		found_doubtful(findings,
			       "nothing, if it does without libsctp or loads it later, as Java, "
			       "Erlang and plugins do;\n"
			       "'sctpeel run -m observe -t stderr' shows its associations",
			       program->opens
				       ? "no sign of SCTP: it opens sockets, but does not name "
					 "libsctp"
				       : "no sign of SCTP: it neither opens sockets nor names "
					 "libsctp");
}

static void judge_bypasses(struct findings *findings, const struct program *program)
{
	if (program->uring != NULL)
		found_doubtful(findings, "turn io_uring off for its SCTP sockets",
			       "%s uses io_uring: what it receives that way the shim does not see",
			       program->uring);
	if (program->raw != NULL)
		found_doubtful(
			findings, "nothing, unless it calls the kernel for its SCTP sockets",
			"%s imports syscall(): a socket that it uses that way is not peeled off",
			program->raw);
}

static void examine(struct findings *findings, struct program *program)
{
	bool any = false;

	for (size_t i = 0; i < program->count; i++) {
		add_needed(findings, program, i);
		any |= show_imports(findings, program, &program->objects[i]);
	}
	if (!any)
		found_doubtful(findings, "see whether it loads more at run time",
			       "none of the calls that the shim takes is imported");
	judge_sctp(findings, program);
	judge_bypasses(findings, program);
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void check_name(struct findings *findings, const struct settings *settings,
		       const char *program)
{
	const char *glob = settings->program_glob;

	if (glob != NULL && !value_glob(glob, program))
		found_doubtful(findings, "change or unset it",
			       "SCTPEEL_PROGRAM=%s does not match %s: the shim stays out of it",
			       glob, program);
}

void doctor_program(struct findings *findings, const struct settings *settings, const char *name)
{
	static struct program_verdict verdict;
	struct program program = {0};
	int status = program_check(name, &verdict);

	findings_section(findings, "program");
	if (status != EX_OK) {
		found_bad(findings, status, verdict.remedy, "%s", verdict.reason);
		return;
	}
	if (strcmp(last_part(verdict.path), last_part(name)) != 0)
		found_good(findings, "%s is run by %s", name, verdict.path);
	found_good(findings, "%s can be preloaded into (%s)", verdict.path, elf_native());
	check_name(findings, settings, last_part(verdict.path));
	program.objects = calloc(OBJECTS_MAX, sizeof(struct object));
	if (program.objects == NULL || !add_object(&program, last_part(verdict.path), verdict.path))
		found_doubtful(findings, "try as a user who may read it",
			       "%s cannot be read: what it imports is not known", verdict.path);
	else
		examine(findings, &program);
	for (size_t i = 0; i < program.count; i++)
		elf_links_close(&program.objects[i].links);
	free(program.objects);
}
