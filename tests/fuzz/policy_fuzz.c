/* SPDX-License-Identifier: MIT */
/*
 * Feeds any bytes to the policy parser; what it accepts must print to a text that compiles to
 * itself, and can be evaluated at any time and with any figures.
 *
 *   clang -g -O1 -std=gnu11 -D_GNU_SOURCE -DLIBFUZZER -fsanitize=fuzzer,address,undefined \
 *       -Ishim -o policy_fuzz tests/fuzz/policy_fuzz.c shim/policy/[a-z]*.c
 *   ./policy_fuzz -dict=tests/fuzz/policy.dict CORPUS tests/fuzz/policy
 *
 * Without LIBFUZZER it runs once over each file that it is given, so that every build tries the
 * seeds.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool ask(void *context, bool stats, struct policy_kernel_figures *ret)
{
	const uint64_t *number = context;

	memset(ret, (int)*number, sizeof(*ret));
	return stats || *number % 3;
}

static void evaluate(const struct policy *policy, uint64_t number)
{
	void *state = calloc(1, policy_assoc_state_size(policy) + 1);
	void *socket_state = calloc(1, policy_socket_state_size(policy) + 1);
	struct sockaddr_in6 peer = {.sin6_family = AF_INET6, .sin6_port = 9};
	struct policy_input input = {
		.ask = ask, .context = &number, .peer = (const struct sockaddr *)&peer};
	struct policy_result result;

	if (!state || !socket_state)
		abort();
	for (int i = 0; i < 40; i++) {
		number = number * UINT64_C(6364136223846793005) + 1442695040888963407;
		input.now_ns = i < 20 ? input.now_ns + (number >> (number >> 58)) : number;
		input.previous_ns = number >> 7;
		input.bytes = number >> (i & 31);
		input.msgs = number >> 40;
		input.has_message = number & 1;
		input.ppid = (uint32_t)number & 63;
		memcpy(&peer.sin6_addr, &number, sizeof(number));
		policy_account(policy, state, socket_state, input.now_ns, number);
		policy_evaluate(policy, state, socket_state, &input, i & 1, &result);
		if (strnlen(result.reason, sizeof(result.reason)) == sizeof(result.reason))
			abort();
	}
	free(state);
	free(socket_state);
}

static char *print(const struct policy *policy, bool explain)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		abort();
	if (explain)
		policy_explain(policy, to);
	else
		policy_print(policy, to);
	fclose(to);
	return text;
}

static void check_error(const struct policy_error *error, const char *text)
{
	char shown[512];
	size_t length = strlen(text);

	if (error->line_start > length || error->line_start + error->line_len > length ||
	    error->column > error->line_len || error->len == 0 || !error->message[0])
		abort();
	for (size_t room = 1; room <= sizeof(shown); room *= 2)
		policy_error_format(error, "fuzz", text, shown, room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *canonical, *again;
	struct policy_error error;
	struct policy *policy, *second;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	policy = policy_parse(text, &error);
	if (!policy) {
		check_error(&error, text);
		free(text);
		return 0;
	}
	canonical = print(policy, false);
	second = policy_parse(canonical, &error);
	if (!second) {
		fprintf(stderr, "refused: %s\n%s", error.message, canonical);
		abort();
	}
	again = print(second, false);
	if (strcmp(canonical, again) != 0 || strcmp(policy_hash(policy), policy_hash(second)) != 0)
		abort();
	free(print(policy, true));
	evaluate(second, size);
	policy_free(policy);
	policy_free(second);
	free(text);
	free(canonical);
	free(again);
	return 0;
}

#include "once.h"
