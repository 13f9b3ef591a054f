"""sip_peers: user agents that ask a SIP server over SCTP, each on an association of its own.

Twenty of them send so many OPTIONS requests altogether, the first more than the others. Each request
has to be answered once with 200 by what belongs to it, in any order. Then the command runs, and all
associations are shut down. Says what is wrong, and ends with 1 then.
"""
import select
import socket
import subprocess
import sys

PEERS, PATIENCE = 20, 60

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

    def __init__(self, peer, port, total):
        self.peer = peer
        self.total = total
        self.window = 32 if peer == 0 else 4
        self.sent = 0
        self.open = set()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
        self.socket.connect(('127.0.0.1', port))
        self.port = self.socket.getsockname()[1]

    def ask(self):
        while self.sent < self.total and len(self.open) < self.window:
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
        return None

    def done(self):
        return self.sent == self.total and not self.open


def main():
    if len(sys.argv) != 4:
        sys.exit('usage: sip_peers.py PORT MESSAGES COMMAND')
    port, messages, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    share = messages // (2 * PEERS)
    peers = [Peer(i, port, share if i else messages - (PEERS - 1) * share) for i in range(PEERS)]
    by_socket = {peer.socket.fileno(): peer for peer in peers}
    poll = select.poll()
    for peer in peers:
        poll.register(peer.socket, select.POLLIN)
        peer.ask()
    while not all(peer.done() for peer in peers):
        ready = poll.poll(PATIENCE * 1000)
        if not ready:
            missing = {peer.peer: sorted(peer.open) for peer in peers if peer.open}
            sys.exit(f'no answer for {PATIENCE} s; missing: {missing}')
        for fd, _ in ready:
            wrong = by_socket[fd].answered()
            if wrong:
                sys.exit(wrong)
            by_socket[fd].ask()
    subprocess.run(command, shell=True, check=True)
    if poll.poll(0):
        sys.exit('more answers than requests')
    for peer in peers:
        peer.socket.close()
    print('requests answered:', sum(peer.sent for peer in peers))


main()
