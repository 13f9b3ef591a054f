/* SPDX-License-Identifier: MIT */
#include "sink.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/un.h>
#include <unistd.h>

#include "../libc.h"
#include "../line.h"
#include "descriptor.h"
#include "outlet.h"
#include "trace_file.h"

#define RETRY_NS UINT64_C(1000000000) /* between tries to reach a receiver */
#define INSPECT_NS UINT64_C(10000000)

static _Atomic(enum settings_trace) kind; /* TRACE_NONE again when closed */
static atomic_bool tending;		  /* somebody opens, connects or rotates */
static atomic_bool broken; /* the last line was cut short: the next begins with a newline */

static struct outlet outlet = {.fd = -1}; /* TRACE_DESCRIPTOR */

static struct {
	struct sockaddr_un address;
	socklen_t length;
	atomic_bool connected;
	atomic_int error; /* why it is not */
	atomic_uint_fast64_t retry_at, inspected;
} receiver; /* TRACE_UNIX */

/* An absolute path, as the program may chdir; '@' in front: an abstract name. */
static int prepare_receiver(const char *path)
{
	struct line line;

	receiver.address.sun_family = AF_UNIX;
	line_open(&line, receiver.address.sun_path, sizeof(receiver.address.sun_path));
	if (path[0] != '/' && path[0] != '@') {
		char folder[PATH_MAX];

		if (getcwd(folder, sizeof(folder)))
			line_format(&line, "%s/", folder);
	}
	line_string(&line, path);
	line_done(&line);
	receiver.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + line_length(&line));
	if (path[0] == '@')
		receiver.address.sun_path[0] = '\0';
	return line.cut ? -ENAMETOOLONG : 0;
}

static int connect_receiver(void)
{
	struct stat info;

	if (!descriptor_check(&info)) {
		int fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		int result = fd < 0 ? -errno : descriptor_set(fd);

		if (result < 0)
			return result;
	}
	return libc.connect(descriptor_get(), (const struct sockaddr *)&receiver.address,
			    receiver.length) < 0
		       ? -errno
		       : 0;
}

/* By one thread at a time. */
static void tend_receiver(uint64_t now_ns)
{
	struct stat info;
	int result;

	atomic_store(&receiver.inspected, now_ns);
	if (!descriptor_check(&info))
		atomic_store(&receiver.connected, false);
	if (atomic_load(&receiver.connected) || now_ns < atomic_load(&receiver.retry_at))
		return;
	result = connect_receiver();
	atomic_store(&receiver.retry_at, now_ns + RETRY_NS);
	atomic_store(&receiver.error, -result);
	atomic_store(&receiver.connected, result == 0);
}

static void tend(size_t length, uint64_t now_ns)
{
	/* whoever has the flag may be the code that this signal handler interrupted: never wait */
	if (atomic_exchange(&tending, true))
		return;
	if (kind == TRACE_FILE)
		trace_file_tend(length, now_ns);
	else
		tend_receiver(now_ns);
	atomic_store(&tending, false);
}

static ssize_t send_to_receiver(const char *line, size_t length)
{
	int fd = descriptor_enter();
	ssize_t done = libc.send(fd, line, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	int error = errno;

	descriptor_leave();
	return done < 0 ? -error : done;
}

static bool is_gone(ssize_t result)
{
	return result == -ECONNREFUSED || result == -ENOTCONN || result == -EDESTADDRREQ ||
	       result == -ECONNRESET || result == -EPIPE || result == -EBADF || result == -ENOTSOCK;
}

static ssize_t write_to_receiver(const char *line, size_t length, uint64_t now_ns)
{
	ssize_t result = -ENOTCONN;

	for (int attempt = 0; attempt < 2; attempt++) {
		if (!atomic_load(&receiver.connected) ||
		    now_ns - atomic_load(&receiver.inspected) >= INSPECT_NS)
			tend(length, now_ns);
		if (!atomic_load(&receiver.connected))
			return -atomic_load(&receiver.error);
		result = send_to_receiver(line, length);
		if (!is_gone(result))
			break;
		atomic_store(&receiver.error, (int)-result);
		atomic_store(&receiver.connected, false);
	}
	return result;
}

static ssize_t write_line(const char *line, size_t length, uint64_t now_ns)
{
	switch (atomic_load_explicit(&kind, memory_order_relaxed)) {
	case TRACE_DESCRIPTOR:
		return outlet_write(&outlet, line, length);
	case TRACE_UNIX:
		return write_to_receiver(line, length, now_ns);
	case TRACE_FILE:
		if (trace_file_is_due(length, now_ns))
			tend(length, now_ns);
		return trace_file_write(line, length);
	case TRACE_NONE:
		break;
	}
	return -EBADF;
}

int sink_write(char *line, size_t length, uint64_t now_ns)
{
	int fault = fault_at("trace");
	size_t ahead = 0;
	ssize_t done;

	if (fault)
		return -fault;
	if (__builtin_expect(atomic_load_explicit(&broken, memory_order_relaxed), 0))
		ahead = atomic_exchange(&broken, false);
	line[-1] = '\n';
	done = write_line(line - ahead, length + ahead, now_ns);
	if (__builtin_expect(done == (ssize_t)(length + ahead), 1))
		return 0;
	/* is there now, or still, a line without its end? */
	if (done < 0 ? ahead > 0 : done > (ssize_t)ahead)
		atomic_store(&broken, true);
	if (done < 0)
		return (int)done;
	return kind == TRACE_FILE || S_ISREG(outlet.type) ? -ENOSPC : -EAGAIN;
}

int sink_open(const struct settings *settings)
{
	int result = 0;

	kind = settings->trace_kind;
	if (kind == TRACE_DESCRIPTOR)
		return outlet_attach(&outlet, settings->trace_fd);
	if (kind == TRACE_FILE) {
		trace_file_prepare(settings);
		return trace_file_tend(0, now_ns());
	}
	result = prepare_receiver(settings->trace_path);
	if (result < 0) {
		kind = TRACE_NONE;
		return result;
	}
	tend_receiver(now_ns());
	return -atomic_load(&receiver.error);
}

void sink_forked(void)
{
	descriptor_forked();
	atomic_store(&tending, false);
	atomic_store(&broken, false);
	if (kind == TRACE_FILE && trace_file_forked())
		descriptor_close();
}

void sink_close(void)
{
	kind = TRACE_NONE;
	descriptor_close();
}

bool sink_own_fd(int fd)
{
	return fd >= 0 && descriptor_get() == fd;
}

int sink_move_fd(int fd)
{
	return descriptor_move(fd);
}
