/* SPDX-License-Identifier: MIT */
/*
 * Any memory as an image before this one hands it over on exec: numbers, files, associations and
 * registrations that are there or not, taken already, cut short. What is refused is refused; no
 * descriptor is kept that nobody closes, and nothing outside of it is read.
 *
 * An input: which sockets there are and which the memory tells the truth about, then the memory.
 *
 *   make fuzz FUZZ=handed
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include "stand_in.h"

#include "commons.h"
#include "handed.h"
#include "policy/policy.h"
#include "takeover.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SOCKETS = 8, MOST = 6 };

static int sockets[SOCKETS];

static uint64_t inode_of(int fd)
{
	struct stat stat;

	return fstat(fd, &stat) == 0 ? stat.st_ino : 0;
}

static void write_all(int fd, const void *bytes, size_t size)
{
	check(libc.write(fd, bytes, size) == (ssize_t)size);
}

/* One of the sockets, or, seldom, what the input says. */
static void draw_descriptor(struct input *input, struct handed_descriptor *ret)
{
	unsigned int byte = draw_byte(input);

	*ret = (struct handed_descriptor){.inode = 0, .fd = -1};
	if (byte < 32) {
		draw(input, ret, sizeof(*ret));
		/* the fuzzer's own files are not for it to give away */
		if (ret->inode == inode_of(ret->fd))
			ret->inode = 0;
	} else if (byte < 192) {
		ret->fd = sockets[byte % SOCKETS];
		ret->inode = inode_of(ret->fd);
	}
}

static void write_association(int fd, struct input *input, size_t state_size)
{
	struct handed_association association;
	unsigned int byte = draw_byte(input);
	char state[4096] = {0};

	draw(input, &association, sizeof(association));
	if (byte & 1)
		association.id = association.id & 15;
	if (byte & 2)
		association.peer.family = byte & 4 ? AF_INET : AF_INET6;
	draw_descriptor(input, &association.peeled);
	write_all(fd, &association, sizeof(association));
	check(state_size <= sizeof(state));
	draw(input, state, byte & 8 ? state_size : 0);
	write_all(fd, state, state_size);
}

static void write_registrations(int fd, struct input *input)
{
	struct handed_registration registration;

	for (unsigned int n = draw_byte(input) % MOST; n > 0; n--) {
		draw(input, &registration, sizeof(registration));
		registration.set = sockets[registration.set & (SOCKETS - 1)];
		registration.number = sockets[registration.number & (SOCKETS - 1)];
		write_all(fd, &registration, sizeof(registration));
	}
	registration = (struct handed_registration){.set = -1};
	write_all(fd, &registration, sizeof(registration));
}

static void write_endpoint(int fd, struct input *input, size_t state_size)
{
	size_t window = policy_socket_state_size(settings_get()->policy);
	struct handed_endpoint endpoint;
	char windows[4096] = {0};
	unsigned int byte = draw_byte(input);

	draw(input, &endpoint, sizeof(endpoint));
	endpoint.numbers %= MOST;
	endpoint.associations %= MOST;
	if (byte & 1)
		endpoint.inode = inode_of(sockets[byte % SOCKETS]);
	if (byte & 2)
		endpoint.bound %= HANDED_FIRST + MOST;
	draw_descriptor(input, &endpoint.commons);
	draw_descriptor(input, &endpoint.mail_in);
	draw_descriptor(input, &endpoint.mail_out);
	if (byte & 8)
		endpoint.state_size = (uint32_t)window;
	else
		endpoint.state_size %= sizeof(windows);
	write_all(fd, &endpoint, sizeof(endpoint));
	for (uint32_t i = 0; i < endpoint.numbers; i++) {
		int32_t number = sockets[(byte + i) % SOCKETS];

		write_all(fd, &number, sizeof(number));
	}
	draw(input, windows, byte & 16 ? endpoint.state_size : 0);
	write_all(fd, windows, endpoint.state_size);
	for (uint32_t i = 0; i < endpoint.associations; i++)
		write_association(fd, input, state_size);
	write_registrations(fd, input);
}

static void write_memory(int fd, struct input *input)
{
	unsigned int byte = draw_byte(input);
	struct handed_header header;
	char rest[300];

	draw(input, &header, byte & 1 ? sizeof(header) : 0);
	if (!(byte & 1) || byte & 2)
		header = (struct handed_header){
			.magic = HANDED_MAGIC,
			.version = HANDED_VERSION,
			.pid = getpid(),
			.policy = byte & 4 ? 0 : handed_policy(),
			.state_size = (uint32_t)policy_assoc_state_size(settings_get()->policy),
		};
	write_all(fd, &header, sizeof(header));
	for (unsigned int n = (byte >> 3) % 4; n > 0; n--)
		write_endpoint(fd, input, header.state_size % 4096);
	if (byte & 128) {
		size_t size = draw_byte(input);

		draw(input, rest, size);
		write_all(fd, rest, size);
	}
	if (byte & 64) {
		uint16_t cut;

		draw(input, &cut, sizeof(cut));
		if (cut < lseek(fd, 0, SEEK_CUR))
			check(ftruncate(fd, cut) == 0);
	}
}

static void hand_over(int fd, uint64_t inode)
{
	char text[64];

	snprintf(text, sizeof(text), "%d:%ju", fd, (uintmax_t)inode);
	setenv(HANDED_VARIABLE, text, 1);
	takeover();
	check(!getenv(HANDED_VARIABLE));
}

/* The rest of them is what the program would close. */
static void close_all(void)
{
	for (int i = 0; i < SOCKETS; i++)
		endpoint_close(sockets[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	const int files = open_files();
	unsigned int byte;
	int fd;

	stand_in();
	byte = draw_byte(&input);
	alive = byte & 1;
	for (int i = 0; i < SOCKETS; i++)
		sockets[i] = i == 0 && byte & 2 ? libc.epoll_create1(EPOLL_CLOEXEC) : new_socket();
	fd = memfd_create("handed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	check(fd >= 0);
	write_memory(fd, &input);
	libc.fcntl(fd, F_ADD_SEALS, byte & 4 ? F_SEAL_SEAL : HANDED_SEALS);
	hand_over(fd, inode_of(fd));
	close_all();
	/* what is refused stays the program's */
	libc.close(fd);
	check(open_files() == files);
	return 0;
}

#include "once.h"
