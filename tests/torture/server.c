/* SPDX-License-Identifier: MIT */
/* The server: an ordinary program with one one-to-many socket. */
#include "torture.h"

#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

void fail(struct ledger *ledger, const char *format, ...)
{
	va_list args;

	if (atomic_exchange(&ledger->failing, true))
		return;
	va_start(args, format);
	vsnprintf(ledger->fault, sizeof(ledger->fault), format, args);
	va_end(args);
	/* only now may it be read */
	atomic_store(&ledger->failed, true);
}

static void record(struct worker *worker, struct record what, uint64_t after, enum record_kind kind)
{
	struct ledger *ledger = worker->server->ledger;
	uint8_t claim = (uint8_t)(CLAIMED + worker->number), empty = EMPTY;
	uint32_t n = atomic_load(&ledger->count);
	struct record *to;

	while (n < RECORDS &&
	       !atomic_compare_exchange_strong(&ledger->records[n].kind, &empty, claim)) {
		empty = EMPTY;
		n++;
	}
	if (n >= RECORDS) {
		fail(ledger, "the ledger is full");
		return;
	}
	atomic_fetch_add(&ledger->count, 1);
	to = &ledger->records[n];
	to->before = worker->before;
	to->after = after;
	to->id = what.id;
	to->number = what.number;
	to->peer = what.peer;
	to->life = what.life;
	to->thread = (uint8_t)worker->number;
	to->type = what.type;
	to->state = what.state;
	atomic_store(&to->kind, kind);
}

/* ---- answers ---- */

static ssize_t send_by_id(const struct worker *worker, const struct piece *from, const void *data,
			  size_t size, uint16_t stream, uint16_t flags)
{
	const struct server *server = worker->server;
	struct sctp_sndrcvinfo sndrcv = {
		.sinfo_stream = stream, .sinfo_flags = flags, .sinfo_assoc_id = from->id};
	struct sctp_sndinfo sndinfo = {
		.snd_sid = stream, .snd_flags = flags, .snd_assoc_id = from->id};
	struct iovec iov = {(void *)(uintptr_t)data, size};
	int wait = server->set[SET_nonblock] == 2 ? MSG_DONTWAIT : 0;

	if (server->set[SET_echo] != ECHO_SNDINFO)
		return sctp_send(server->fd, data, size, &sndrcv, wait);
	return sctp_sendv(server->fd, &iov, 1, NULL, 0, &sndinfo, sizeof(sndinfo),
			  SCTP_SENDV_SNDINFO, wait);
}

static ssize_t answer(const struct worker *worker, const struct piece *to, const void *data,
		      size_t size, uint16_t stream, uint16_t flags)
{
	const struct server *server = worker->server;

	if (to->info_known && server->set[SET_echo] != ECHO_ADDRESS)
		return send_by_id(worker, to, data, size, stream, flags);
	if (server->set[SET_echo] == ECHO_SNDRCV || server->set[SET_echo] == ECHO_SNDINFO)
		fail(server->ledger, "a receive told no association's id");
	return sctp_sendmsg(server->fd, data, size, (struct sockaddr *)(uintptr_t)&to->from,
			    to->from_length, 0, flags, stream, 0, 0);
}

static void echo(struct worker *worker, const struct piece *piece, const struct message *message,
		 uint64_t after)
{
	struct ledger *ledger = worker->server->ledger;

	if (answer(worker, piece, message, message->size, message->stream, 0) ==
	    (ssize_t)message->size)
		return;
	record(worker,
	       (struct record){.peer = message->peer,
			       .life = message->life,
			       .number = message->number,
			       .id = piece->id,
			       .state = errno},
	       after, UNECHOED);
	atomic_fetch_add(&ledger->unechoed[message->peer][message->life], 1);
}

static void obey(struct worker *worker, const struct piece *piece, const struct message *message)
{
	struct server *server = worker->server;
	uint64_t one = 1;

	switch (message->order) {
	case ORDER_EOF:
	case ORDER_ABORT:
		if (answer(worker, piece, NULL, 0, 0,
			   message->order == ORDER_EOF ? SCTP_EOF : SCTP_ABORT) < 0)
			fail(server->ledger, "peer %u life %u: ending it: %m", message->peer,
			     message->life);
		break;
	case ORDER_SLEEP:
		usleep(message->argument * 1000);
		break;
	case ORDER_QUIT:
		atomic_store(&server->ledger->stopping, 1);
		if (write(server->stop, &one, sizeof(one)) < 0)
			fail(server->ledger, "eventfd: %m");
		break;
	default:
		break;
	}
}

/* ---- what was received ---- */

static uint16_t port_of(const struct piece *piece)
{
	return ntohs(piece->from.ss_family == AF_INET6
			     ? ((const struct sockaddr_in6 *)&piece->from)->sin6_port
			     : ((const struct sockaddr_in *)&piece->from)->sin_port);
}

static uint32_t address_of(const struct piece *piece)
{
	uint32_t ret;

	if (piece->from.ss_family != AF_INET6)
		return ntohl(((const struct sockaddr_in *)&piece->from)->sin_addr.s_addr);
	memcpy(&ret, &((const struct sockaddr_in6 *)&piece->from)->sin6_addr.s6_addr[12], 4);
	return ntohl(ret);
}

/* What the call told of the message against what the message says. */
static void compare(struct worker *worker, const struct piece *piece, const struct message *message)
{
	struct ledger *ledger = worker->server->ledger;

	if (piece->from_length > 0 && (port_of(piece) != PEER_PORT + message->peer ||
				       address_of(piece) != INADDR_LOOPBACK + 256U + message->peer))
		fail(ledger, "a message of peer %u came from %#x:%u", message->peer,
		     address_of(piece), port_of(piece));
	if (piece->info_known &&
	    (piece->stream != message->stream || piece->ppid != message->ppid ||
	     piece->unordered != (bool)message->unordered))
		fail(ledger, "peer %u life %u message %u: stream %u ppid %u unordered %d",
		     message->peer, message->life, message->number, piece->stream, piece->ppid,
		     piece->unordered);
}

static void take_message(struct worker *worker, const struct piece *piece,
			 const struct message *message, size_t size, uint64_t after)
{
	const char *fault = message_fault(message, size);

	if (fault) {
		fail(worker->server->ledger, "a message of %zu bytes of peer %u life %u: %s", size,
		     message->peer, message->life, fault);
		return;
	}
	compare(worker, piece, message);
	record(worker,
	       (struct record){.peer = message->peer,
			       .life = message->life,
			       .number = message->number,
			       .id = piece->id},
	       after, MESSAGE);
	if (message->order != ORDER_NOTHING)
		obey(worker, piece, message);
	else if (worker->server->set[SET_echo] != ECHO_NONE)
		echo(worker, piece, message, after);
	if (worker->server->set[SET_work])
		usleep((useconds_t)worker->server->set[SET_work]);
}

static void take_notification(struct worker *worker, const struct piece *piece, uint64_t after)
{
	const union sctp_notification *n = (const union sctp_notification *)(void *)piece->data;
	struct record what = {.type = n->sn_header.sn_type, .peer = PEERS + 1};

	if (piece->size != n->sn_header.sn_length || (piece->flags_known && !piece->whole) ||
	    !worker->server->set[SET_events]) {
		fail(worker->server->ledger, "a notification %#x of %zu bytes", what.type,
		     piece->size);
		return;
	}
	if (what.type == SCTP_ASSOC_CHANGE) {
		what.id = n->sn_assoc_change.sac_assoc_id;
		what.state = n->sn_assoc_change.sac_state;
	} else if (what.type == SCTP_SHUTDOWN_EVENT) {
		what.id = n->sn_shutdown_event.sse_assoc_id;
	}
	if (piece->from_length > 0 && port_of(piece) >= PEER_PORT)
		what.peer = (uint16_t)(port_of(piece) - PEER_PORT);
	record(worker, what, after, NOTIFICATION);
}

/* Where a message goes on: with FRAGMENT_INTERLEAVE 0 nothing may come in between. */
static unsigned place_for(const struct worker *worker, const struct piece *piece)
{
	unsigned port = piece->from_length > 0 ? port_of(piece) : 0U;

	if (!worker->server->set[SET_interleave] || port < PEER_PORT || port > PEER_PORT + QUITTER)
		return 0;
	return port - PEER_PORT + 1;
}

/* Only the end of its association may leave a message unfinished. */
static void give_up(struct worker *worker, unsigned place, uint64_t after)
{
	const struct message *message =
		(const void *)(worker->message + (size_t)place * (BIGGEST + 8));

	if (worker->have[place] >= sizeof(*message))
		record(worker,
		       (struct record){.peer = message->peer,
				       .life = message->life,
				       .number = message->number},
		       after, CUT);
	else if (worker->have[place] > 0)
		fail(worker->server->ledger, "%zu bytes that nothing follows", worker->have[place]);
	worker->have[place] = 0;
}

static bool is_notification(const struct piece *piece)
{
	uint16_t type = 0;

	if (piece->flags_known)
		return piece->notified;
	memcpy(&type, piece->data, piece->size < 2 ? piece->size : 2);
	return type >= SCTP_SN_TYPE_BASE;
}

void digest(struct worker *worker, const struct piece *piece, uint64_t after)
{
	struct ledger *ledger = worker->server->ledger;
	unsigned place = place_for(worker, piece);
	char *message = worker->message + (size_t)place * (BIGGEST + 8);
	size_t total;
	bool whole;

	if (is_notification(piece)) {
		if (!worker->server->set[SET_interleave])
			give_up(worker, place, after);
		take_notification(worker, piece, after);
		return;
	}
	if (message_begins(piece->data, piece->size))
		give_up(worker, place, after);
	if (piece->size == 0 || piece->size > BIGGEST - worker->have[place]) {
		fail(ledger, "%zu bytes after %zu", piece->size, worker->have[place]);
		return;
	}
	memcpy(message + worker->have[place], piece->data, piece->size);
	worker->have[place] += piece->size;
	total = message_begins(message, worker->have[place]);
	whole = total > 0 && worker->have[place] >= total;
	if (!total)
		fail(ledger, "no message begins with '%.12s' (%zu bytes)", message,
		     worker->have[place]);
	if (piece->flags_known && whole != piece->whole)
		fail(ledger, "MSG_EOR is %d after %zu of %zu bytes", piece->whole,
		     worker->have[place], total);
	if (whole) {
		take_message(worker, piece, (const void *)message, worker->have[place], after);
		worker->have[place] = 0;
	}
}

/* ---- threads ---- */

/* As much as one wait allows; false when there is nothing more. */
static bool take_once(struct worker *worker)
{
	struct ledger *ledger = worker->server->ledger;
	uint64_t after;
	atomic_uint *in_hand = &ledger->in_hand[worker->number];
	int n, error;

	atomic_store(in_hand, worker->server->set[SET_call] == BY_RECVMMSG ? PIECES : 1);
	worker->before = atomic_fetch_add(&ledger->ticket, 1);
	n = receive(worker);
	error = errno;
	after = atomic_fetch_add(&ledger->ticket, 1);
	if (n < 0 && (error != EAGAIN || !worker->server->set[SET_nonblock]) && error != EINTR)
		fail(ledger, "receive: %s", strerror(error));
	for (int i = 0; i < n; i++)
		digest(worker, &worker->pieces[i], after);
	atomic_store(in_hand, 0);
	return n > 0;
}

void *work(void *argument)
{
	struct worker *worker = argument;
	int burst = worker->server->set[SET_burst];

	while (wait_for_input(worker)) {
		for (int i = 0; (burst == 0 || i < burst) && take_once(worker); i++)
			;
		wait_again(worker);
	}
	return NULL;
}

bool prepare_worker(struct worker *worker, struct server *server, unsigned number)
{
	*worker = (struct worker){.server = server, .number = number};
	worker->buffers = malloc((size_t)server->set[SET_buffer] * PIECES);
	worker->message = calloc(PEERS + 3, BIGGEST + 8);
	return worker->buffers && worker->message && wait_prepare(worker);
}

static void run(struct server *server)
{
	static struct worker workers[THREADS];
	pthread_t threads[THREADS];
	unsigned count = (unsigned)server->set[SET_threads];

	for (unsigned i = 0; i < count; i++)
		if (!prepare_worker(&workers[i], server, i))
			fail(server->ledger, "preparing: %m");
	atomic_store(&server->ledger->ready, 1);
	for (unsigned i = 1; i < count; i++)
		if ((errno = pthread_create(&threads[i], NULL, work, &workers[i])))
			fail(server->ledger, "pthread_create: %m");
	work(&workers[0]);
	for (unsigned i = 1; i < count; i++)
		pthread_join(threads[i], NULL);
}

/* ---- the socket ---- */

static void set_int(const struct server *server, int level, int option, int value)
{
	if (setsockopt(server->fd, level, option, &value, sizeof(value)))
		fail(server->ledger, "option %d/%d: %m", level, option);
}

/* What a full buffer dropped comes again soon, and no association is given up for it. */
void be_patient(int fd)
{
	/* a shutdown may take five times the longest, then the kernel aborts (T5, RFC 9260 9.2) */
	struct sctp_rtoinfo rto = {.srto_initial = 100, .srto_max = 2000, .srto_min = 50};
	struct sctp_assocparams association = {.sasoc_asocmaxrxt = 1000};
	/*
	 * A restart is refused while the association before has no window left, as where a full
	 * buffer lost a message that those behind it wait for: the INIT ACK has that window in it
	 * (sctp_tietags_populate), and one below 1,500 is not valid (sctp_verify_init). A heartbeat
	 * ends that association, as the peer no longer knows it.
	 */
	struct sctp_paddrparams paths = {
		.spp_pathmaxrxt = 1000, .spp_hbinterval = 3000, .spp_flags = SPP_HB_ENABLE};
	struct sctp_sack_info sack = {.sack_freq = 1};
	int one = 1;

	setsockopt(fd, SOL_SCTP, SCTP_RTOINFO, &rto, sizeof(rto));
	setsockopt(fd, SOL_SCTP, SCTP_PEER_ADDR_PARAMS, &paths, sizeof(paths));
	setsockopt(fd, SOL_SCTP, SCTP_ASSOCINFO, &association, sizeof(association));
	setsockopt(fd, SOL_SCTP, SCTP_DELAYED_SACK, &sack, sizeof(sack));
	setsockopt(fd, SOL_SCTP, SCTP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
}

static void open_socket(struct server *server)
{
	const int *set = server->set;
	bool six = set[SET_family] == 6;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(SERVER_PORT)};
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6, .sin6_port = htons(SERVER_PORT)};
	struct sctp_event_subscribe events = {.sctp_data_io_event = set[SET_info] == INFO_SNDRCV ||
								    set[SET_info] >= INFO_BOTH,
					      .sctp_association_event = (uint8_t)set[SET_events],
					      .sctp_shutdown_event = (uint8_t)set[SET_events]};

	server->fd =
		socket(six ? AF_INET6 : AF_INET,
		       SOCK_SEQPACKET | (set[SET_nonblock] == 1 ? SOCK_NONBLOCK : 0), IPPROTO_SCTP);
	be_patient(server->fd);
	if (setsockopt(server->fd, SOL_SCTP, SCTP_EVENTS, &events, sizeof(events)))
		fail(server->ledger, "SCTP_EVENTS: %m");
	set_int(server, SOL_SCTP, SCTP_RECVRCVINFO, set[SET_info] >= INFO_RCVINFO);
	set_int(server, SOL_SCTP, SCTP_RECVNXTINFO, set[SET_info] == INFO_ALL);
	set_int(server, SOL_SCTP, SCTP_FRAGMENT_INTERLEAVE, set[SET_interleave]);
	if (set[SET_pdpoint])
		set_int(server, SOL_SCTP, SCTP_PARTIAL_DELIVERY_POINT, set[SET_pdpoint]);
	if (set[SET_rcvbuf])
		set_int(server, SOL_SOCKET, SO_RCVBUFFORCE, set[SET_rcvbuf]);
	if (set[SET_sndbuf])
		set_int(server, SOL_SOCKET, SO_SNDBUF, set[SET_sndbuf]);
	if (bind(server->fd, six ? (struct sockaddr *)&to6 : (struct sockaddr *)&to,
		 six ? sizeof(to6) : sizeof(to)) ||
	    listen(server->fd, 100))
		fail(server->ledger, "bind: %m");
}

/* The watchdog asks what this thread does. */
static void tell_stack(int number)
{
	void *frames[40];

	(void)number;
	backtrace_symbols_fd(frames, backtrace(frames, COUNT(frames)), STDERR_FILENO);
	if (write(STDERR_FILENO, "\n", 1) < 0)
		return;
}

int serve(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = tell_stack, .sa_flags = SA_RESTART};
	struct plan *plan = calloc(1, sizeof(*plan));
	struct server server = {.epoll = -1};
	int fd = atoi(argv[0]);
	void *frame;

	if (!plan)
		return 71;
	for (int i = 1; i < argc; i++)
		if (!plan_set(plan, argv[i]))
			return 64;
	server.set = plan->set;
	server.ledger =
		mmap(NULL, sizeof(struct ledger), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (server.ledger == MAP_FAILED)
		return 71;
	close(fd);
	backtrace(&frame, 1); /* the first one allocates */
	sigaction(SIGUSR2, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	server.stop = eventfd(0, EFD_CLOEXEC);
	open_socket(&server);
	if (server.set[SET_workers])
		run_workers(&server);
	else
		run(&server);
	close(server.fd);
	return atomic_load(&server.ledger->failed) ? 1 : 0;
}
