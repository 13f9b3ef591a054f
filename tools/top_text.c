/* SPDX-License-Identifier: MIT */
/* The lines of sctpeel top. */
#include "top_view.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "settings.h"

/* Widths of the columns, in characters; the last one has none. */
enum {
	WIDTH_PROCESS = 20,
	WIDTH_FD = 4,
	WIDTH_ASSOC = 7,
	WIDTH_PEER = 24,
	WIDTH_STATE = 7,
	WIDTH_VERDICT = 5,
	WIDTH_NUMBER = 8,
	WIDTH_TIME = 6,
	BUDGET_RULE = 40,
	BUDGET_HELD = 120
};

/* Characters, not bytes: continuation bytes of UTF-8 take no column. */
static size_t columns(const char *text)
{
	size_t ret = 0;

	for (; *text; text++)
		ret += ((unsigned char)*text & 0xc0) != 0x80;
	return ret;
}

static void pad(struct line *line, size_t have, size_t width)
{
	for (; have < width; have++)
		line_char(line, ' ');
}

static void put_left(struct line *line, const char *text, size_t width)
{
	line_string(line, text);
	pad(line, columns(text), width);
	line_char(line, ' ');
}

static void put_right(struct line *line, const char *text, size_t width)
{
	pad(line, columns(text), width);
	line_string(line, text);
	line_char(line, ' ');
}

/* Four digits at most, and the unit: 9999, 97.6K, 1.2M. Sizes count by 1024, the rest by 1000. */
static void put_scaled(struct line *line, uint64_t value, double base, const char *unit)
{
	static const char units[] = "\0KMGTPE";
	double scaled = (double)value;
	char buf[32];
	int i = 0;

	for (; scaled >= 9999.5 && units[i + 1]; i++)
		scaled /= base;
	if (i == 0)
		snprintf(buf, sizeof(buf), "%.0f%s", scaled, unit);
	else
		snprintf(buf, sizeof(buf), scaled < 99.95 ? "%.1f%c%s" : "%.0f%c%s", scaled,
			 units[i], unit);
	put_right(line, buf, WIDTH_NUMBER);
}

static void put_time(struct line *line, uint64_t ns)
{
	uint64_t seconds = ns / 1000000000u;
	char buf[32];

	if (seconds < 10)
		snprintf(buf, sizeof(buf), "%.1fs", (double)ns / 1e9);
	else if (seconds < 600)
		snprintf(buf, sizeof(buf), "%us", (unsigned int)seconds);
	else if (seconds < 36000)
		snprintf(buf, sizeof(buf), "%um", (unsigned int)(seconds / 60));
	else if (seconds < 864000)
		snprintf(buf, sizeof(buf), "%uh", (unsigned int)(seconds / 3600));
	else
		snprintf(buf, sizeof(buf), "%llud", (unsigned long long)(seconds / 86400));
	put_right(line, buf, WIDTH_TIME);
}

static void put_address(struct line *line, const struct live_address *address)
{
	char text[INET6_ADDRSTRLEN], buf[INET6_ADDRSTRLEN + 16];

	if ((address->family != AF_INET && address->family != AF_INET6) ||
	    !inet_ntop(address->family, address->bytes, text, sizeof(text)))
		snprintf(buf, sizeof(buf), "-");
	else
		snprintf(buf, sizeof(buf), address->family == AF_INET ? "%s:%u" : "[%s]:%u", text,
			 ntohs(address->port));
	put_left(line, buf, WIDTH_PEER);
}

/* A string from a page, which need not have an end. */
static void put_quoted(struct line *line, const char *text, size_t size, size_t budget)
{
	line_quote(line, text, strnlen(text, size), budget, LINE_SHOWN);
}

static void put_process(struct line *line, const struct live_file *file)
{
	char buf[128];
	struct line name;

	line_open(&name, buf, sizeof(buf));
	put_quoted(&name, file->header.program, sizeof(file->header.program), WIDTH_PROCESS - 8);
	line_format(&name, "[%d]", (int)file->pid);
	put_left(line, line_done(&name), WIDTH_PROCESS);
}

static void put_number(struct line *line, int number, size_t width)
{
	char buf[16];

	snprintf(buf, sizeof(buf), "%d", number);
	put_right(line, buf, width);
}

static const char *state_of(const struct top_row *row)
{
	if (!row->file->alive)
		return "ended";
	return row->slot->state == LIVE_PEELED ? "peeled" : "shared";
}

/* Only what we know: a page may say anything. */
static const char *verdict_of(const struct live_slot *slot)
{
	static const char *const known[] = {"keep", "peel", "hold"};

	for (int i = 0; i < 3; i++)
		if (strncmp(slot->verdict, known[i], sizeof(slot->verdict)) == 0)
			return known[i];
	return "-";
}

void top_view_put_titles(struct line *line)
{
	put_left(line, "PROCESS", WIDTH_PROCESS);
	put_right(line, "FD", WIDTH_FD);
	put_right(line, "ASSOC", WIDTH_ASSOC);
	put_left(line, "PEER", WIDTH_PEER);
	put_left(line, "STATE", WIDTH_STATE);
	put_right(line, "RATE", WIDTH_NUMBER);
	put_right(line, "MSGS/S", WIDTH_NUMBER);
	put_right(line, "BYTES", WIDTH_NUMBER);
	put_right(line, "MSGS", WIDTH_NUMBER);
	put_right(line, "AGE", WIDTH_TIME);
	put_right(line, "IDLE", WIDTH_TIME);
	put_left(line, "RULE", WIDTH_VERDICT);
}

void top_view_put_row(const struct top_row *row, struct line *line)
{
	const struct live_slot *slot = row->slot;

	put_process(line, row->file);
	put_number(line, slot->fd, WIDTH_FD);
	put_number(line, slot->assoc_id, WIDTH_ASSOC);
	put_address(line, &slot->peer);
	put_left(line, state_of(row), WIDTH_STATE);
	put_scaled(line, row->rate, 1024, "/s");
	put_scaled(line, row->msgrate, 1000, "");
	put_scaled(line, slot->bytes, 1024, "");
	put_scaled(line, slot->msgs, 1000, "");
	put_time(line, row->age_ns);
	put_time(line, row->idle_ns);
	line_string(line, verdict_of(slot));
	if (slot->rule[0] != '\0') {
		line_char(line, ' ');
		put_quoted(line, slot->rule, sizeof(slot->rule), BUDGET_RULE);
	}
	if (slot->held[0] != '\0') {
		line_string(line, ": ");
		put_quoted(line, slot->held, sizeof(slot->held), BUDGET_HELD);
	}
}

static void put_total(struct line *line, uint64_t value, double base, const char *what)
{
	char buf[32];
	struct line number;

	line_open(&number, buf, sizeof(buf));
	put_scaled(&number, value, base, "");
	line_done(&number);
	line_format(line, ", %s%s", buf + strspn(buf, " "), what);
}

void top_view_put_summary(const struct top_view *view, struct line *line)
{
	static const char *const modes[] = {"enforce", "observe"};

	if (view->pid && view->processes == 0)
		line_format(line, "pid %d: no live page (yet)", (int)view->pid);
	else
		line_format(line, "%u process%s", view->processes,
			    view->processes == 1 ? "" : "es");
	if (view->ended && view->processes > 0)
		line_string(line, " (ended, waiting for it to come again)");
	line_format(line, ", %u associations, %u peeled", view->associations, view->peeled);
	put_total(line, view->rate, 1024, "bytes/s");
	put_total(line, view->msgrate, 1000, "messages/s");
	if (view->unseen > 0)
		line_format(line, ", %u more without a place", view->unseen);
	if (view->header && view->header->mode <= MODE_OBSERVE) {
		line_format(line, "; %s ", modes[view->header->mode]);
		put_quoted(line, view->header->policy, sizeof(view->header->policy), 160);
	}
}
