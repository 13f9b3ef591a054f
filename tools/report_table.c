/* SPDX-License-Identifier: MIT */
/* report, for programs: CSV and JSON. */
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

/*
 * RFC 4180: in quotes where need be, quotes doubled. Others wrote the text: what would move a
 * cursor becomes '?', and what a spreadsheet would take for a formula has an apostrophe before it.
 */
static void csv_text(FILE *to, const char *text)
{
	bool quoted;

	if (text == NULL)
		return;
	quoted = strpbrk(text, ",\"\r\n") != NULL;
	if (quoted)
		fputc('"', to);
	if (*text && strchr("=+-@", *text))
		fputc('\'', to);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		/* U+0080 to U+009F are controls, too: in UTF-8 C2 80 to C2 9F */
		if (c == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0)
			c = (unsigned char)*++text & 0x1f;
		if (c == '"')
			fputc('"', to);
		fputc(c < ' ' || c == 0x7f ? '?' : c, to);
	}
	if (quoted)
		fputc('"', to);
}

static void csv_number(FILE *to, int64_t value)
{
	fputc(',', to);
	if (value >= 0)
		fprintf(to, "%" PRId64, value);
}

static int64_t ninety_nine(const struct spread *spread)
{
	return spread && spread_count(spread) ? (int64_t)spread_quantile(spread, 0.99) : -1;
}

static void csv_association(FILE *to, const struct history_association *a)
{
	csv_text(to, a->key.process->program);
	csv_number(to, a->key.process->pid);
	csv_number(to, a->socket->key.number);
	csv_number(to, a->key.number);
	fputc(',', to);
	csv_text(to, a->peer);
	csv_number(to, a->first_ns);
	csv_number(to, a->last_ns);
	fprintf(to, ",%" PRIu64 ",%" PRIu64 ",%s,", a->bytes, a->msgs, report_fate(a));
	csv_text(to, a->rule);
	fputc(',', to);
	csv_text(to, a->reason);
	csv_number(to, a->peeled_ns);
	csv_number(to, a->peeled ? (int64_t)a->bytes_before : -1);
	csv_number(to, a->peeled ? (int64_t)a->msgs_before : -1);
	csv_number(to, a->delay_ns);
	csv_number(to, a->latency_ns);
	csv_number(to, (int64_t)a->refusals);
	csv_number(to, a->refusals ? a->error : -1);
	csv_number(to, (int64_t)a->holds);
	fputc(',', to);
	csv_text(to, a->held);
	csv_number(to, ninety_nine(a->others_before));
	csv_number(to, ninety_nine(a->others_after));
	fputs("\r\n", to);
}

void report_csv(const struct report *report, FILE *to)
{
	fputs("program,pid,socket_fd,assoc_id,peer,first_ns,last_ns,bytes,msgs,fate,rule,reason,"
	      "peeled_ns,bytes_before,msgs_before,delay_ns,latency_ns,refusals,errno,holds,held,"
	      "others_p99_before_ns,others_p99_after_ns\r\n",
	      to);
	for (size_t i = 0; i < report->count; i++)
		csv_association(to, report->all[i]);
}

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text != NULL)
		json_object_set_new(object, key, json_string(text));
}

static void set_number(json_t *object, const char *key, int64_t value)
{
	if (value >= 0)
		json_object_set_new(object, key, json_integer(value));
}

/* jansson's numbers end where signed ones do. */
static void set_count(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key,
			    json_integer(value > INT64_MAX ? INT64_MAX : (int64_t)value));
}

static json_t *waits_object(const struct spread *spread)
{
	json_t *object = json_object();

	set_count(object, "count", spread_count(spread));
	set_count(object, "p50_ns", spread_quantile(spread, 0.5));
	set_count(object, "p90_ns", spread_quantile(spread, 0.9));
	set_count(object, "p99_ns", spread_quantile(spread, 0.99));
	return object;
}

static json_t *association_object(const struct history_association *a)
{
	json_t *object = json_object();

	set_text(object, "program", a->key.process->program);
	set_number(object, "pid", a->key.process->pid);
	set_number(object, "socket.fd", a->socket->key.number);
	set_number(object, "sctp.assoc.id", a->key.number);
	set_text(object, "peer", a->peer);
	set_number(object, "first_ns", a->first_ns);
	set_number(object, "last_ns", a->last_ns);
	set_count(object, "bytes", a->bytes);
	set_count(object, "msgs", a->msgs);
	set_text(object, "fate", report_fate(a));
	set_text(object, "rule", a->rule);
	set_text(object, "reason", a->reason);
	set_count(object, "holds", a->holds);
	set_text(object, "held", a->held);
	set_count(object, "refusals", a->refusals);
	if (a->refusals > 0)
		set_number(object, "errno", a->error);
	if (!a->peeled)
		return object;
	set_number(object, "peeled_ns", a->peeled_ns);
	set_count(object, "bytes_before", a->bytes_before);
	set_count(object, "msgs_before", a->msgs_before);
	set_number(object, "delay_ns", a->delay_ns);
	set_number(object, "latency_ns", a->latency_ns);
	set_number(object, "queued", a->queued);
	if (a->others_before != NULL)
		json_object_set_new(object, "others_before", waits_object(a->others_before));
	if (a->others_after != NULL)
		json_object_set_new(object, "others_after", waits_object(a->others_after));
	return object;
}

static json_t *counts_array(const struct history_count *counts)
{
	json_t *array = json_array();

	for (; counts != NULL; counts = counts->hh.next) {
		json_t *object = json_object();

		set_text(object, "what", counts->what);
		set_count(object, "events", counts->events);
		if (counts->associations)
			set_count(object, "associations", counts->associations);
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *rules_array(const struct history *history)
{
	json_t *array = json_array();

	for (const struct history_policy *policy = history->policies; policy != NULL;
	     policy = policy->hh.next) {
		for (size_t i = 0; i < policy->count; i++) {
			const struct history_rule *rule = &policy->rules[i];
			json_t *object = json_object();

			set_text(object, "policy.hash", policy->hash);
			set_text(object, "rule", rule->name);
			set_count(object, "rule.index", i + 1);
			set_count(object, "peel", rule->peels);
			set_count(object, "hold", rule->holds);
			set_count(object, "keep", rule->keeps);
			json_object_set_new(object, "matched",
					    json_boolean(rule->peels + rule->holds + rule->keeps));
			json_array_append_new(array, object);
		}
	}
	return array;
}

static json_t *summary_object(const struct report *report)
{
	const struct history *history = report->history;
	json_t *object = json_object();

	set_count(object, "lines", report->counts->lines);
	set_count(object, "events", report->counts->events);
	set_count(object, "unreadable", report->counts->unreadable);
	set_count(object, "unknown", report->counts->unknown);
	set_count(object, "dropped", history->dropped);
	set_count(object, "missing", history->missing);
	set_number(object, "begin_ns", history->begin_ns);
	set_number(object, "end_ns", history->end_ns);
	set_count(object, "associations", report->count);
	set_count(object, "messages", history->messages);
	set_count(object, "bytes", history->bytes);
	set_count(object, "peels", history->peels);
	set_count(object, "peeled_at_once", history->peeled_most);
	set_count(object, "program_peels", history->program_peels);
	return object;
}

void report_json(const struct report *report, FILE *to)
{
	json_t *root = json_object(), *associations = json_array();

	json_object_set_new(root, "summary", summary_object(report));
	if (report->history->has_waits) {
		static const char *const names[] = {"wait_before", "wait_shared", "wait_peeled"};

		for (int kind = 0; kind < WAIT_KINDS; kind++)
			json_object_set_new(root, names[kind], waits_object(&report->waits[kind]));
	}
	for (size_t i = 0; i < report->count; i++)
		json_array_append_new(associations, association_object(report->all[i]));
	json_object_set_new(root, "associations", associations);
	json_object_set_new(root, "held", counts_array(report->history->held));
	json_object_set_new(root, "refused", counts_array(report->history->refused));
	json_object_set_new(root, "errors", counts_array(report->history->errors));
	json_object_set_new(root, "rules", rules_array(report->history));
	if (json_dumpf(root, to, JSON_INDENT(1)) == 0)
		fputc('\n', to);
	json_decref(root);
}
