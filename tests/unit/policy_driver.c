/* SPDX-License-Identifier: MIT */
/*
 * Drives the policy code from a script on standard input, with a clock of its own. A line each:
 *
 *   policy TEXT          compiles; "\n" in it is a new line; a mistake is printed and ends it
 *   at NS                sets the clock; add NS moves it
 *   assoc NAME           the association that the following lines are about (at most 16)
 *   set FIELD VALUE      peer, local (ADDRESS PORT or "none"), stream, ppid, message (0 or 1),
 *                        assocs, peeled, sndblocked, and what the kernel answers: rwnd unacked
 *                        pending srtt cwnd retrans outofseq; answers (0: the kernel is silent)
 *   msg BYTES [N] [NS]   N messages, NS apart (the clock moves after each), counted as received
 *   eval                 prints verdict, rule's name, "pending" and the reason
 *   verdict              the same without asking for a reason
 *   print, explain, hash, sizes, never
 *   asked                how often the kernel was asked since the last time
 *   fixpoint N           compiles N random policies (seeded); each must print to a text that
 *                        compiles to itself and is evaluated like the original
 *   bench N              nanoseconds for policy_evaluate and policy_account
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/policy.h"

enum { ASSOCS = 16, LINE = 70000 };

struct assoc {
	char name[16];
	void *state;
	struct policy_input input;
	struct sockaddr_storage peer, local;
};

static struct policy *policy;
static struct assoc assocs[ASSOCS], *current;
static void *socket_state;
static uint64_t now_ns;
static struct policy_kernel_figures figures;
static bool answers = true;
static int asked;

__attribute__((noreturn)) static void fail(const char *what, const char *detail)
{
	printf("policy_driver: %s: %s\n", what, detail);
	exit(2);
}

static bool ask(void *context, bool stats, struct policy_kernel_figures *ret)
{
	(void)context;
	(void)stats;
	asked++;
	if (answers)
		*ret = figures;
	return answers;
}

static void *new_state(size_t size)
{
	/* exactly so large that a sanitizer sees the first byte beyond it */
	void *state = size ? calloc(1, size) : NULL;

	if (size && !state)
		fail("memory", "none");
	return state;
}

static void use_assoc(const char *name)
{
	for (int i = 0; i < ASSOCS; i++) {
		current = &assocs[i];
		if (!strcmp(current->name, name))
			return;
		if (*current->name)
			continue;
		snprintf(current->name, sizeof(current->name), "%s", name);
		current->state = new_state(policy_assoc_state_size(policy));
		current->input.first_seen_ns = now_ns;
		current->input.has_message = true;
		current->input.assocs = 1;
		current->input.ask = ask;
		return;
	}
	fail("assoc", "too many");
}

static void reset(void)
{
	for (int i = 0; i < ASSOCS; i++)
		free(assocs[i].state);
	memset(assocs, 0, sizeof(assocs));
	free(socket_state);
	policy_free(policy);
	policy = NULL;
	socket_state = NULL;
}

static struct policy *compile(const char *text)
{
	struct policy_error error;
	char shown[2048];
	struct policy *compiled = policy_parse(text, &error);

	if (!compiled) {
		policy_error_format(&error, "driver", text, shown, sizeof(shown));
		fputs(shown, stdout);
	}
	return compiled;
}

static void use_policy(char *text)
{
	for (char *at = text; (at = strstr(at, "\\n")) != NULL;) {
		*at = '\n';
		memmove(at + 1, at + 2, strlen(at + 2) + 1);
	}
	reset();
	policy = compile(text);
	if (!policy)
		exit(65);
	socket_state = new_state(policy_socket_state_size(policy));
	use_assoc("a");
}

static const struct sockaddr *read_address(const char *text, struct sockaddr_storage *storage)
{
	char address[64];
	size_t length = strcspn(text, " ");
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	snprintf(address, sizeof(address), "%.*s", (int)length, text);
	if (!strcmp(address, "none"))
		return NULL;
	in.sin_port = in6.sin6_port = htons((uint16_t)strtoul(text + length, NULL, 10));
	if (inet_pton(AF_INET, address, &in.sin_addr) == 1)
		memcpy(storage, &in, sizeof(in));
	else if (inet_pton(AF_INET6, address, &in6.sin6_addr) == 1)
		memcpy(storage, &in6, sizeof(in6));
	else
		storage->ss_family = AF_UNIX; /* one that a policy cannot know */
	return (const struct sockaddr *)storage;
}

static bool set_figure(const char *field, uint64_t value)
{
	const struct {
		const char *name;
		uint64_t *at;
	} all[] = {
		{"rwnd", &figures.rwnd},	  {"unacked", &figures.unacked},
		{"pending", &figures.pending},	  {"srtt", &figures.srtt_ns},
		{"cwnd", &figures.cwnd},	  {"retrans", &figures.retrans},
		{"outofseq", &figures.outofseq},  {"sndblocked", &current->input.sndblocked},
		{"bytes", &current->input.bytes}, {"msgs", &current->input.msgs},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!strcmp(all[i].name, field)) {
			*all[i].at = value;
			return true;
		}
	}
	return false;
}

static void set(const char *rest)
{
	struct policy_input *input = &current->input;
	char field[32] = "";
	int length = 0;
	const char *value;
	uint64_t number;

	if (sscanf(rest, "%31s %n", field, &length) < 1)
		fail("set", rest);
	value = rest + length;
	number = strtoull(value, NULL, 10);
	if (!strcmp(field, "peer"))
		input->peer = read_address(value, &current->peer);
	else if (!strcmp(field, "local"))
		input->local = read_address(value, &current->local);
	else if (!strcmp(field, "stream"))
		input->stream = (uint16_t)number;
	else if (!strcmp(field, "ppid"))
		input->ppid = (uint32_t)number;
	else if (!strcmp(field, "message"))
		input->has_message = number != 0;
	else if (!strcmp(field, "assocs"))
		input->assocs = (uint32_t)number;
	else if (!strcmp(field, "peeled"))
		input->peeled = (uint32_t)number;
	else if (!strcmp(field, "answers"))
		answers = number != 0;
	else if (!set_figure(field, number))
		fail("set", field);
}

static void receive(char *rest)
{
	char *end;
	uint64_t bytes = strtoull(rest, &end, 10);
	uint64_t count = *end ? strtoull(end, &end, 10) : 1;
	uint64_t apart = *end ? strtoull(end, &end, 10) : 0;

	for (uint64_t i = 0; i < count; i++) {
		current->input.bytes += bytes;
		current->input.msgs++;
		policy_account(policy, current->state, socket_state, now_ns, bytes);
		current->input.previous_ns = now_ns;
		now_ns += apart;
	}
}

static void evaluate(bool want_reason)
{
	struct policy_result result;

	memset(&result, 'x', sizeof(result));
	current->input.now_ns = now_ns;
	policy_evaluate(policy, current->state, socket_state, &current->input, want_reason,
			&result);
	printf("%s %s%s%s%s\n", result.verdict == POLICY_PEEL ? "peel" : "keep",
	       result.rule < 0 ? "-" : policy_rule_name(policy, result.rule),
	       result.pending ? " pending" : "", *result.reason ? " | " : "", result.reason);
}

static void print_sizes(void)
{
	printf("%zu %zu\n", policy_assoc_state_size(policy), policy_socket_state_size(policy));
}

/* Random policies: grammar turned round, with a generator of its own so that runs are alike. */
static uint64_t seed = 42;

static unsigned any(unsigned below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(seed >> 33) % below;
}

static const char *one_of(const char *const *list)
{
	unsigned n = 0;

	while (list[n])
		n++;
	return list[any(n)];
}

static void put_predicate(FILE *to)
{
	static const char *const predicates[] = {"bytes %s 64K",
						 "msgs %s 100",
						 "avgsize %s 1.5K",
						 "age %s 1.5s",
						 "idle %s 10ms",
						 "assocs %s 3",
						 "peeled %s 0",
						 "rate(5s) %s 2M/s",
						 "msgrate(1s) %s 500/s",
						 "share(1s) %s 12.5%%",
						 "bytes(2m) %s 1G",
						 "msgs(1s) %s 7",
						 "sndblocked %s 1",
						 "rwnd %s 4096",
						 "unacked %s 9",
						 "pending %s 1",
						 "srtt %s 30us",
						 "cwnd %s 3K",
						 "retrans %s 5",
						 "outofseq %s 0",
						 "stream %s 3",
						 "ppid %s 4294967295",
						 "dport %s 36412",
						 "sport %s 2905",
						 NULL};
	static const char *const ops[] = {"=",	"==",  "eq", "!=", "ne", "NEQ", "<",   "lt", "<=",
					  "le", "leq", ">",  "GT", ">=", "ge",	"geq", NULL};
	static const char *const sets[] = {"ppid 46,3",
					   "ppid != 0-7,9-12,8",
					   "stream 1,2,3",
					   "peer 10.9.0.0/16",
					   "src != ::1",
					   "dst = [2001:db8::]/32",
					   "local 0.0.0.0/0",
					   "peer.port 1-1023",
					   "sport 2905,38412",
					   "peer ::ffff:192.0.2.0/120",
					   NULL};

	if (any(3) == 0) {
		fputs(one_of(sets), to);
		return;
	}
	const char *predicate = one_of(predicates), *mark = strstr(predicate, "%s");
	const char *rest = mark + 2;

	fprintf(to, "%.*s%s", (int)(mark - predicate), predicate, one_of(ops));
	for (; *rest; rest++)
		if (rest[0] != '%' || rest[1] != '%')
			fputc(*rest, to);
}

static void put_expression(FILE *to, unsigned depth)
{
	static const char *const joints[] = {" and ", " && ", " ", " or ", " || ", " OR ", NULL};
	unsigned parts = 1 + any(3);

	for (unsigned i = 0; i < parts; i++) {
		if (i > 0)
			fputs(one_of(joints), to);
		if (any(4) == 0)
			fputs(any(2) ? "not " : "!", to);
		if (depth > 0 && any(2)) {
			fputc('(', to);
			put_expression(to, depth - 1);
			fputc(')', to);
		} else {
			put_predicate(to);
		}
	}
}

static void put_policy(FILE *to)
{
	unsigned rules = 1 + any(4);

	for (unsigned i = 0; i < rules; i++) {
		if (i > 0)
			fputs(any(2) ? "; " : "\r\n", to);
		if (any(2))
			fprintf(to, "r-%u.x : ", i);
		fputs(any(3) ? "peel" : "KEEP", to);
		if (any(6)) {
			fputs(" if ", to);
			put_expression(to, 3);
		}
		if (any(3) == 0)
			fprintf(to, " for %ums", 1 + any(5000));
		if (any(5) == 0)
			fputs(" # and so on", to);
	}
}

static char *print_to_string(const struct policy *compiled)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		fail("memory", "none");
	policy_print(compiled, to);
	fclose(to);
	return text;
}

/* Both policies see the same random traffic and must say the same. */
static void compare(const struct policy *one, const struct policy *other)
{
	void *states[2] = {new_state(policy_assoc_state_size(one)),
			   new_state(policy_assoc_state_size(other))};
	void *sockets[2] = {new_state(policy_socket_state_size(one)),
			    new_state(policy_socket_state_size(other))};
	struct policy_result results[2];
	struct policy_input input = {.ask = ask, .has_message = true, .assocs = 1};
	struct sockaddr_storage peer, local;

	input.peer = read_address(any(2) ? "10.9.1.1 36412" : "2001:db8::7 9", &peer);
	input.local = read_address(any(2) ? "::1 2905" : "192.0.2.1 38412", &local);
	for (int i = 0; i < 50; i++) {
		uint64_t bytes = any(100000);

		input.now_ns += any(300000000);
		input.msgs++;
		input.bytes += bytes;
		input.ppid = any(50);
		input.stream = (uint16_t)any(5);
		figures.unacked = figures.retrans = any(12);
		policy_account(one, states[0], sockets[0], input.now_ns, bytes);
		policy_account(other, states[1], sockets[1], input.now_ns, bytes);
		policy_evaluate(one, states[0], sockets[0], &input, true, &results[0]);
		policy_evaluate(other, states[1], sockets[1], &input, true, &results[1]);
		input.previous_ns = input.now_ns;
		if (results[0].verdict != results[1].verdict ||
		    results[0].rule != results[1].rule ||
		    results[0].pending != results[1].pending ||
		    strcmp(results[0].reason, results[1].reason) != 0)
			fail("verdicts differ", results[0].reason);
	}
	for (int i = 0; i < 2; i++) {
		free(states[i]);
		free(sockets[i]);
	}
}

static void fixpoint(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		char *text = NULL, *canonical, *again;
		size_t size;
		FILE *to = open_memstream(&text, &size);
		struct policy *first, *second;

		if (!to)
			fail("memory", "none");
		put_policy(to);
		fclose(to);
		first = compile(text);
		if (!first)
			fail("a good policy was refused", text);
		canonical = print_to_string(first);
		second = compile(canonical);
		if (!second)
			fail("the canonical form was refused", canonical);
		again = print_to_string(second);
		if (strcmp(canonical, again) != 0)
			fail("no fixpoint", canonical);
		if (strcmp(policy_hash(first), policy_hash(second)) != 0)
			fail("another hash", canonical);
		compare(first, second);
		policy_free(first);
		policy_free(second);
		free(text);
		free(canonical);
		free(again);
	}
	printf("%" PRIu64 " policies print to what they are\n", count);
}

static double nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void bench(uint64_t count)
{
	struct policy_result result;
	double start = nanoseconds(), middle;

	for (uint64_t i = 0; i < count; i++) {
		current->input.bytes = i & 63;
		policy_evaluate(policy, current->state, socket_state, &current->input, false,
				&result);
	}
	middle = nanoseconds();
	for (uint64_t i = 0; i < count; i++)
		policy_account(policy, current->state, socket_state, now_ns += 1000, 100);
	printf("evaluate %.1f ns, account %.1f ns\n", (middle - start) / (double)count,
	       (nanoseconds() - middle) / (double)count);
}

static void obey(char *line)
{
	char *rest = line + strcspn(line, " ");

	if (*rest)
		*rest++ = '\0';
	if (!strcmp(line, "policy"))
		use_policy(rest);
	else if (!strcmp(line, "fixpoint"))
		fixpoint(strtoull(rest, NULL, 10));
	else if (!policy)
		fail("no policy yet", line);
	else if (!strcmp(line, "at"))
		now_ns = strtoull(rest, NULL, 10);
	else if (!strcmp(line, "add"))
		now_ns += strtoull(rest, NULL, 10);
	else if (!strcmp(line, "assoc"))
		use_assoc(rest);
	else if (!strcmp(line, "set"))
		set(rest);
	else if (!strcmp(line, "msg"))
		receive(rest);
	else if (!strcmp(line, "eval") || !strcmp(line, "verdict"))
		evaluate(line[0] == 'e');
	else if (!strcmp(line, "print"))
		policy_print(policy, stdout);
	else if (!strcmp(line, "explain"))
		policy_explain(policy, stdout);
	else if (!strcmp(line, "hash"))
		puts(policy_hash(policy));
	else if (!strcmp(line, "sizes"))
		print_sizes();
	else if (!strcmp(line, "never"))
		puts(policy_never_peels(policy) ? "never" : "maybe");
	else if (!strcmp(line, "asked")) {
		printf("%d\n", asked);
		asked = 0;
	} else if (!strcmp(line, "bench"))
		bench(strtoull(rest, NULL, 10));
	else
		fail("unknown command", line);
}

int main(void)
{
	static char line[LINE];

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (*line && *line != '#')
			obey(line);
	}
	reset();
	return 0;
}
