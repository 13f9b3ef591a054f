/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sysexits.h>
#include <unistd.h>

#include "events/events.h"
#include "events/outlet.h"
#include "libc.h"
#include "policy/policy.h"
#include "variables.h"

#define PREFIX "SCTPEEL_"

/* What everybody sees before settings_load, and when the environment must not be read. */
static const struct settings passive = {.mode = MODE_OFF, .debug = DEBUG_WARN, .program = ""};
static struct settings loaded;
static const struct settings *current = &passive; /* atomic */
static bool has_peeled;

/* stderr as it was at load: what the program opens on number 2 later is not for our messages. */
static struct outlet messages = {.fd = -1};

const struct settings *settings_get(void)
{
	return __atomic_load_n(&current, __ATOMIC_ACQUIRE);
}

bool settings_never_peel(void)
{
	const struct settings *settings = settings_get();

	return !has_peeled &&
	       (settings->mode != MODE_ENFORCE || policy_never_peels(settings->policy));
}

void settings_note_peeled(void)
{
	has_peeled = true;
}

void diagnose(enum settings_debug level, const char *format, ...)
{
	char buf[1024];
	struct line line;
	int kept = errno;
	va_list args;

	if (level > settings_get()->debug)
		return;
	line_open(&line, buf, sizeof(buf) - 1);
	line_string(&line, "sctpeel: ");
	va_start(args, format);
	errno = kept; /* for %m */
	line_vformat(&line, format, args);
	va_end(args);
	line_tame(&line);
	*line.at++ = '\n';
	outlet_write(&messages, line.start, line_length(&line));
	errno = kept;
}

/* The value given for a variable, NULL when there is none or only blanks. */
static const char *given(enum variable_name name)
{
	const char *value = secure_getenv(variables[name].name);

	if (!value || value[strspn(value, " \t\r\n")] == '\0')
		return NULL;
	return value;
}

/* False, with *report, when the value given is wrong. */
static bool take(enum variable_name name, struct line *report)
{
	const struct variable *variable = &variables[name];
	const char *value = given(name);

	/* the fallback first: "!decision" takes away from it, and a mistake leaves it */
	if (variable->fallback && (variable->kind != KIND_POLICY || !value))
		variable_take(variable, variable->fallback, &loaded, report);
	if (!value)
		return true;
	loaded.from_env |= 1u << name;
	return variable_take(variable, value, &loaded, report);
}

static void write_all(const char *text, size_t length)
{
	while (length) {
		ssize_t count = libc.write(STDERR_FILENO, text, length);

		if (count < 0 && errno != EINTR)
			return;
		if (count > 0) {
			text += count;
			length -= (size_t)count;
		}
	}
}

static _Noreturn void help(void)
{
	char buf[8192];
	struct line line;

	line_open(&line, buf, sizeof(buf));
	line_string(&line, "sctpeel " SCTPEEL_VERSION ": peels associations off one-to-many SCTP "
			   "sockets of unmodified programs\n\nVariables:\n");
	for (int i = 0; i < VARIABLES; i++)
		line_format(&line, "  %s%s%s\n      %s\n", variables[i].name,
			    variables[i].fallback ? "=" : "",
			    variables[i].fallback ? variables[i].fallback : "",
			    variables[i].meaning);
	line_char(&line, '\n');
	write_all(line.start, line_length(&line));
	write_all(policy_help(), strlen(policy_help()));
	_exit(EX_OK);
}

/* Is it one of ours? With two underscores: the shim's own message to a program it executes. */
static bool is_known(const char *name, size_t length)
{
	if (length > strlen(PREFIX) && name[strlen(PREFIX)] == '_')
		return true;
	for (int i = 0; i < VARIABLES; i++)
		if (strlen(variables[i].name) == length &&
		    memcmp(variables[i].name, name, length) == 0)
			return true;
	return false;
}

static void warn_of_unknown(struct line *report)
{
	const char *known[VARIABLES + 1] = {NULL};

	for (int i = 0; i < VARIABLES; i++)
		known[i] = variables[i].name + strlen(PREFIX);
	for (char **entry = environ; entry && *entry; entry++) {
		size_t length = strcspn(*entry, "=");
		char word[64];
		const char *nearest;

		if (strncmp(*entry, PREFIX, strlen(PREFIX)) != 0 || is_known(*entry, length))
			continue;
		if (length >= sizeof(word))
			length = sizeof(word) - 1;
		memcpy(word, *entry, length);
		word[length] = '\0';
		nearest = policy_nearest(word + strlen(PREFIX), known);
		line_format(report, "sctpeel: %s: no such variable", word);
		if (nearest)
			line_format(report, " (did you mean " PREFIX "%s?)", nearest);
		line_char(report, '\n');
	}
}

/* Ends the mistakes with what follows from them. */
static void add_consequence(struct line *report)
{
	bool ends = loaded.on_error == ON_ERROR_ABORT;

	line_format(report, "  sctpeel %s (SCTPEEL_ON_ERROR=%s)\n",
		    ends ? "ends this program before its main" : "stays out of this program",
		    ends ? "abort" : "warn");
}

/* Says once what is wrong, then does what SCTPEEL_ON_ERROR asks for. */
static void settle(struct line *report, bool mistaken)
{
	if (mistaken)
		add_consequence(report);
	if (loaded.debug >= DEBUG_WARN)
		warn_of_unknown(report);
	line_tame(report);
	if (line_length(report) && loaded.on_error != ON_ERROR_IGNORE)
		outlet_write(&messages, report->start, line_length(report));
	if (mistaken && loaded.on_error == ON_ERROR_ABORT)
		_exit(EX_CONFIG);
	if (mistaken)
		loaded.mode = MODE_OFF;
}

static const struct settings *publish(void)
{
	__atomic_store_n(&current, &loaded, __ATOMIC_RELEASE);
	return &loaded;
}

static const struct settings *pass_by(void)
{
	loaded.mode = MODE_OFF;
	return publish();
}

/* Those that decide whether the others are looked at come first. */
static const struct settings *load(struct line *report)
{
	const char *policy = given(VARIABLE_POLICY);
	bool good = take(VARIABLE_MODE, report);

	if (good && loaded.mode == MODE_OFF)
		return pass_by();
	good &= take(VARIABLE_PROGRAM, report);
	if (loaded.program_glob && !value_glob(loaded.program_glob, loaded.program))
		return pass_by();
	if (policy && word_is(word_trim((struct word){policy, strlen(policy)}), "help"))
		help();
	for (enum variable_name name = 0; name < VARIABLES; name++)
		if (name != VARIABLE_MODE && name != VARIABLE_PROGRAM)
			good &= take(name, report);
	settle(report, !good);
	return publish();
}

const struct settings *settings_load(void)
{
	char buf[4096];
	struct line report;
	int kept = errno;
	const char *name = program_invocation_short_name;
	const struct settings *settings;

	if (getauxval(AT_SECURE))
		return &passive;
	outlet_attach(&messages, STDERR_FILENO);
	loaded.program = variable_keep(name, strnlen(name, 255));
	line_open(&report, buf, sizeof(buf));
	settings = load(&report);
	errno = kept;
	return settings;
}

const struct settings *settings_review(struct line *mistakes, struct line *unknown)
{
	for (enum variable_name name = 0; name < VARIABLES; name++)
		take(name, mistakes);
	warn_of_unknown(unknown);
	return &loaded;
}

static uint64_t number_of(const struct variable *variable, const struct settings *settings)
{
	const char *field = (const char *)settings + variable->offset;
	uint64_t number;
	uint32_t small;

	if (variable->width == sizeof(number)) {
		memcpy(&number, field, sizeof(number));
		return number;
	}
	memcpy(&small, field, sizeof(small));
	return variable->endless && small == UINT32_MAX ? UINT64_MAX : small;
}

static const char *events_of(uint32_t events, char *buf, size_t size)
{
	struct line line;

	line_open(&line, buf, size);
	for (int i = 0; i < EVENT_KINDS; i++)
		if (events & 1u << i)
			line_format(&line, "%s%s", line_length(&line) ? "," : "", event_names[i]);
	return line_done(&line);
}

bool settings_item(const struct settings *settings, unsigned int index, struct setting *ret)
{
	const struct variable *variable = &variables[index];

	if (index >= VARIABLES)
		return false;
	ret->name = variable->name;
	ret->from_env = settings->from_env & 1u << index;
	ret->type = SETTING_STRING;
	switch (variable->kind) {
	case KIND_CHOICE:
		ret->string = variable->choices[number_of(variable, settings)];
		break;
	case KIND_EVENTS:
		ret->string = events_of(settings->trace_events, ret->list, sizeof(ret->list));
		break;
	case KIND_BOOL:
		ret->type = SETTING_BOOL;
		ret->number = *((const char *)settings + variable->offset) != 0;
		break;
	case KIND_SIZE:
	case KIND_COUNT:
	case KIND_TIME:
		ret->number = number_of(variable, settings);
		ret->string = "inf";
		if (!variable->endless || ret->number != UINT64_MAX)
			ret->type = SETTING_NUMBER;
		if (!variable->fallback && ret->number == 0)
			ret->type = SETTING_UNSET;
		break;
	case KIND_POLICY:
	case KIND_TRACE:
	case KIND_STRING:
	case KIND_PROM:
	case KIND_INJECT:
		memcpy(&ret->string, (const char *)settings + variable->offset,
		       sizeof(ret->string));
		if (!ret->string)
			ret->type = SETTING_UNSET;
		break;
	}
	return true;
}

int settings_describe(const struct settings *settings, char *buf, int size)
{
	struct setting setting;
	struct line line;

	line_open(&line, buf, (size_t)size);
	for (unsigned int i = 0; settings_item(settings, i, &setting); i++) {
		line_format(&line, "%s\"%s\":", i ? "," : "", setting.name);
		switch (setting.type) {
		case SETTING_UNSET:
			line_string(&line, "null");
			break;
		case SETTING_STRING:
			line_char(&line, '"');
			line_quote(&line, setting.string, strlen(setting.string), SIZE_MAX,
				   LINE_JSON);
			line_char(&line, '"');
			break;
		case SETTING_NUMBER:
			line_unsigned(&line, setting.number);
			break;
		case SETTING_BOOL:
			line_string(&line, setting.number ? "true" : "false");
			break;
		}
	}
	line_done(&line);
	return (int)line_length(&line);
}
