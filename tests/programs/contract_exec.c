/* SPDX-License-Identifier: MIT */
/* contract P03: a server that executes itself, and takes its socket along. */
#include "contract.h"

#include <sys/mman.h>

static const char *program;

/* ---- from one image to the next: its socket, and the peers, whose sockets go along too ---- */

/* The peers as they are, in a file that has no name. */
static void keep(int server)
{
	int file = memfd_create("peers", 0);

	if (file < 0 || write(file, peers, sizeof(peers[0]) * (size_t)peer_count) < 0)
		die("keeping the peers");
	set_number("CONTRACT_FD", server);
	set_number("CONTRACT_PEERS", file);
	fflush(stdout);
}

static int resume(void)
{
	int file = number_of("CONTRACT_PEERS");
	ssize_t n = pread(file, peers, sizeof(peers), 0);

	if (n < 0)
		die("the peers");
	peer_count = (int)((size_t)n / sizeof(peers[0]));
	close(file);
	return number_of("CONTRACT_FD");
}

static void execute(const char *test, int server)
{
	char *const arguments[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)test, NULL};

	keep(server);
	execv(program, arguments);
	die("execv");
}

/* All peers speak in turn, and hear the answer. */
static void still_works(const char *label, int fd)
{
	struct receipt *r = new_receipt();

	tell("%s", label);
	for (int p = 0; p < peer_count; p++) {
		if (peers[p].fd < 0)
			continue;
		peer_sends(&peers[p], 50);
		if (take(r, fd, 0) < 0)
			die("receive");
		learn(r);
		tell("%.7s", r->data);
		OUTCOME("answer", send_to_peer(fd, &peers[p], 60));
		peer_hears(&peers[p]);
	}
	free(r);
}

/* What the shim writes into the environment is not for the program. */
static void tell_messages(void)
{
	for (char **at = environ; *at; at++)
		if (strstr(*at, "SCTPEEL__"))
			tell("%s", *at);
}

/* ---- each call of the family ---- */

static void goes_on(const char *test)
{
	char *arguments[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)test, NULL};
	int image = number_of("CONTRACT_IMAGE") + 1;

	set_number("CONTRACT_IMAGE", image);
	fflush(stdout);
	switch (image) {
	case 1:
		execve(program, arguments, environ);
		break;
	case 2:
		execv(program, arguments);
		break;
	case 3:
		execvp(program, arguments);
		break;
	case 4:
		execvpe(program, arguments, environ);
		break;
	case 5:
		fexecve(open(program, O_RDONLY | O_CLOEXEC), arguments, environ);
		break;
	case 6:
		execveat(AT_FDCWD, program, arguments, environ, 0);
		break;
	case 7:
		execl(program, program, test, (char *)NULL);
		break;
	case 8:
		execlp(program, program, test, (char *)NULL);
		break;
	case 9:
		execle(program, program, test, (char *)NULL, environ);
		break;
	default:
		return;
	}
	die("exec %d", image);
}

static void p03_family(void)
{
	int server = open_scene(2);

	set_number("CONTRACT_IMAGE", 0);
	keep(server);
	goes_on("p03-family-image");
}

static void p03_family_image(void)
{
	int server = resume();
	char label[40];

	snprintf(label, sizeof(label), "image %d", number_of("CONTRACT_IMAGE"));
	still_works(label, server);
	tell_messages();
	keep(server);
	goes_on("p03-family-image");
	connect_peer(new_peer(), server);
	greet(server, 1);
	still_works("with a newcomer", server);
	close_scene(server);
}

/* ---- what has been set, and what has not been read ---- */

/* Under one number that goes along and one that does not. */
static void p03_as_it_was(void)
{
	int server = open_scene(3);

	fcntl(dup(server), F_SETFD, FD_CLOEXEC);
	subscribe(server, SUB_DATA | SUB_ASSOC | SUB_SHUTDOWN);
	set_timeout(server, SO_RCVTIMEO, 300);
	for (int i = 0; i < 2; i++)
		for (int p = 0; p < 3; p++)
			peer_sends(&peers[p], 100);
	execute("p03-as-it-was-image", server);
}

static void p03_as_it_was_image(void)
{
	int server = resume();

	tell("%s", poll_names(poll_now(server)));
	for (int i = 0; i < 6; i++)
		note_next(server);
	tell_notes();
	tell_taken();
	hear("nothing more", server, 0);
	close_peer(&peers[0]);
	await_end(&peers[0]);
	hear("the end", server, 0);
	hear("the end", server, 0);
	fcntl(server, F_SETFL, O_NONBLOCK);
	hear("nothing more", server, 0);
	still_works("the others", server);
	execute("p03-as-it-was-later", server);
}

static void p03_as_it_was_later(void)
{
	int server = resume();

	hear("nothing", server, 0);
	still_works("once more", server);
	abort_peer(&peers[1]);
	await_end(&peers[1]);
	hear_all("the end", server);
	close_scene(server);
}

/* Half of a message was read: the new image reads the rest, before anything else. */
static void p03_half_read(void)
{
	struct receipt *r = new_receipt();
	int server = open_scene(2);

	peer_sends(&peers[1], 3000);
	r->capacity = 1000;
	if (take(r, server, 0) != 1000 || r->header.msg_flags & MSG_EOR)
		die("half a message");
	tell("%.7s", r->data);
	peer_sends(&peers[0], 100);
	execute("p03-half-read-image", server);
}

static void p03_half_read_image(void)
{
	int server = resume();

	hear("the rest", server, 0);
	hear("the other", server, 0);
	still_works("then", server);
	close_scene(server);
}

/* ---- an exec that fails ---- */

static void fails(int server)
{
	char *const arguments[] = {(char[]){"nowhere"}, NULL};

	OUTCOME("execv", execv("/nowhere", arguments));
	OUTCOME("execvp", execvp("nowhere-to-be-found", arguments));
	OUTCOME("execle", execle("/etc/passwd", "nowhere", (char *)NULL, environ));
	OUTCOME("execve", execve("/nowhere", arguments, environ));
	OUTCOME("flags", fcntl(server, F_GETFD));
}

/* What goes along, natively too, is counted in the image that comes then. */
static void p03_fails(void)
{
	int server = open_scene(2);

	fails(server);
	still_works("as before", server);
	connect_peer(new_peer(), server);
	greet(server, 1);
	still_works("with a newcomer", server);
	fcntl(server, F_SETFD, FD_CLOEXEC);
	fails(server);
	close(dup(server));
	execute("p03-count", server);
}

/* How many sockets came along. */
static void p03_count_alone(void)
{
	int sockets = 0;

	for (int fd = 3; fd < 20000; fd++) {
		int type;
		socklen_t length = sizeof(type);

		sockets += getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0;
	}
	tell("%d sockets", sockets);
}

static void p03_count(void)
{
	p03_count_alone();
	(void)resume();
	for (int p = 0; p < peer_count; p++)
		peer_hears(&peers[p]);
}

/* ---- with other processes ---- */

/* A child goes on as another image; parent and child receive from all, then the child alone. */
static void p03_child(void)
{
	int line[2], server;
	char byte = 'c';

	for (int i = 0; i < 3; i++)
		new_peer();
	server = open_server();
	for (int i = 0; i < 2; i++)
		connect_peer(&peers[i], server);
	peer_count = 2;
	greet(server, 2);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, line))
		die("socketpair");
	set_number("CONTRACT_LINE", line[1]);
	fflush(stdout);
	if (fork() == 0) {
		close(line[0]);
		execute("p03-child-image", server);
	}
	close(line[1]);
	for (int i = 0; i < 8; i++) {
		peer_sends(&peers[i % 2], 50);
		if (i & 2)
			hear("parent", server, 0);
		else if (write(line[0], &byte, 1) != 1 || read(line[0], &byte, 1) != 1)
			die("the child");
	}
	connect_peer(&peers[2], server);
	peer_count = 3;
	greet(server, 1);
	peer_sends(&peers[2], 50);
	if (write(line[0], &byte, 1) != 1 || read(line[0], &byte, 1) != 1)
		die("the child");
	close(server);
	peer_sends(&peers[2], 50);
	if (write(line[0], &byte, 1) != 1 || read(line[0], &byte, 1) != 1)
		die("the child");
	close(line[0]);
	wait(NULL);
	for (int p = 0; p < 3; p++)
		peer_hears(&peers[p]);
}

static void p03_child_image(void)
{
	int server = resume(), line = number_of("CONTRACT_LINE");
	char byte;

	for (int p = 0; p < peer_count; p++)
		close(peers[p].fd);
	while (read(line, &byte, 1) == 1) {
		hear("child", server, 0);
		if (write(line, &byte, 1) != 1)
			break;
	}
}

/* A child of vfork has no memory of its own: what it does is not to be seen here. */
static void p03_vfork(void)
{
	int server = open_scene(2);
	char *const nowhere[] = {(char[]){"nowhere"}, NULL};
	char *const count[] = {(char *)(uintptr_t)program, (char[]){"p03-count-alone"}, NULL};
	pid_t child;

	child = vfork();
	if (child == 0) {
		execv("/nowhere", nowhere);
		_exit(7);
	}
	waitpid(child, NULL, 0);
	still_works("a failure", server);
	child = vfork();
	if (child == 0) {
		execv(program, count);
		_exit(7);
	}
	waitpid(child, NULL, 0);
	still_works("another program", server);
	connect_peer(new_peer(), server);
	greet(server, 1);
	still_works("with a newcomer", server);
	execute("p03-serves-image", server);
}

/* ---- while another thread is inside ---- */

static void *takes_one(void *server)
{
	struct receipt *r = new_receipt();

	if (take(r, *(int *)server, 0) < 0)
		die("receive");
	for (;;)
		pause();
}

static void p03_amid(void)
{
	int server = open_server();
	pthread_t thread;

	set_timeout(server, SO_RCVTIMEO, 5000);
	connect_peer(new_peer(), server);
	if (pthread_create(&thread, NULL, takes_one, &server))
		die("pthread_create");
	pause_ms(100);
	peer_sends(&peers[0], 100);
	pause_ms(200);
	peer_sends(&peers[0], 100);
	execute("p03-amid-image", server);
}

static void p03_amid_image(void)
{
	int server = resume();

	hear("the second", server, 0);
	still_works("then", server);
	close_scene(server);
}

/* ---- a hundred associations, three images, and traffic all the time ---- */

enum { MANY = 100, ROUNDS = 30, AHEAD = 3, IMAGES = 3 };

/* The peer hears all that it said, in its order. */
static void hears_itself(struct peer *peer)
{
	ssize_t n = recv(peer->fd, message_buffer, sizeof(message_buffer), 0);

	if (n <= 0)
		die("%s hears nothing", peer->name);
	if (message_number(message_buffer, (size_t)n) != (int)peer->heard)
		die("peer %d hears %.24s instead of %u", (int)(peer - peers), message_buffer,
		    peer->heard);
	peer->heard++;
}

static void says_more(struct peer *peer)
{
	size_t size = HEADER + (peer->sent * 37 + (unsigned)(peer - peers)) % 600;

	make_message(message_buffer, peer->name, peer->sent++, size);
	if (send(peer->fd, message_buffer, size, 0) != (ssize_t)size)
		die("%s sends", peer->name);
}

static void be_hundred_peers(in_port_t port)
{
	struct sockaddr_in to = loopback(1, port);

	for (int p = 0; p < MANY; p++) {
		if (connect(peers[p].fd, (struct sockaddr *)&to, sizeof(to)))
			die("connect");
		for (int i = 0; i < AHEAD; i++)
			says_more(&peers[p]);
	}
	for (int i = 0; i < ROUNDS; i++)
		for (int p = 0; p < MANY; p++) {
			hears_itself(&peers[p]);
			if (peers[p].sent < ROUNDS)
				says_more(&peers[p]);
		}
	tell("%d peers heard %d messages each", MANY, ROUNDS);
	_exit(0);
}

static void serve_many(int server)
{
	int image = number_of("CONTRACT_IMAGE"), left = MANY * ROUNDS / IMAGES;
	struct receipt *r = new_receipt();

	tell("image %d", image);
	while (left-- > 0) {
		struct sctp_sndrcvinfo to = {0};
		struct cmsghdr *c;

		if (take(r, server, 0) < 0)
			die("receive");
		c = CMSG_FIRSTHDR(&r->header);
		if (!c || c->cmsg_type != SCTP_SNDRCV)
			die("whose is it");
		memcpy(&to, CMSG_DATA(c), sizeof(to));
		to = (struct sctp_sndrcvinfo){.sinfo_assoc_id = to.sinfo_assoc_id};
		if (sctp_send(server, r->data, (size_t)r->size, &to, 0) != r->size)
			die("answer");
	}
	if (image < IMAGES) {
		set_number("CONTRACT_IMAGE", image + 1);
		execute("p03-many-image", server);
	}
	wait(NULL);
	await_associations(local_port(server), 0, 0);
	close(server);
}

static void p03_many(void)
{
	int line[2], server;
	in_port_t port;

	if (pipe(line))
		die("pipe");
	fflush(stdout);
	if (fork() == 0) {
		alarm(100);
		for (int p = 0; p < MANY; p++)
			new_peer();
		if (read(line[0], &port, sizeof(port)) != sizeof(port))
			die("port");
		close(line[1]);
		be_hundred_peers(port);
	}
	server = open_server();
	set_int(server, SOL_SOCKET, SO_RCVBUF, 1 << 20);
	set_timeout(server, SO_RCVTIMEO, 20000);
	port = local_port(server);
	if (write(line[1], &port, sizeof(port)) != sizeof(port))
		die("port");
	close(line[0]);
	close(line[1]);
	set_number("CONTRACT_IMAGE", 1);
	serve_many(server);
}

static void p03_many_image(void)
{
	alarm(100);
	serve_many(resume());
}

/* ---- epoll sets that go along ---- */

static void wait_in(int set, const char *label)
{
	struct epoll_event event = {0};

	tell("%s: %d", label, epoll_wait(set, &event, 1, 300));
	if (event.events)
		tell("%s data %llx", poll_names((int)event.events),
		     (unsigned long long)event.data.u64);
}

static void p03_epoll(void)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x1234567890};
	int server = open_scene(2), set = epoll_create1(0);

	if (epoll_ctl(set, EPOLL_CTL_ADD, server, &event))
		die("epoll_ctl");
	set_number("CONTRACT_SET", set);
	wait_in(set, "nothing");
	execute("p03-epoll-image", server);
}

static void p03_epoll_image(void)
{
	int server = resume(), set = number_of("CONTRACT_SET");

	wait_in(set, "nothing");
	peer_sends(&peers[1], 100);
	wait_in(set, "something");
	hear("it", server, 0);
	wait_in(set, "nothing");
	OUTCOME("del", epoll_ctl(set, EPOLL_CTL_DEL, server, NULL));
	peer_sends(&peers[0], 100);
	wait_in(set, "not asked");
	hear("that", server, 0);
	still_works("then", server);
	close_scene(server);
}

/* ---- where it cannot be kept ---- */

/* Without the variables that it was started with. */
static void p03_alone(void)
{
	char *const arguments[] = {(char *)(uintptr_t)program, (char[]){"p03-count"}, NULL};
	char line[40], file[40];
	char *const variables[] = {line, file, NULL};

	keep(open_scene(2));
	snprintf(line, sizeof(line), "CONTRACT_FD=%s", getenv("CONTRACT_FD"));
	snprintf(file, sizeof(file), "CONTRACT_PEERS=%s", getenv("CONTRACT_PEERS"));
	execve(program, arguments, variables);
	die("execve");
}

/* Another program, named or open. */
static void p03_another(void)
{
	const char *another = getenv("CONTRACT_PROGRAM");

	open_scene(2);
	execl(another, another, (char *)NULL);
	die("execl");
}

static void p03_another_open(void)
{
	int file = open(getenv("CONTRACT_PROGRAM"), O_RDONLY | O_CLOEXEC);
	char *const arguments[] = {(char[]){"another"}, NULL};

	open_scene(2);
	fexecve(file, arguments, environ);
	die("fexecve");
}

static void p03_serves(void)
{
	int server = open_scene(2);

	still_works("here", server);
	execute("p03-serves-image", server);
}

/* By way of a shell. */
static void p03_wrapped(void)
{
	int server = open_scene(2);

	still_works("here", server);
	keep(server);
	execl("/bin/sh", "sh", "-c", "exec \"$0\" p03-serves-image", program, (char *)NULL);
	die("execl");
}

/* With all that a receive says. */
static void p03_serves_image(void)
{
	int server = resume();

	peer_sends(&peers[1], 100);
	hear("there", server, 0);
	still_works("there", server);
	tell_messages();
	close_scene(server);
}

static void p03_serves_plainly(void)
{
	int server = open_scene(2);

	still_works("here", server);
	tell_messages();
	close_scene(server);
}

static const struct test tests[] = {
	{"p03-family", p03_family},
	{"p03-family-image", p03_family_image},
	{"p03-as-it-was", p03_as_it_was},
	{"p03-as-it-was-image", p03_as_it_was_image},
	{"p03-as-it-was-later", p03_as_it_was_later},
	{"p03-half-read", p03_half_read},
	{"p03-half-read-image", p03_half_read_image},
	{"p03-fails", p03_fails},
	{"p03-count", p03_count},
	{"p03-count-alone", p03_count_alone},
	{"p03-vfork", p03_vfork},
	{"p03-amid", p03_amid},
	{"p03-amid-image", p03_amid_image},
	{"p03-child", p03_child},
	{"p03-child-image", p03_child_image},
	{"p03-many", p03_many},
	{"p03-many-image", p03_many_image},
	{"p03-epoll", p03_epoll},
	{"p03-epoll-image", p03_epoll_image},
	{"p03-alone", p03_alone},
	{"p03-another", p03_another},
	{"p03-another-open", p03_another_open},
	{"p03-serves", p03_serves},
	{"p03-serves-image", p03_serves_image},
	{"p03-wrapped", p03_wrapped},
	{"p03-serves-plainly", p03_serves_plainly},
};

int main(int argc, char **argv)
{
	program = argv[0];
	return run_tests(argc, argv, tests, COUNT(tests));
}
