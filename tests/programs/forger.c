/* SPDX-License-Identifier: MIT */
/*
 * forger: executes a program with what the shim would have handed over to it, but wrong.
 *
 *   forger KIND SHIM PROGRAM [ARG...]
 *   forger random COUNT SHIM PROGRAM [ARG...]   in COUNT children, each with other wrong bytes; all
 *                                               must end with status 0
 */
#include "contract.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "handed.h"

static const char *shim;
static int sockets[8], socket_count;

/* FNV-1a of "peel", as the shim writes its policy. */
static uint64_t policy(void)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (const char *c = "peel"; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
	return hash;
}

static struct handed_header header(void)
{
	return (struct handed_header){
		.magic = HANDED_MAGIC,
		.version = HANDED_VERSION,
		.pid = getpid(),
		.policy = policy(),
	};
}

static uint64_t inode(int fd)
{
	struct stat stat;

	if (fstat(fd, &stat))
		die("fstat");
	return stat.st_ino;
}

static void put(int file, const void *bytes, size_t size)
{
	if (write(file, bytes, size) != (ssize_t)size)
		die("memfd");
}

static void execute(int file, uint64_t number, char **arguments)
{
	char value[80];

	snprintf(value, sizeof(value), "%d:%llu", file, (unsigned long long)number);
	setenv(HANDED_VARIABLE, value, 1);
	setenv("LD_PRELOAD", shim, 1);
	execv(arguments[0], arguments);
	die("execv");
}

static int new_file(void)
{
	int file = memfd_create("forged", MFD_ALLOW_SEALING);

	if (file < 0)
		die("memfd_create");
	return file;
}

static void seal(int file)
{
	if (fcntl(file, F_ADD_SEALS, HANDED_SEALS))
		die("seals");
}

/* One thing is wrong, all else is right. */
static void forge(const char *kind, char **arguments)
{
	struct handed_header wrong = header();
	struct handed_endpoint endpoint = {.inode = 1, .numbers = 3};
	uint64_t number;
	int file = new_file();

	if (strcmp(kind, "another") == 0)
		wrong.pid++;
	else if (strcmp(kind, "version") == 0)
		wrong.version++;
	else if (strcmp(kind, "magic") == 0)
		wrong.magic++;
	put(file, &wrong, strcmp(kind, "short") == 0 ? 20 : sizeof(wrong));
	if (strcmp(kind, "cut") == 0)
		put(file, &endpoint, sizeof(endpoint) - 8);
	else if (strcmp(kind, "numbers") == 0)
		put(file, &endpoint, sizeof(endpoint));
	if (strcmp(kind, "unsealed") != 0)
		seal(file);
	number = inode(file);
	if (strcmp(kind, "file") == 0)
		file = open("/etc/passwd", O_RDONLY);
	else if (strcmp(kind, "closed") == 0)
		close(file);
	else if (strcmp(kind, "recycled") == 0)
		number++;
	execute(file, number, arguments);
}

/* ---- wrong everywhere ---- */

static uint32_t chance(uint32_t below)
{
	return (uint32_t)random() % below;
}

static void fill(void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)bytes)[i] = chance(3) ? 0 : (uint8_t)chance(256);
}

static struct handed_descriptor some_descriptor(void)
{
	struct handed_descriptor ret;

	fill(&ret, sizeof(ret));
	if (chance(4)) {
		ret.fd = sockets[chance((uint32_t)socket_count)];
		ret.inode = inode(ret.fd);
	}
	return ret;
}

static void put_endpoint(int file)
{
	struct handed_descriptor socket = some_descriptor();
	struct handed_endpoint endpoint;
	uint32_t associations = chance(6), numbers = chance(4);

	fill(&endpoint, sizeof(endpoint));
	endpoint.inode = socket.inode;
	if (chance(8)) {
		endpoint.numbers = numbers;
		endpoint.associations = associations;
		endpoint.state_size = 0;
	}
	endpoint.bound = chance(5);
	if (chance(2))
		endpoint.commons = some_descriptor();
	endpoint.mail_in = some_descriptor();
	endpoint.mail_out = some_descriptor();
	put(file, &endpoint, sizeof(endpoint));
	for (uint32_t i = 0; i < numbers; i++)
		put(file, &socket.fd, sizeof(socket.fd));
	for (uint32_t i = 0; i < associations; i++) {
		struct handed_association association;

		fill(&association, sizeof(association));
		association.peeled = some_descriptor();
		association.peer.family = chance(2) ? AF_INET : AF_INET6;
		association.id = (sctp_assoc_t)chance(4);
		put(file, &association, sizeof(association));
	}
	for (int32_t set = (int32_t)chance(5); set >= 0; set--) {
		struct handed_registration registration;

		fill(&registration, sizeof(registration));
		registration.set = set - 1;
		registration.number = socket.fd;
		put(file, &registration, sizeof(registration));
	}
}

static void one_of_many(unsigned seed, char **arguments)
{
	int file = new_file();
	struct handed_header most = header();

	srandom(seed);
	put(file, &most, sizeof(most));
	for (uint32_t n = chance(4); n > 0; n--)
		put_endpoint(file);
	if (chance(3) == 0 && ftruncate(file, (off_t)chance((uint32_t)lseek(file, 0, SEEK_CUR))))
		die("ftruncate");
	seal(file);
	execute(file, inode(file), arguments);
}

static void many(int count, char **arguments)
{
	int status;

	for (int i = 0; i < 3; i++)
		sockets[socket_count++] = socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP);
	sockets[socket_count++] = socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
	sockets[socket_count++] = socket(AF_UNIX, SOCK_STREAM, 0);
	sockets[socket_count++] = epoll_create1(0);
	for (int seed = 0; seed < count; seed++) {
		if (fork() == 0)
			one_of_many((unsigned)seed, arguments);
		wait(&status);
		if (status)
			tell("seed %d: status %#x", seed, (unsigned)status);
	}
}

int main(int argc, char **argv)
{
	bool random = argc > 4 && strcmp(argv[1], "random") == 0;

	if (argc < 4)
		return 64;
	shim = argv[random ? 3 : 2];
	if (random)
		many(atoi(argv[2]), argv + 4);
	else
		forge(argv[1], argv + 3);
	return 0;
}
