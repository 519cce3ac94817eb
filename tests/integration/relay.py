"""A TCP relay that a test can slow down, stall, cut or listen to: it stands between two programs on loopback.

    relay = Relay()                      # listens on a port of the system's choice: relay.address
    relay.target = ("127.0.0.1", 7101)   # may be set, and changed, later
    relay.delay = 0.02                   # seconds that every piece is late
    relay.stalled = True                 # connections stay open, nothing passes
    relay.cut()                          # ends all connections; refuse = True: and takes no new ones
    relay.tap = lambda connection, to_target, data: ...
    relay.close()

One thread per relay, which sleeps in select; what is delayed waits in order."""

import collections
import selectors
import socket
import threading
import time

PIECE = 65536
QUEUE_BYTES = 4 << 20


class _Pipe:
    """One direction of a connection."""

    def __init__(self, source, sink, to_target):
        self.source, self.sink, self.to_target = source, sink, to_target
        self.pieces, self.bytes, self.ended, self.finished = collections.deque(), 0, False, False


class Relay:
    def __init__(self):
        self.target, self.delay, self.stalled, self.refuse, self.tap = None, 0.0, False, False, None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._pipes, self._next, self._closing, self._cutting = [], 0, False, False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    # ---- from the test's thread ----

    def cut(self):
        self._cutting = True
        self._wake.send(b"x")

    def poke(self):
        """After a change that should be seen at once (stalled off, delay off)."""
        self._wake.send(b"x")

    def heal(self):
        self.delay, self.stalled, self.refuse = 0.0, False, False
        self.poke()

    def close(self):
        self._closing = True
        self._wake.send(b"x")
        self._thread.join(10)

    # ---- the relay's thread ----

    def _run(self):
        while not self._closing:
            self._wait()
            if self._cutting:
                self._cutting = False
                for pipe in list(self._pipes):
                    self._end(pipe)
        for pipe in list(self._pipes):
            self._end(pipe)
        for end in (self._listener, self._wake, self._woken):
            end.close()

    def _wait(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ, None)
            selector.register(self._listener, selectors.EVENT_READ, None)
            timeout, wanted = 5.0, {}
            now = time.monotonic()
            for pipe in self._pipes:
                if not pipe.ended and pipe.bytes < QUEUE_BYTES:
                    wanted.setdefault(pipe.source, [0, None, None])
                    wanted[pipe.source][0] |= selectors.EVENT_READ
                    wanted[pipe.source][1] = pipe
                if pipe.pieces and not self.stalled:
                    late = pipe.pieces[0][0] - now
                    if late > 0:
                        timeout = min(timeout, late)
                    else:
                        wanted.setdefault(pipe.sink, [0, None, None])
                        wanted[pipe.sink][0] |= selectors.EVENT_WRITE
                        wanted[pipe.sink][2] = pipe
            for end, (events, _, _) in wanted.items():
                selector.register(end, events, wanted[end])
            for key, events in selector.select(timeout):
                if key.fileobj is self._woken:
                    self._woken.recv(4096)
                elif key.fileobj is self._listener:
                    self._accept()
                else:
                    if events & selectors.EVENT_READ:
                        self._read(key.data[1])
                    if events & selectors.EVENT_WRITE:
                        self._write(key.data[2])
        for pipe in list(self._pipes):
            if pipe.ended and not pipe.pieces and not pipe.finished:
                self._finish(pipe)

    def _accept(self):
        end, _ = self._listener.accept()
        if self.refuse or self.target is None:
            end.close()
            return
        try:
            other = socket.create_connection(self.target, 5)
        except OSError:
            end.close()
            return
        self._next += 1
        for s in (end, other):
            s.setblocking(False)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        there, back = _Pipe(end, other, True), _Pipe(other, end, False)
        there.other, back.other = back, there
        there.connection = back.connection = self._next
        self._pipes += [there, back]

    def _read(self, pipe):
        try:
            data = pipe.source.recv(PIECE)
        except OSError:
            data = b""
        if not data:
            pipe.ended = True
            return
        if self.tap is not None:
            self.tap(pipe.connection, pipe.to_target, data)
        pipe.pieces.append([time.monotonic() + self.delay, data])
        pipe.bytes += len(data)

    def _write(self, pipe):
        if pipe not in self._pipes or not pipe.pieces:
            return
        try:
            sent = pipe.sink.send(pipe.pieces[0][1])
        except BlockingIOError:
            return
        except OSError:
            self._end(pipe)
            return
        pipe.bytes -= sent
        pipe.pieces[0][1] = pipe.pieces[0][1][sent:]
        if not pipe.pieces[0][1]:
            pipe.pieces.popleft()

    def _finish(self, pipe):
        """One direction is over; the connection when both are."""
        pipe.finished = True
        try:
            pipe.sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        if pipe.other.finished:
            self._end(pipe)

    def _end(self, pipe):
        for one in (pipe, pipe.other):
            if one in self._pipes:
                self._pipes.remove(one)
            one.source.close()
