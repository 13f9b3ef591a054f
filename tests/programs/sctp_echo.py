"""sctp_echo: an echo server on one SOCK_SEQPACKET socket, in the ways in which Python programs wait.

It knows nothing of sctpeel. Standard output says what happens to associations.
"""
import asyncio
import ctypes
import select
import socket
import struct
import sys

# linux/sctp.h; Python's socket module has no names for them
SCTP_EVENTS, SCTP_RECVRCVINFO = 11, 32
SCTP_SNDRCV, SCTP_SNDINFO, SCTP_RCVINFO = 1, 2, 3
SCTP_ASSOC_CHANGE, SCTP_SHUTDOWN_EVENT = 0x8001, 0x8005
MSG_NOTIFICATION = 0x8000
SNDRCV = struct.Struct('HHHxxIIIIIi')  # stream, ssn, flags, ppid, context, ttl, tsn, cumtsn, id
RCVINFO = struct.Struct('HHHxxIIIIi')  # stream, ssn, flags, ppid, tsn, cumtsn, context, id
SNDINFO = struct.Struct('HHIIi')  # stream, flags, ppid, context, id
STATES = 'COMM_UP', 'COMM_LOST', 'RESTART', 'SHUTDOWN_COMP', 'CANT_STR_ASSOC'
WAITS = 'blocking', 'select', 'poll', 'epoll', 'edge', 'asyncio', 'peeling'


class Echo:
    """What is read is sent back, on the same stream and with the same ppid."""

    def __init__(self, port, new_info):
        self.new_info = new_info
        self.parts = {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, socket.IPPROTO_SCTP)
        events = bytes([not new_info, 1, 0, 0, 0, 1, 0, 0])
        self.socket.setsockopt(socket.IPPROTO_SCTP, SCTP_EVENTS, events)
        if new_info:
            self.socket.setsockopt(socket.IPPROTO_SCTP, SCTP_RECVRCVINFO, 1)
        self.socket.bind(('127.0.0.1', port))
        self.socket.listen(100)

    def notice(self, data):
        """Returns the association that has come up, or -1 when one has ended."""
        kind, = struct.unpack_from('H', data)
        if kind == SCTP_ASSOC_CHANGE:
            _, _, _, state, _, _, _, number = struct.unpack_from('HHIHHHHi', data)
            print(STATES[state], number, flush=True)
            return number if state == 0 else -1
        if kind != SCTP_SHUTDOWN_EVENT:
            print('unexpected notification', hex(kind), flush=True)
        return None

    def info(self, ancillary):
        """Stream, ppid and association of what has been received."""
        (level, kind, data), = ancillary
        if (level, kind) != (socket.IPPROTO_SCTP, SCTP_RCVINFO if self.new_info else SCTP_SNDRCV):
            print('unexpected ancillary data', level, kind, flush=True)
        if self.new_info:
            stream, _, _, ppid, _, _, _, number = RCVINFO.unpack(data)
        else:
            stream, _, _, ppid, _, _, _, _, number = SNDRCV.unpack(data)
        return stream, ppid, number

    def receive(self, sock):
        """Returns a whole message and where its echo goes; None after a notification or a part."""
        data, ancillary, flags, _ = sock.recvmsg(65536, 256)
        if flags & MSG_NOTIFICATION:
            if ancillary:
                print('ancillary data with a notification', flush=True)
            return None, self.notice(data)
        stream, ppid, number = self.info(ancillary)
        if not flags & socket.MSG_EOR:
            self.parts[number] = self.parts.get(number, b'') + data
            return None, None
        return (self.parts.pop(number, b'') + data, stream, ppid, number), None

    def send(self, sock, message):
        data, stream, ppid, number = message
        if self.new_info:
            ancillary = SCTP_SNDINFO, SNDINFO.pack(stream, 0, ppid, 0, number)
        else:
            ancillary = SCTP_SNDRCV, SNDRCV.pack(stream, 0, 0, ppid, 0, 0, 0, 0, number)
        sent = sock.sendmsg([data], [(socket.IPPROTO_SCTP, *ancillary)])
        if sent != len(data):
            print('sent', sent, 'of', len(data), flush=True)

    def echo(self, sock):
        """One message or notification."""
        message, up = self.receive(sock)
        while message:
            try:
                self.send(sock, message)
                message = None
            except BlockingIOError:
                select.select([], [sock], [])
        return up

    def echo_all(self):
        """Everything that is there."""
        while True:
            try:
                self.echo(self.socket)
            except BlockingIOError:
                return

    def blocking(self):
        while True:
            self.echo(self.socket)

    def select(self):
        while True:
            readable, _, _ = select.select([self.socket], [], [])
            if readable != [self.socket]:
                print('unexpected', readable, flush=True)
            self.echo(self.socket)

    def poll(self):
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        while True:
            if poll.poll() != [(self.socket.fileno(), select.POLLIN)]:
                print('unexpected from poll', flush=True)
            self.echo(self.socket)

    def epoll(self, mode=0):
        epoll = select.epoll()
        self.socket.setblocking(False)
        epoll.register(self.socket, select.EPOLLIN | mode)
        while True:
            if epoll.poll() != [(self.socket.fileno(), select.EPOLLIN)]:
                print('unexpected from epoll', flush=True)
            if mode:
                self.echo_all()
            else:
                self.echo(self.socket)

    def edge(self):
        self.epoll(select.EPOLLET)

    def asyncio(self):
        asyncio.run(self.serve())

    async def serve(self):
        """Never waits for room: what finds none is queued until the loop says writable."""
        loop = asyncio.get_running_loop()
        queue = []
        self.socket.setblocking(False)

        def writable():
            try:
                while queue:
                    self.send(self.socket, queue[0])
                    del queue[0]
                loop.remove_writer(self.socket)
            except BlockingIOError:
                loop.add_writer(self.socket, writable)

        def readable():
            try:
                message, _ = self.receive(self.socket)
            except BlockingIOError:
                return
            if message:
                queue.append(message)
                writable()

        loop.add_reader(self.socket, readable)
        await loop.create_future()

    def peeling(self):
        """Peels each association off by itself and keeps only a duplicate, as a library might."""
        libsctp = ctypes.CDLL('libsctp.so.1')
        sockets = {self.socket.fileno(): self.socket}
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                up = self.echo(sockets[fd])
                if up == -1:
                    poll.unregister(fd)
                    sockets.pop(fd).close()
                elif up and fd == self.socket.fileno():
                    with socket.socket(fileno=libsctp.sctp_peeloff(fd, up)) as peeled:
                        copy = peeled.dup()
                    sockets[copy.fileno()] = copy
                    poll.register(copy, select.POLLIN)


def main():
    if len(sys.argv) != 4 or sys.argv[2] not in WAITS or sys.argv[3] not in ('sndrcv', 'sndinfo'):
        sys.exit(f'usage: sctp_echo.py PORT {"|".join(WAITS)} sndrcv|sndinfo')
    getattr(Echo(int(sys.argv[1]), sys.argv[3] == 'sndinfo'), sys.argv[2])()


main()
