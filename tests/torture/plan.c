/* SPDX-License-Identifier: MIT */
/* A plan as text, line by line: the script that a failure leaves. */
#include "torture.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int standard;
	const char *values; /* NULL: any number */
} settings[] = {
#define SETTING_ROW(name, standard, values) {#name, standard, values},
	SETTINGS(SETTING_ROW)
#undef SETTING_ROW
};

static const struct {
	const char *name;
	unsigned arguments;
} verbs[] = {
	[CONNECT] = {"connect", 0}, [SEND] = {"send", 5},   [AWAIT] = {"await", 0},
	[STALL] = {"stall", 1},	    [PAUSE] = {"pause", 1}, [SHUT] = {"shut", 0},
	[CLOSE] = {"close", 0},	    [ABORT] = {"abort", 0}, [RESTART] = {"restart", 0},
	[ORDER] = {"order", 2},
};

static const char orders[] = "nothing eof abort sleep quit";

/* The n-th of some words, with its length. */
static const char *word_at(const char *words, int n, int *length)
{
	while (n-- > 0)
		words += strcspn(words, " ") + 1;
	*length = (int)strcspn(words, " ");
	return words;
}

/* Which of some words it is, -1: none. */
static int word_index(const char *words, const char *word)
{
	for (int i = 0;; i++) {
		int length;
		const char *at = word_at(words, i, &length);

		if ((size_t)length == strlen(word) && strncmp(at, word, (size_t)length) == 0)
			return i;
		if (!at[length])
			return -1;
	}
}

void plan_print(const struct plan *plan, FILE *out)
{
	int length;
	const char *word;

	if (plan->seed)
		fprintf(out, "# seed %llu\n", (unsigned long long)plan->seed);
	fputs("server", out);
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (plan->set[i] == settings[i].standard)
			continue;
		fprintf(out, " %s=", settings[i].name);
		word = settings[i].values ? word_at(settings[i].values, plan->set[i], &length) : "";
		if (settings[i].values)
			fprintf(out, "%.*s", length, word);
		else
			fprintf(out, "%d", plan->set[i]);
	}
	fprintf(out, "\npolicy %s\nenvironment %s\n", plan->policy, plan->environment);
	for (unsigned i = 0; i < plan->count; i++) {
		const struct step *step = &plan->steps[i];

		fprintf(out, "%u %s", step->peer, verbs[step->verb].name);
		for (unsigned k = 0; k < verbs[step->verb].arguments; k++) {
			word = word_at(orders, (int)step->args[0], &length);
			if (step->verb == ORDER && k == 0)
				fprintf(out, " %.*s", length, word);
			else
				fprintf(out, " %u", step->args[k]);
		}
		fputc('\n', out);
	}
}

bool plan_set(struct plan *plan, const char *word)
{
	const char *value = strchr(word, '=');

	for (size_t i = 0; value && i < SETTING_COUNT; i++) {
		size_t length = (size_t)(value - word);

		if (strlen(settings[i].name) != length ||
		    strncmp(word, settings[i].name, length) != 0)
			continue;
		if (settings[i].values && !isdigit((unsigned char)value[1]))
			plan->set[i] = word_index(settings[i].values, value + 1);
		else
			plan->set[i] = atoi(value + 1);
		return plan->set[i] >= 0;
	}
	return false;
}

static bool read_step(struct plan *plan, char *line)
{
	struct step *step = &plan->steps[plan->count];
	const char *word = strsep(&line, " ");

	if (plan->count == STEPS)
		return false;
	*step = (struct step){.peer = (unsigned)atoi(word), .verb = VERBS};
	word = strsep(&line, " ");
	for (unsigned v = 0; word && v < VERBS; v++)
		if (strcmp(word, verbs[v].name) == 0)
			step->verb = (enum verb)v;
	if (step->verb == VERBS || step->peer >= PEERS)
		return false;
	for (unsigned k = 0; k < verbs[step->verb].arguments; k++) {
		word = strsep(&line, " ");
		if (!word)
			return false;
		if (step->verb == ORDER && k == 0)
			step->args[k] = (unsigned)word_index(orders, word);
		else
			step->args[k] = (unsigned)strtoul(word, NULL, 10);
	}
	plan->count++;
	return step->verb != ORDER || step->args[0] <= ORDER_SLEEP;
}

static bool read_line(struct plan *plan, char *line)
{
	char *rest = line, *word;

	line[strcspn(line, "\n")] = 0;
	if (isdigit((unsigned char)line[0]))
		return read_step(plan, line);
	word = strsep(&rest, " ");
	if (!*word || *word == '#')
		return true;
	if (strcmp(word, "policy") == 0 && rest) {
		snprintf(plan->policy, sizeof(plan->policy), "%s", rest);
		return true;
	}
	if (strcmp(word, "environment") == 0) {
		snprintf(plan->environment, sizeof(plan->environment), "%s", rest ? rest : "");
		return true;
	}
	if (strcmp(word, "server") != 0)
		return false;
	while ((word = strsep(&rest, " ")))
		if (!plan_set(plan, word))
			return false;
	return true;
}

static void plan_standard(struct plan *plan)
{
	memset(plan, 0, sizeof(*plan));
	for (size_t i = 0; i < SETTING_COUNT; i++)
		plan->set[i] = settings[i].standard;
	snprintf(plan->policy, sizeof(plan->policy), "all");
}

bool plan_read(struct plan *plan, const char *path)
{
	FILE *file = fopen(path, "r");
	unsigned number = 0;
	char line[1200];
	bool ret = true;

	plan_standard(plan);
	if (!file) {
		fprintf(stderr, "torture: %s: %m\n", path);
		return false;
	}
	while (ret && fgets(line, sizeof(line), file)) {
		number++;
		ret = read_line(plan, line);
		if (!ret)
			fprintf(stderr, "torture: %s:%u: not a line of a script: %s\n", path,
				number, line);
	}
	fclose(file);
	return ret;
}
