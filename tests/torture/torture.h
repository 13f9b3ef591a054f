/* SPDX-License-Identifier: MIT */
/*
 * torture: any peers against any server under any policy, and the judge of what comes of it.
 *
 * A plan is drawn from a seed, or read from a script. A session plays it: it starts the plan's
 * server, a process that knows nothing of the shim, is itself the server's peers, and compares what
 * the server says that it received with what the peers sent. The server says it in memory that both
 * share.
 */
#ifndef TORTURE_H
#define TORTURE_H

#include <netinet/in.h>
#include <netinet/sctp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	PEERS = 12,
	LIVES = 128, /* associations of one peer in a session */
	STREAMS = 5,
	THREADS = 4,
	WORKERS = 8,
	STEPS = 400,
	BIGGEST = 30000, /* bytes of a message */
	RECORDS = 1 << 17,
	NUMBERS = 1 << 14, /* messages of one association */
	SERVER_PORT = 19000,
	PEER_PORT = 19100, /* of peer 0 */
	QUITTER = PEERS,   /* the peer that ends the server */
};

/* ---- plan.c, draw.c: what is to be done ---- */

/* SETTING(name, default, what the values are called, or NULL for plain numbers) */
#define SETTINGS(SETTING)                                                                    \
	SETTING(call, 0, "recvmsg recvmmsg recvfrom read readv sctp_recvmsg sctp_recvv")     \
	SETTING(wait, 0, "none poll ppoll select pselect level edge oneshot exclusive")      \
	SETTING(echo, 0, "none sndrcv sndinfo address")                                      \
	SETTING(info, 1, "none sndrcv rcvinfo both all")                                     \
	SETTING(threads, 1, NULL)                                                            \
	SETTING(nonblock, 0, NULL) /* 1: the descriptor, 2: each receive */                  \
	SETTING(burst, 1, NULL)	   /* receives after one wait; 0: until there is nothing */  \
	SETTING(events, 0, NULL)                                                             \
	SETTING(family, 4, NULL)                                                             \
	SETTING(buffer, 65536, NULL)                                                         \
	SETTING(interleave, 0, NULL)                                                         \
	SETTING(rcvbuf, 0, NULL)                                                             \
	SETTING(sndbuf, 0, NULL)                                                             \
	SETTING(work, 0, NULL)	  /* microseconds for each message */                        \
	SETTING(maxseg, 0, NULL)  /* of the peers: longer messages come in fragments */      \
	SETTING(pdpoint, 0, NULL) /* bytes of a message after which it comes in parts */     \
	SETTING(peerbuf, 0, NULL)                                                            \
	SETTING(rounds, 1, NULL)                                                             \
	SETTING(workers, 0, NULL) /* processes forked after bind(); 0: none but the first */ \
	SETTING(kills, 0, NULL)	  /* of workers, a second; the first process makes new ones */

#define SETTING_NUMBER(name, standard, values) SET_##name,
enum { SETTINGS(SETTING_NUMBER) SETTING_COUNT };
#undef SETTING_NUMBER

/* The values that are compared with; the order is that of the names above. */
enum { BY_RECVMSG, BY_RECVMMSG, BY_RECVFROM, BY_READ, BY_READV, BY_SCTP_RECVMSG, BY_SCTP_RECVV };
enum { WAIT_NONE, WAIT_POLL, WAIT_PPOLL, WAIT_SELECT, WAIT_PSELECT, WAIT_LEVEL, WAIT_EDGE };
enum { WAIT_ONESHOT = WAIT_EDGE + 1, WAIT_EXCLUSIVE };
enum { ECHO_NONE, ECHO_SNDRCV, ECHO_SNDINFO, ECHO_ADDRESS };
enum { INFO_NONE, INFO_SNDRCV, INFO_RCVINFO, INFO_BOTH, INFO_ALL };

/* A peer that has no association ignores all verbs but connect, and one that has one ignores it. */
enum verb {
	CONNECT,
	SEND,	 /* COUNT SIZE STREAMS PPID UNORDERED */
	AWAIT,	 /* all echoes that are due */
	STALL,	 /* MS: hear nothing for so long */
	PAUSE,	 /* MS */
	SHUT,	 /* no more is sent; wait for the end */
	CLOSE,	 /* and wait for nothing */
	ABORT,	 /* likewise */
	RESTART, /* die unheard, then connect */
	ORDER,	 /* WHAT ARGUMENT: a message that the server obeys */
	VERBS
};

/* What a message asks of the server. */
enum order { ORDER_NOTHING, ORDER_EOF, ORDER_ABORT, ORDER_SLEEP, ORDER_QUIT };

struct step {
	unsigned peer;
	enum verb verb;
	unsigned args[5];
};

struct plan {
	uint64_t seed; /* 0: it was read from a script */
	int set[SETTING_COUNT];
	char policy[1000];
	char environment[200]; /* "NAME=VALUE NAME=VALUE" */
	unsigned count;
	struct step steps[STEPS];
};

/* The plan that a seed stands for. */
void plan_draw(struct plan *plan, uint64_t seed);
void plan_print(const struct plan *plan, FILE *out);
/* False when it cannot be read; says why on stderr. */
bool plan_read(struct plan *plan, const char *path);
/* One argument of the server's process: "name=value". False if it is none. */
bool plan_set(struct plan *plan, const char *word);

/* ---- message.c: messages that say what they are ---- */

struct message {
	char magic[4];
	uint32_t sum; /* of all that follows */
	uint32_t size;
	uint32_t number; /* within the association, from 0 */
	uint32_t ppid;
	uint16_t peer, life, stream;
	uint8_t unordered, order;
	uint32_t argument;
};

/* Fills the rest of a message in front of which there is room for `size` bytes. */
void message_make(struct message *message);
/* The size of the message that begins here, 0 if none does. Looks at 12 bytes. */
size_t message_begins(const char *data, size_t size);
/* What is wrong with a whole message, NULL if nothing is. */
const char *message_fault(const struct message *message, size_t size);

/* ---- what the server tells ---- */

/*
 * CUT: of a message only the beginning came. UNECHOED: there was no sending it back. CLAIMED + n:
 * worker n is writing it; it becomes TORN when that worker was killed meanwhile.
 */
enum record_kind { EMPTY, MESSAGE, NOTIFICATION, CUT, UNECHOED, TORN, CLAIMED };

/*
 * The call that returned it began after ticket `before` and ended before ticket `after` was drawn:
 * so something is known of the order of what different threads received.
 */
struct record {
	uint64_t before, after;
	sctp_assoc_t id; /* 0: not told */
	uint32_t number;
	uint16_t peer, life;
	_Atomic uint8_t kind; /* written last */
	uint8_t thread;
	uint16_t type; /* of a notification */
	int32_t state; /* of an ASSOC_CHANGE; the errno of an echo that was not sent */
};

struct ledger {
	_Atomic uint64_t ticket;
	atomic_uint count, ready, stopping;
	_Atomic pid_t workers[WORKERS]; /* 0: none, or killed and not replaced yet */
	/* the messages that a worker may have taken from the kernel and not yet written down */
	atomic_uint in_hand[WORKERS];
	atomic_uint may_miss; /* the sum of those of the killed */
	atomic_uint killed;
	atomic_uint unechoed[PEERS][LIVES];
	atomic_bool failing, failed;
	char fault[300]; /* the first one */
	struct record records[RECORDS];
};

/* ---- server.c, receive.c, wait.c: the server ---- */

struct server {
	int fd, stop; /* the socket; an eventfd that is readable when all is over */
	int epoll;    /* shared by all threads, -1: none */
	const int *set;
	struct ledger *ledger;
};

/* What one receive brought, or one of several. */
struct piece {
	char *data;
	size_t size;
	bool flags_known, notified, whole; /* MSG_NOTIFICATION, MSG_EOR */
	bool info_known;
	sctp_assoc_t id; /* if info_known */
	uint16_t stream;
	uint32_t ppid;
	bool unordered;
	struct sockaddr_storage from;
	socklen_t from_length; /* 0: not told */
};

enum { PIECES = 4 };

struct worker {
	struct server *server;
	unsigned number;
	bool quit; /* it was told to */
	int epoll; /* of its own, -1: none */
	uint64_t before;
	struct piece pieces[PIECES];
	char *buffers; /* of PIECES times set[SET_buffer] bytes */
	char *message; /* the one that is being put together, of each sender */
	size_t have[PEERS + 2];
};

/* Notes the first thing that must not be. */
__attribute__((format(printf, 2, 3))) void fail(struct ledger *ledger, const char *format, ...);
/* Receives by the plan's call into worker->pieces. How many there are, or -1 with errno. */
int receive(struct worker *worker);
/* Makes what the worker needs to wait; false with errno. */
bool wait_prepare(struct worker *worker);
/* Sleeps until the socket can be read, or all is over: then false. */
bool wait_for_input(struct worker *worker);
/* After the receives: a one-shot registration is armed again. */
void wait_again(struct worker *worker);
/* Puts pieces together, records what is whole, and obeys. */
void digest(struct worker *worker, const struct piece *piece, uint64_t after);
/* For both sides: what is dropped comes again soon, for as long as it takes. */
void be_patient(int fd);
/* Forks the plan's workers, and new ones for those that are killed, until all have ended. */
void run_workers(struct server *server);
/* The work of one thread or process, until all is over. */
void *work(void *worker);
/* Makes a worker ready for work(); false with errno. */
bool prepare_worker(struct worker *worker, struct server *server, unsigned number);
/* The server's main: the ledger's descriptor, then settings. */
int serve(int argc, char **argv);

/* ---- peers.c: the other side ---- */

enum ending { ALIVE, GRACEFUL, ANYHOW, ABRUPT };

struct sent {
	uint8_t stream;
	bool unordered, order, heard; /* heard: its echo came */
	uint32_t place;		      /* of its record, from 1; 0: not received yet */
};

/* One association of a peer, from its own point of view. */
struct life {
	enum ending ending;
	bool restarted; /* it may have begun as the restart of the one before */
	unsigned sent, orders, echoes, got;
	struct sent *messages;
	int last[STREAMS]; /* number of the last echo on each stream */
};

struct peer {
	unsigned number;
	int fd;		/* -1: no association */
	unsigned lives; /* so far: the present one is the last */
	struct life life[LIVES];
	unsigned at, done; /* its next step; how much of it is done */
	bool over;	   /* no more steps in this round */
	bool leaving;	   /* waits for the end of its association */
	bool unheard;	   /* its last association ended without a word */
	double until;	   /* a PAUSE's end */
	double deaf_until; /* a STALL's end */
	_Alignas(struct message) char in[BIGGEST + 1];
	size_t have;
};

struct peers {
	const struct plan *plan;
	struct ledger *ledger;
	struct peer all[PEERS + 1];
	unsigned long sent, associations;
	unsigned severed;    /* associations that a killed worker took with it */
	unsigned seen;	     /* records */
	unsigned ups, downs; /* notifications of them */
	char fault[300];
};

double now(void);
void peers_free(struct peers *peers);
/* From the plan's first step again. */
void peers_begin(struct peers *peers);
/* Goes on for about `ms`; false when something is wrong (peers->fault). */
bool peers_go_on(struct peers *peers, int ms);
/* Whether all steps are done and all associations are over. */
bool peers_are_done(const struct peers *peers);
/* Sends one more order to quit. */
void peers_quit(struct peers *peers);
void peers_tell(const struct peers *peers, FILE *out);

/* ---- oracle.c ---- */

/* Reads what the server has told since: messages twice, messages that nobody sent. */
void oracle_follow(struct peers *peers);
/* Whether all that has to come has come; if all is quiet, but for what killed workers had taken. */
bool oracle_is_complete(struct peers *peers, bool quiet);
/* The messages that did not come and that no end of an association excuses. */
unsigned oracle_missing(const struct peers *peers);
/* False if something is wrong: peers->fault. */
bool oracle_judge(struct peers *peers);
/* What is missing yet, for people. */
void oracle_tell(const struct peers *peers, FILE *out);

/* ---- session.c ---- */

struct options {
	const char *preload; /* NULL: natively */
	const char *program; /* this one */
	double patience;     /* seconds without any progress */
	bool verbose;
};

struct tally {
	unsigned long messages, associations, peels;
	unsigned long killed, missing, severed; /* workers; what they took with them */
};

/* Plays a plan once. False when something was wrong: `fault` says what, stderr the state. */
bool session_play(const struct plan *plan, const struct options *options, struct tally *tally,
		  char *fault, size_t size);

/* ---- shrink.c ---- */

/* Takes steps away as long as what remains fails too, for at most so many seconds. */
void shrink(struct plan *plan, const struct options *options, double seconds);

#endif
