/* SPDX-License-Identifier: MIT */
/* A server of forked workers: each takes from the socket that all inherit. */
#include "torture.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void be_worker(struct server *server, unsigned number)
{
	struct worker worker;

	/* the judge may kill the first process, and wants none of the others left */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!prepare_worker(&worker, server, number))
		fail(server->ledger, "preparing: %m");
	atomic_fetch_add(&server->ledger->ready, 1);
	work(&worker);
	exit(0);
}

static void start_worker(struct server *server, unsigned number)
{
	pid_t pid = fork();

	if (pid == 0)
		be_worker(server, number);
	if (pid < 0)
		fail(server->ledger, "fork: %m");
	else
		atomic_store(&server->ledger->workers[number], pid);
}

/* What it was writing stays unfinished; what it had taken and not written down is gone. */
static void bury(struct ledger *ledger, unsigned number)
{
	for (unsigned n = 0; n < RECORDS && atomic_load(&ledger->records[n].kind) != EMPTY; n++) {
		uint8_t claim = (uint8_t)(CLAIMED + number);

		atomic_compare_exchange_strong(&ledger->records[n].kind, &claim, TORN);
	}
	atomic_fetch_add(&ledger->may_miss, atomic_exchange(&ledger->in_hand[number], 0));
	atomic_fetch_add(&ledger->killed, 1);
}

void run_workers(struct server *server)
{
	struct ledger *ledger = server->ledger;
	unsigned count = (unsigned)server->set[SET_workers];
	pid_t pids[WORKERS], pid;
	int status;

	for (unsigned i = 0; i < count; i++) {
		start_worker(server, i);
		pids[i] = atomic_load(&ledger->workers[i]);
	}
	while ((pid = wait(&status)) > 0 || errno == EINTR) {
		unsigned i = 0;

		while (i < count && pids[i] != pid)
			i++;
		if (pid < 0 || i == count)
			continue;
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
			bury(ledger, i);
			start_worker(server, i);
			pids[i] = atomic_load(&ledger->workers[i]);
		} else if (status != 0) {
			fail(ledger, "worker %u: status %#x", i, (unsigned)status);
		}
	}
}
