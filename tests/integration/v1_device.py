# SPDX-License-Identifier: MIT
"""A device behind wire version 1, written against the bytes and not against the library: what it
does with each request is the test's to say."""
import collections
import os
import queue
import socket
import struct
import threading

REQUEST = struct.Struct("<BBHQQ")  # type, size, reserved, address, data
RESPONSE = struct.Struct("<B7xQ")  # success, data

Request = collections.namedtuple("Request", "write size addr data")


def response(data=0, success=1):
    return RESPONSE.pack(success, data)


class Device:
    """Listens at path. answer(connection, request) gives the bytes to send, or None for silence;
    without one it is memory, byte by byte. Every frame is put into self.frames as it came."""

    def __init__(self, path, answer=None):
        self.path = str(path)
        self.answer = answer or self.remember
        self.memory = {}
        self.frames = queue.Queue()
        self.accepted = queue.Queue()
        self.connections = []
        self.threads = []
        self.listen()

    def remember(self, connection, request):
        span = range(request.addr, request.addr + request.size)
        if request.write:
            self.memory.update(zip(span, request.data.to_bytes(8, "little")))
            return response()
        return response(int.from_bytes(bytes(self.memory.get(a, 0) for a in span), "little"))

    def listen(self):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(8)
        self.spawn(self.accept_all, self.listener)

    def spawn(self, function, *args):
        thread = threading.Thread(target=function, args=args, daemon=True)
        self.threads.append(thread)
        thread.start()

    def accept_all(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # stop()
                return
            self.connections.append(connection)
            self.accepted.put(connection)
            self.spawn(self.serve, connection)

    def serve(self, connection):
        try:
            while len(frame := connection.recv(REQUEST.size, socket.MSG_WAITALL)) == REQUEST.size:
                self.frames.put(frame)
                kind, size, _, addr, data = REQUEST.unpack(frame)
                answer = self.answer(connection, Request(kind == 1, size, addr, data))
                if answer is not None:
                    connection.sendall(answer)
        except OSError:  # stop(), or the other side is gone
            pass
        finally:
            hang_up(connection)

    def requests(self):
        """What has come since the last call."""
        found = []
        while not self.frames.empty():
            kind, size, _, addr, data = REQUEST.unpack(self.frames.get())
            found.append(Request(kind == 1, size, addr, data))
        return found

    def stop(self):
        """As if the process had ended: nobody listens, every connection is closed."""
        hang_up(self.listener)
        self.listener.close()
        if os.path.exists(self.path):
            os.unlink(self.path)
        for connection in self.connections:
            hang_up(connection)
        for thread in self.threads:
            thread.join()
        for connection in self.connections:
            connection.close()
        self.connections, self.threads = [], []


def hang_up(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # it is already
        pass
