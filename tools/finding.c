/* SPDX-License-Identifier: MIT */
#include "finding.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "line.h"
#include "settings.h"
#include "tool.h"

enum { ROOM = 16384 };

void findings_section(struct findings *findings, const char *section)
{
	if (!findings->json)
		printf("%s%s\n", findings->count ? "\n" : "", section);
	findings->section = section;
}

/* The first line behind `head`, the others below it. */
static void print_lines(const char *head, const char *text)
{
	while (*text != '\0') {
		size_t length = strcspn(text, "\n");

		printf("  %-4s  %.*s\n", head, (int)length, text);
		head = "";
		text += length;
		text += *text == '\n';
	}
}

static void add_member(struct line *line, const char *name, const char *value)
{
	line_format(line, "\"%s\":\"", name);
	line_quote(line, value, strlen(value), ROOM / 4, LINE_JSON);
	line_char(line, '"');
}

static void print_json(const struct findings *findings, const char *level, const char *text,
		       const char *remedy)
{
	char buf[ROOM];
	struct line line;

	line_open(&line, buf, sizeof(buf));
	line_string(&line, findings->count ? ",\n  {" : "{\"findings\":[\n  {");
	add_member(&line, "section", findings->section);
	line_char(&line, ',');
	add_member(&line, "level", level);
	line_char(&line, ',');
	add_member(&line, "text", text);
	if (remedy != NULL) {
		line_char(&line, ',');
		add_member(&line, "remedy", remedy);
	}
	line_char(&line, '}');
	fputs(line_done(&line), stdout);
}

static __attribute__((format(printf, 4, 0))) void found(struct findings *findings,
							const char *level, const char *remedy,
							const char *format, va_list args)
{
	char buf[ROOM], advice[ROOM];
	struct line text, kept;

	line_open(&text, buf, sizeof(buf));
	line_vformat(&text, format, args);
	line_open(&kept, advice, sizeof(advice));
	line_string(&kept, remedy ? remedy : "");
	if (findings->json) {
		print_json(findings, level, line_done(&text), remedy ? line_done(&kept) : NULL);
	} else {
		line_tame(&text);
		line_tame(&kept);
		print_lines(level, line_done(&text));
		print_lines("", line_done(&kept));
	}
	findings->count++;
}

void found_good(struct findings *findings, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	found(findings, "ok", NULL, format, args);
	va_end(args);
}

void found_doubtful(struct findings *findings, const char *remedy, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	found(findings, "warn", remedy, format, args);
	va_end(args);
	findings->warnings++;
}

void found_bad(struct findings *findings, int status, const char *remedy, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	found(findings, "fail", remedy, format, args);
	va_end(args);
	if (findings->failures++ == 0)
		findings->status = status;
}

int findings_end(struct findings *findings)
{
	int written;

	if (findings->json)
		printf("\n],\"version\":\"" SCTPEEL_VERSION
		       "\",\"warnings\":%u,\"failures\":%u,\"status\":%d}\n",
		       findings->warnings, findings->failures, findings->status);
	else
		printf("\n%u failed, %u to look at\n", findings->failures, findings->warnings);
	written = finish_output("doctor");
	return written == EX_OK ? findings->status : written;
}
