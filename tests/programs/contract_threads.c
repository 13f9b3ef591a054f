/* SPDX-License-Identifier: MIT */
/* contract T: threads on one descriptor, signals, cancellation. */
#include "contract.h"

enum { THREADS = 4, PEERS = 6, EACH = 60 };

static int server;
static bool done;		   /* atomic */
static unsigned counts[MAX_PEERS]; /* of whole messages received of each peer; atomic */
static unsigned broken;		   /* what was not whole, or failed otherwise; atomic */

static bool is_done(void)
{
	return __atomic_load_n(&done, __ATOMIC_ACQUIRE);
}

/* Four threads receive, so order cannot be judged: each message once and whole. */
static void count_message(const struct receipt *r)
{
	struct peer *peer = peer_of_port(port_of(&r->name));

	if (!peer || !(r->header.msg_flags & MSG_EOR) ||
	    message_number(r->data, (size_t)r->size) < 0)
		__atomic_add_fetch(&broken, 1, __ATOMIC_RELAXED);
	else
		__atomic_add_fetch(&counts[peer - peers], 1, __ATOMIC_RELAXED);
}

static void tell_counts(void)
{
	for (int p = 0; p < peer_count; p++) {
		tell("%s: %u", peers[p].name, counts[p]);
		counts[p] = 0;
	}
	tell("broken: %u", broken);
	broken = 0;
}

static unsigned total(void)
{
	unsigned ret = 0;

	for (int p = 0; p < peer_count; p++)
		ret += __atomic_load_n(&counts[p], __ATOMIC_RELAXED);
	return ret;
}

static void await_total(unsigned count)
{
	for (int i = 0; i < 1000 && total() < count; i++)
		pause_ms(10);
}

/* Receives, and answers by address, until it is told to end. */
static void *serve(void *wait_for)
{
	void (*wait_for_input)(void) = *(void (**)(void))wait_for;
	struct receipt *r = new_receipt();

	while (!is_done()) {
		if (wait_for_input)
			wait_for_input();
		if (take(r, server, wait_for_input ? MSG_DONTWAIT : 0) < 0) {
			if (r->error != EAGAIN)
				__atomic_add_fetch(&broken, 1, __ATOMIC_RELAXED);
			continue;
		}
		count_message(r);
		if (sendto(server, r->data, 30, 0, (struct sockaddr *)&r->name,
			   r->header.msg_namelen) != 30)
			__atomic_add_fetch(&broken, 1, __ATOMIC_RELAXED);
	}
	free(r);
	return NULL;
}

static int epoll;

static void by_poll(void)
{
	struct pollfd p = {.fd = server, .events = POLLIN};

	poll(&p, 1, 200);
}

static void by_epoll(void)
{
	struct epoll_event event;

	epoll_wait(epoll, &event, 1, 200);
}

static void open_quick_server(void)
{
	server = open_server();
	set_timeout(server, SO_RCVTIMEO, 200);
	epoll = epoll_create1(EPOLL_CLOEXEC);

	struct epoll_event event = {.events = EPOLLIN};

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event))
		die("epoll");
}

static void everybody_sends(int from, int to, int times)
{
	for (int i = 0; i < times; i++)
		for (int p = from; p < to; p++)
			peer_sends(&peers[p], HEADER + (size_t)(i * 31 + p * 17) % 900);
}

/* A peel that one thread is at holds those of the others: each is alone here for one message. */
static void each_sends_alone(void)
{
	for (int p = 0; p < PEERS; p++) {
		unsigned before = total();

		peer_sends(&peers[p], HEADER);
		await_total(before + 1);
	}
}

static void end_threads(pthread_t *threads, int n)
{
	__atomic_store_n(&done, true, __ATOMIC_RELEASE);
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	done = false;
}

static void hear_answers(void)
{
	for (int p = 0; p < peer_count; p++) {
		char buffer[100];
		int n = 0;

		while (recv(peers[p].fd, buffer, sizeof(buffer), MSG_DONTWAIT) == 30)
			n++;
		tell("%s has %d answers", peers[p].name, n);
	}
}

/* ---- T01: threads receive, wait and send on one number ---- */

static void threads_serve(const char *label, void (*wait_for_input)(void))
{
	pthread_t threads[THREADS];

	tell("-- %s --", label);
	open_quick_server();
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, serve, &wait_for_input))
			die("thread");
	for (int p = 0; p < PEERS; p++)
		connect_peer(new_peer(), server);
	everybody_sends(0, PEERS / 2, EACH / 2);
	everybody_sends(0, PEERS, EACH / 2);
	await_total(PEERS * EACH / 2 + PEERS * EACH / 4);
	each_sends_alone();
	end_threads(threads, THREADS);
	tell_counts();
	hear_answers();
	close(epoll);
	close_scene(server);
}

static void t01_serve(void)
{
	threads_serve("receive", NULL);
	threads_serve("poll", by_poll);
	threads_serve("epoll", by_epoll);
}

/* ---- R06: what a thread is shown it takes, when no other takes anything ---- */

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static void take_what_is_shown(struct receipt *shown, struct receipt *taken)
{
	if (take(shown, server, MSG_PEEK | MSG_DONTWAIT) < 0)
		return;
	if (take(taken, server, MSG_DONTWAIT) < 0 || taken->size != shown->size ||
	    memcmp(taken->data, shown->data, (size_t)taken->size) != 0)
		__atomic_add_fetch(&broken, 1, __ATOMIC_RELAXED);
	if (taken->size >= 0)
		count_message(taken);
}

static void *look_and_take(void *wait_for)
{
	void (*wait_for_input)(void) = *(void (**)(void))wait_for;
	struct receipt *shown = new_receipt(), *taken = new_receipt();
	struct sockaddr_in to = loopback(1, peers[0].port);

	while (!is_done()) {
		wait_for_input();
		pthread_mutex_lock(&turn);
		take_what_is_shown(shown, taken);
		pthread_mutex_unlock(&turn);
		sendto(server, "so", 2, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
	}
	free(shown);
	free(taken);
	return NULL;
}

static void look_and_take_by(const char *label, void (*wait_for_input)(void))
{
	pthread_t threads[THREADS];

	tell("-- %s --", label);
	server = open_scene(PEERS);
	epoll = epoll_create1(EPOLL_CLOEXEC);

	struct epoll_event event = {.events = EPOLLIN};

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event))
		die("epoll");
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, look_and_take, &wait_for_input))
			die("thread");
	everybody_sends(0, PEERS, EACH);
	await_total(PEERS * EACH);
	end_threads(threads, THREADS);
	tell_counts();
	close(epoll);
	close_scene(server);
}

static void r06_threads(void)
{
	look_and_take_by("poll", by_poll);
	look_and_take_by("epoll", by_epoll);
}

/* Two threads send to all, by id and by address, while two receive. */
static void *send_to_all(void *unused)
{
	(void)unused;
	for (int i = 0; i < EACH; i++)
		for (int p = 0; p < PEERS; p++) {
			struct sockaddr_in to = loopback(1, peers[p].port);
			struct sending s = {.id = peers[p].id, .carrier = SNDRCV};

			if (i & 1)
				s = (struct sending){.to = (struct sockaddr *)&to,
						     .to_length = sizeof(to)};
			if (send_bytes(server, &s, "012345678901234567890123456789", 30) != 30)
				__atomic_add_fetch(&broken, 1, __ATOMIC_RELAXED);
		}
	return NULL;
}

static void *receive_only(void *unused)
{
	struct receipt *r = new_receipt();

	(void)unused;
	while (!is_done())
		if (take(r, server, 0) >= 0)
			count_message(r);
	free(r);
	return NULL;
}

static void t01_send(void)
{
	pthread_t threads[4];

	server = open_scene(PEERS);
	set_timeout(server, SO_RCVTIMEO, 200);
	for (int i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, i < 2 ? send_to_all : receive_only, NULL))
			die("thread");
	everybody_sends(0, PEERS, 20);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	await_total(PEERS * 20);
	end_threads(threads + 2, 2);
	tell_counts();
	pause_ms(50);
	hear_answers();
	close_scene(server);
}

/* ---- T02: the number is closed, or becomes another's, while others are in it ---- */

static void *sleep_in_receive(void *result)
{
	struct receipt *r = new_receipt();

	while (take(r, server, 0) >= 0)
		count_message(r);
	*(int *)result = r->error;
	free(r);
	return NULL;
}

/*
 * A thread that sleeps in the kernel keeps the socket: closed, it sleeps on until its time is over,
 * or until something comes.
 */
static void t02_close(void)
{
	for (int how = 0; how < 2; how++) {
		pthread_t thread;
		int error = 0, pipes[2];

		server = open_scene(2);
		set_timeout(server, SO_RCVTIMEO, 700);
		if (pipe(pipes) || pthread_create(&thread, NULL, sleep_in_receive, &error))
			die("thread");
		pause_ms(150);
		if (how == 0)
			OUTCOME("close", close(server));
		else
			OUTCOME("dup2", dup2(pipes[0], server) == server);
		pthread_join(thread, NULL);
		tell("%s", error == EAGAIN || error == EBADF || error == ENOTSOCK ? "ends" : "?");
		if (how == 1) {
			OUTCOME("what is there now", write(pipes[1], "x", 1));
			OUTCOME("what is there now", read(server, message_buffer, 10));
			close(server);
		}
		for (int p = 0; p < 2; p++)
			peer_hears(&peers[p]);
		close(pipes[0]);
		close(pipes[1]);
		close_scene(-1);
	}
}

static int open_numbers(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int n = 0;

	while (folder && readdir(folder))
		n++;
	closedir(folder);
	return n;
}

static void *receive_once(void *unused)
{
	struct receipt *r = new_receipt();

	(void)unused;
	if (take(r, server, 0) >= 0)
		count_message(r);
	free(r);
	return NULL;
}

/* The number is closed, and is another socket's, while what came on it is being dealt with. */
static void t02_peel(void)
{
	int before = open_numbers();
	pthread_t thread;

	server = open_server();
	connect_peer(new_peer(), server);
	if (pthread_create(&thread, NULL, receive_once, NULL))
		die("thread");
	pause_ms(50);
	everybody_sends(0, 1, 1);
	pause_ms(150);
	OUTCOME("close", close(server));
	OUTCOME("the number is free", open_server() == server);
	pthread_join(thread, NULL);
	tell_counts();
	peer_hears(&peers[0]);
	connect_peer(new_peer(), server);
	greet(server, 1);
	close_scene(server);
	pause_ms(50);
	tell("%d descriptors more", open_numbers() - before);
}

/* Sockets come and go under numbers that others are using. */
static void *use_any(void *unused)
{
	struct receipt *r = new_receipt();

	(void)unused;
	while (!is_done()) {
		int fd = __atomic_load_n(&server, __ATOMIC_ACQUIRE);
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (poll(&p, 1, 1) >= 0)
			take(r, fd, MSG_DONTWAIT);
	}
	free(r);
	return NULL;
}

static void t02_churn(void)
{
	pthread_t threads[3];

	server = open_server();
	for (int i = 0; i < 3; i++)
		if (pthread_create(&threads[i], NULL, use_any, NULL))
			die("thread");
	for (int i = 0; i < 30; i++) {
		int next = open_server(), old = server;

		for (int p = 0; p < 2; p++)
			connect_peer(new_peer(), server);
		everybody_sends(0, 2, 2);
		pause_ms(2);
		__atomic_store_n(&server, next, __ATOMIC_RELEASE);
		if (close(old))
			die("close");
		for (int p = 0; p < peer_count; p++)
			abort_peer(&peers[p]);
		peer_count = 0;
	}
	end_threads(threads, 3);
	for (int p = 0; p < 2; p++)
		connect_peer(new_peer(), server);
	greet(server, 2);
	tell("the last one serves");
	close_scene(server);
}

/* ---- T03: EINTR and SA_RESTART ---- */

static volatile sig_atomic_t alarms;

static void count_alarm(int number)
{
	(void)number;
	alarms++;
}

static void on_alarm(void (*handler)(int), int flags, long ms, long interval_us)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
	struct itimerval timer = {.it_value = {0, ms * 1000}, .it_interval = {0, interval_us}};

	alarms = 0;
	sigaction(SIGALRM, &action, NULL);
	if (setitimer(ITIMER_REAL, &timer, NULL))
		die("timer");
}

/* The handlers must agree, or no library can know which one it was. */
static void all_restart(bool restart)
{
	struct sigaction action = {.sa_handler = count_sigpipe,
				   .sa_flags = restart ? SA_RESTART : 0};

	sigaction(SIGPIPE, &action, NULL);
	/* nor may one for faults, which never restart, be taken for it */
	action.sa_flags = 0;
	sigaction(SIGSEGV, &action, NULL);
}

static void t03_receive(void)
{
	server = open_scene_with_companion(2, true);
	for (int restart = 0; restart < 2; restart++) {
		all_restart(restart);
		for (int timeout = 0; timeout < 2; timeout++) {
			set_timeout(server, SO_RCVTIMEO, timeout ? 2000 : 0);
			order_messages(&peers[1], 400, 1, 50);
			on_alarm(count_alarm, restart ? SA_RESTART : 0, 100, 0);
			hear(restart ? "restarts" : "interrupted", server, 0);
			tell("%d signals", (int)alarms);
			if (!restart || timeout)
				hear("and then", server, 0);
			await_companion();
		}
	}
	close_scene(server);
}

/* A send that has no room waits in the kernel, which knows what to do. */
static void t03_send(void)
{
	struct receipt *r = new_receipt();
	struct sending s = {.carrier = SNDRCV};

	server = open_scene(2);
	set_int(server, SOL_SOCKET, SO_SNDBUF, 5000);
	for (int restart = 0; restart < 2; restart++) {
		ssize_t n;

		all_restart(restart);
		s.id = peers[restart].id;
		memset(r->data, 'x', 1000);
		s.message_flags = MSG_DONTWAIT;
		/* until no acknowledgement, which may come 200 ms late, makes room any more */
		for (int full = 0; full < 5;) {
			n = send_bytes(server, &s, r->data, 1000);
			full = n < 0 ? full + 1 : 0;
			if (n < 0)
				pause_ms(60);
		}
		s.message_flags = 0;
		set_timeout(server, SO_SNDTIMEO, 600);
		on_alarm(count_alarm, restart ? SA_RESTART : 0, 200, 0);
		n = OUTCOME("blocked", send_bytes(server, &s, r->data, 1000));
		tell("%d signals", (int)alarms);
	}
	free(r);
	close_scene(server);
}

/* ---- T04: handlers that use the socket, at any moment ---- */

static volatile sig_atomic_t heard_inside, polled_inside;

static void use_socket(int number)
{
	static char buffer[2000];
	struct pollfd p = {.fd = server, .events = POLLIN | POLLOUT};
	struct sockaddr_in to = loopback(1, peers[0].port);
	struct sockaddr_storage name = {.ss_family = 0};
	socklen_t length = sizeof(name);
	int kept = errno;
	ssize_t n;

	(void)number;
	alarms++;
	polled_inside += poll(&p, 1, 0) >= 0;
	n = recvfrom(server, buffer, sizeof(buffer), MSG_DONTWAIT, (struct sockaddr *)&name,
		     &length);
	if (n >= 0) {
		struct peer *peer = peer_of_port(port_of(&name));

		heard_inside++;
		if (message_number(buffer, (size_t)n) < 0 || !peer)
			broken++;
		else
			__atomic_add_fetch(&counts[peer - peers], 1, __ATOMIC_RELAXED);
	}
	if (sendto(server, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to)) < 0 &&
	    errno != EAGAIN)
		broken++;
	errno = kept;
}

static void t04_handlers(void)
{
	struct receipt *r = new_receipt();
	unsigned wanted = PEERS * 50;

	server = open_server();
	for (int p = 0; p < PEERS; p++) {
		connect_peer(new_peer(), server);
		fcntl(peers[p].fd, F_SETFL, O_RDWR);
	}
	set_timeout(server, SO_RCVTIMEO, 300);
	on_alarm(use_socket, SA_RESTART, 3, 3100);
	for (int k = 0; k < 50; k++) {
		for (int p = 0; p < PEERS; p++) {
			peer_sends(&peers[p], HEADER + (size_t)(k + p) % 300);
			while (recv(peers[p].fd, message_buffer, 100, MSG_DONTWAIT) > 0)
				;
		}
		while (take(r, server, MSG_DONTWAIT) >= 0)
			count_message(r);
	}
	for (int i = 0; i < 300 && total() < wanted; i++)
		if (take(r, server, 0) >= 0)
			count_message(r);
	on_alarm(count_alarm, SA_RESTART, 0, 0);
	tell_counts();
	tell("%s", polled_inside > 0 ? "handlers ran" : "no handler ran");
	free(r);
	close_scene(server);
}

/* ---- T05: cancellation ---- */

static void *cancelled_in(void *call)
{
	struct receipt *r = new_receipt();
	struct pollfd p = {.fd = server, .events = POLLIN};
	struct epoll_event event;

	pthread_cleanup_push(free, r);
	switch (*(int *)call) {
	case 0:
		take(r, server, 0);
		break;
	case 1:
		poll(&p, 1, -1);
		break;
	case 2:
		epoll_wait(epoll, &event, 1, -1);
		break;
	}
	pthread_cleanup_pop(1);
	return NULL;
}

static void t05_cancel(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int before;

	server = open_scene(2);
	epoll = epoll_create1(0);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event))
		die("epoll");
	before = open_numbers();
	for (int round = 0; round < 3; round++)
		for (int call = 0; call < 3; call++) {
			pthread_t thread;
			void *result;

			if (pthread_create(&thread, NULL, cancelled_in, &call))
				die("thread");
			pause_ms(30);
			pthread_cancel(thread);
			pthread_join(thread, &result);
			tell("%s", result == PTHREAD_CANCELED ? "cancelled" : "came back");
			peer_sends(&peers[0], 40);
			hear("after it", server, 0);
		}
	tell("%d numbers more", open_numbers() - before);
	connect_peer(new_peer(), server);
	greet(server, 1);
	close(epoll);
	OUTCOME("close", close(server));
	for (int p = 0; p < 3; p++)
		peer_hears(&peers[p]);
	close_scene(-1);
}

enum { WAITS = 7 };

/* What is pending ends it before it begins: nothing is done, and nothing left half done. */
static void *cancelled_before(void *call)
{
	struct sockaddr_storage name;
	socklen_t length = sizeof(name);
	struct pollfd p = {.fd = server, .events = POLLIN};
	struct epoll_event event;
	struct receipt *r = new_receipt();

	pthread_cleanup_push(free, r);
	if (getsockname(peers[0].fd, (struct sockaddr *)&name, &length))
		die("getsockname");
	pthread_cancel(pthread_self());
	switch (*(int *)call) {
	case 0:
		take(r, server, MSG_DONTWAIT);
		break;
	case 1:
		take(r, server, 0);
		break;
	case 2:
		sendto(server, "never sent", 10, 0, (struct sockaddr *)&name, length);
		break;
	case 3:
		poll(&p, 1, -1);
		break;
	case 4:
		epoll_wait(epoll, &event, 1, -1);
		break;
	case 5:
		connect(server, (struct sockaddr *)&name, length);
		break;
	case 6:
		close(server);
		break;
	}
	pthread_cleanup_pop(1);
	return NULL;
}

static void t05_pending(void)
{
	struct epoll_event event = {.events = EPOLLIN};

	server = open_scene(2);
	epoll = epoll_create1(0);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event))
		die("epoll");
	for (int call = 0; call < WAITS; call++) {
		pthread_t thread;
		void *result;

		peer_sends(&peers[0], 40);
		pause_ms(10);
		if (pthread_create(&thread, NULL, cancelled_before, &call))
			die("thread");
		pthread_join(thread, &result);
		tell("%s", result == PTHREAD_CANCELED ? "cancelled" : "came back");
		hear("after it", server, 0);
	}
	peer_hears_nothing_more(&peers[0]);
	close(epoll);
	close_scene(server);
}

/* Whoever was cancelled, wherever that was: the others go on. */
static void t05_anywhere(void)
{
	pthread_t threads[THREADS];
	void (*none)(void) = NULL;
	unsigned before;

	open_quick_server();
	for (int p = 0; p < PEERS; p++)
		connect_peer(new_peer(), server);
	for (int round = 0; round < 40; round++) {
		for (int i = 0; i < THREADS; i++)
			if (pthread_create(&threads[i], NULL, serve, &none))
				die("thread");
		everybody_sends(0, PEERS, 5);
		for (int i = 0; i < THREADS; i++) {
			usleep((useconds_t)(round * 83 + i * 211) % 1500);
			pthread_cancel(threads[i]);
		}
		for (int i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
	}
	if (pthread_create(&threads[0], NULL, serve, &none))
		die("thread");
	do {
		before = total();
		pause_ms(300);
	} while (total() > before);
	tell("%s", broken ? "something broke" : "all whole");
	for (int p = 0; p < PEERS; p++)
		__atomic_store_n(&counts[p], 0, __ATOMIC_RELAXED);
	everybody_sends(0, PEERS, 10);
	await_total(PEERS * 10);
	end_threads(threads, 1);
	tell_counts();
	close(epoll);
	close_scene(server);
}

/* ---- T06: fork while others are inside ---- */

static void t06_fork(void)
{
	pthread_t threads[THREADS];
	void (*none)(void) = NULL;
	int failed = 0;

	server = open_server();
	set_timeout(server, SO_RCVTIMEO, 200);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, serve, &none))
			die("thread");
	for (int p = 0; p < PEERS; p++)
		connect_peer(new_peer(), server);
	for (int i = 0; i < 20; i++) {
		int status = 0;
		pid_t child;

		everybody_sends(0, PEERS, 2);
		child = fork();
		if (child == 0) {
			struct pollfd p = {.fd = server, .events = POLLIN};
			int other = open_server();

			alarm(20);
			poll(&p, 1, 0);
			close(server);
			close(other);
			_exit(7);
		}
		waitpid(child, &status, 0);
		failed += WEXITSTATUS(status) != 7;
	}
	await_total(PEERS * 40);
	end_threads(threads, THREADS);
	tell("%d children failed", failed);
	tell_counts();
	close_scene(server);
}

/* What is on its way between two descriptors is not left with a child that knows nothing of it. */
static void t06_peel(void)
{
	int before = open_numbers(), status = 0;
	pthread_t thread;
	pid_t child;

	server = open_server();
	connect_peer(new_peer(), server);
	if (pthread_create(&thread, NULL, receive_once, NULL))
		die("thread");
	pause_ms(50);
	everybody_sends(0, 1, 1);
	pause_ms(150);
	child = fork();
	if (child == 0) {
		close(server);
		_exit(open_numbers() - before);
	}
	waitpid(child, &status, 0);
	tell("%d descriptors more", WEXITSTATUS(status));
	pthread_join(thread, NULL);
	tell_counts();
	close_scene(server);
}

static const struct test tests[] = {
	{"r06-threads", r06_threads}, {"t01-serve", t01_serve},	    {"t01-send", t01_send},
	{"t02-close", t02_close},     {"t02-peel", t02_peel},	    {"t02-churn", t02_churn},
	{"t03-receive", t03_receive}, {"t03-send", t03_send},	    {"t04-handlers", t04_handlers},
	{"t05-cancel", t05_cancel},   {"t05-pending", t05_pending}, {"t05-anywhere", t05_anywhere},
	{"t06-fork", t06_fork},	      {"t06-peel", t06_peel},
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, COUNT(tests));
}
