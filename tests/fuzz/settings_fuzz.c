/* SPDX-License-Identifier: MIT */
/*
 * Feeds any bytes to what understands the SCTPEEL_* variables: lines of NAME=VALUE, without the
 * prefix. What is refused must come with two lines about it, what is taken must be told again.
 *
 *   clang -g -O1 -std=gnu11 -D_GNU_SOURCE -DLIBFUZZER -fsanitize=fuzzer,address,undefined \
 *       -Ishim -o settings_fuzz tests/fuzz/settings_fuzz.c PURE -lm
 *                (the Makefile says which files these are; without shim/variables.c)
 *   ./settings_fuzz -dict=tests/fuzz/settings.dict CORPUS tests/fuzz/settings
 */
#include <stdlib.h>

#include "policy/policy.h"

/* What is kept lasts as long as the process: here it is forgotten after each input. */
#include "../../shim/variables.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct variable *variable_of(struct word name)
{
	for (int i = 0; i < VARIABLES; i++)
		if (word_is(name, variables[i].name + strlen("SCTPEEL_")))
			return &variables[i];
	return NULL;
}

/* Blanks stand for no value; and a file that the fuzzer has made up may be there. */
static bool is_value(struct word value)
{
	value = word_trim(value);
	return value.length > 0 && value.start[0] != '@';
}

static void take(const struct variable *variable, struct word value, struct settings *settings)
{
	char buf[4096], *text = malloc(value.length + 1);
	const struct policy *before = settings->policy;
	struct line report;

	if (!text)
		abort();
	memcpy(text, value.start, value.length);
	text[value.length] = '\0';
	line_open(&report, buf, sizeof(buf));
	if (variable_take(variable, text, settings, &report)) {
		if (line_length(&report) > 0)
			abort();
	} else if (!report.cut &&
		   (line_length(&report) == 0 || !strchr(line_done(&report), '\n'))) {
		abort();
	}
	free(text);
	if (settings->policy != before)
		policy_free((struct policy *)before);
}

static void tell(const struct settings *settings)
{
	struct setting setting;
	char buf[512];

	for (unsigned int i = 0; settings_item(settings, i, &setting); i++)
		if (setting.type == SETTING_STRING && !setting.string)
			abort();
	if (settings_describe(settings, buf, sizeof(buf)) >= (int)sizeof(buf))
		abort();
	if (settings->program_glob)
		value_glob(settings->program_glob, "server");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings settings = {.program = "server"};
	struct word rest = {(const char *)data, size}, value, name;

	kept_used = 0;
	while (word_next(&rest, '\n', &value)) {
		const struct variable *variable;

		if (memchr(value.start, '\0', value.length) || !word_next(&value, '=', &name))
			continue;
		variable = variable_of(name);
		if (variable && value.start && is_value(value))
			take(variable, value, &settings);
	}
	tell(&settings);
	policy_free((struct policy *)settings.policy);
	return 0;
}

#include "once.h"
