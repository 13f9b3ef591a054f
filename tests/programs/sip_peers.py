"""sip_peers: user agents that ask a SIP server over SCTP, each on an association of its own.

They send so many OPTIONS requests altogether, the heavy ones more than the others. Each request has
to be answered once with 200 by what belongs to it, in any order. Then the command runs, and all
associations are shut down. Says what is wrong, and ends with 1 then. With a PAUSE (seconds) the others
are sporadic: each waits so long after an answer before it asks again; how long they wait for their
answers is printed.
"""
import argparse
import select
import socket
import subprocess
import sys
import time

PATIENCE = 60

REQUEST = '''OPTIONS sip:server@127.0.0.1 SIP/2.0\r
Via: SIP/2.0/SCTP 127.0.0.1:{port};branch=z9hG4bK{peer}.{number}\r
From: <sip:peer{peer}@127.0.0.1>;tag={peer}\r
To: <sip:server@127.0.0.1>\r
Call-ID: {peer}.{number}@127.0.0.1\r
CSeq: {number} OPTIONS\r
Max-Forwards: 70\r
Content-Length: {length}\r
\r
{body}'''


class Peer:
    """One association."""

    def __init__(self, peer, port, total, window, pause):
        self.peer = peer
        self.total = total
        self.window = window
        self.pause = pause
        self.due = self.asked = 0
        self.delays = []
        self.sent = 0
        self.open = set()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
        self.socket.connect(('127.0.0.1', port))
        self.port = self.socket.getsockname()[1]

    def ask(self):
        while self.sent < self.total and len(self.open) < self.window and self.due <= time.monotonic():
            self.asked = time.monotonic()
            body = 'x' * (self.sent * 37 % 1000)
            self.socket.send(REQUEST.format(port=self.port, peer=self.peer, number=self.sent,
                                            length=len(body), body=body).encode())
            self.open.add(self.sent)
            self.sent += 1

    def answered(self):
        """Takes one answer; says what is wrong with it."""
        text = self.socket.recv(65536).decode()
        head, *lines = text.split('\r\n')
        fields = dict(line.split(': ', 1) for line in lines if ': ' in line)
        number = int(fields.get('CSeq', '-1 ').split()[0])
        expected = {'Call-ID': f'{self.peer}.{number}@127.0.0.1', 'CSeq': f'{number} OPTIONS',
                    'From': f'<sip:peer{self.peer}@127.0.0.1>;tag={self.peer}'}
        if head != 'SIP/2.0 200 OK' or expected.items() - fields.items():
            return f'peer {self.peer}: not an answer: {text}'
        if number not in self.open:
            return f'peer {self.peer}: {number} was answered twice or never asked'
        self.open.remove(number)
        if self.pause:
            self.delays.append(time.monotonic() - self.asked)
            self.due = time.monotonic() + self.pause
        return None

    def done(self):
        return self.sent == self.total and not self.open


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument('port', type=int)
    parser.add_argument('messages', type=int)
    parser.add_argument('command')
    parser.add_argument('--peers', type=int, default=20)
    parser.add_argument('--heavy', type=int, default=1)
    parser.add_argument('--pause', type=float, default=0)
    return parser.parse_args()


def make_peers(given):
    others = given.peers - given.heavy
    share = given.messages // ((50 if given.pause else 2) * given.peers)
    heavy = (given.messages - others * share) // given.heavy
    peers = [Peer(i, given.port, heavy, 250 if given.pause else 32, 0) for i in range(given.heavy)]
    for i in range(given.heavy, given.peers):
        peers.append(Peer(i, given.port, share, 1 if given.pause else 4, given.pause))
        peers[-1].due = time.monotonic() + given.pause * i / given.peers
    return peers


def next_due(peers):
    """Milliseconds until a sporadic one asks again."""
    due = [peer.due for peer in peers if peer.pause and not peer.open and not peer.done()]
    return max(0, min(due) - time.monotonic()) * 1000 + 1 if due else PATIENCE * 1000


def converse(peers, poll):
    by_socket = {peer.socket.fileno(): peer for peer in peers}
    heard = time.monotonic()
    while not all(peer.done() for peer in peers):
        ready = poll.poll(min(next_due(peers), PATIENCE * 1000))
        if ready:
            heard = time.monotonic()
        elif time.monotonic() - heard > PATIENCE:
            missing = {peer.peer: sorted(peer.open) for peer in peers if peer.open}
            sys.exit(f'no answer for {PATIENCE} s; missing: {missing}')
        for fd, _ in ready:
            wrong = by_socket[fd].answered()
            if wrong:
                sys.exit(wrong)
            by_socket[fd].ask()
        for peer in peers:
            if peer.pause:
                peer.ask()


def main():
    given = options()
    peers = make_peers(given)
    poll = select.poll()
    began = time.monotonic()
    for peer in peers:
        poll.register(peer.socket, select.POLLIN)
        peer.ask()
    converse(peers, poll)
    span = time.monotonic() - began
    subprocess.run(given.command, shell=True, check=True)
    if poll.poll(0):
        sys.exit('more answers than requests')
    for peer in peers:
        peer.socket.close()
    print('requests answered:', sum(peer.sent for peer in peers))
    if given.pause:
        delays = sorted(delay for peer in peers for delay in peer.delays)
        print(f'seconds: {span:.2f}')
        print(f'sporadic: {len(delays)}, median {1000 * delays[len(delays) // 2]:.2f} ms,'
              f' p99 {1000 * delays[len(delays) * 99 // 100]:.2f} ms, max {1000 * delays[-1]:.2f} ms')


main()
