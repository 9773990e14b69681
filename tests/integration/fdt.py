# SPDX-License-Identifier: MIT
"""Reads a flattened device tree."""
import struct


def parse(blob):
    """{path: {property: bytes}}, the root's path being "/"."""
    magic, _, structure, strings = struct.unpack_from(">4I", blob)
    assert magic == 0xd00dfeed
    nodes, path, at = {}, [], structure
    while True:
        token, at = struct.unpack_from(">I", blob, at)[0], at + 4
        if token == 1:
            name = blob[at:blob.index(b"\0", at)]
            at += (len(name) + 4) & ~3
            path.append(name.decode())
            nodes["/".join(path) or "/"] = {}
        elif token == 2:
            path.pop()
        elif token == 3:
            size, offset = struct.unpack_from(">2I", blob, at)
            start = strings + offset
            name = blob[start:blob.index(b"\0", start)].decode()
            nodes["/".join(path) or "/"][name] = blob[at + 8:at + 8 + size]
            at += 8 + ((size + 3) & ~3)
        elif token == 9:
            return nodes


def cells(*numbers):
    return b"".join(struct.pack(">I", number) for number in numbers)
