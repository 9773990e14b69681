# SPDX-License-Identifier: MIT
"""Writes bytes of ACPI's tables (AML) as plainly as can be."""
import struct


def block(*parts):
    """With its length in front, in four bytes."""
    body = b"".join(parts)
    length = len(body) + 4
    return bytes([0xc0 | length & 15, length >> 4 & 255, length >> 12 & 255, length >> 20]) + body


def number(n):
    if n < 2:
        return bytes([n])
    for code, form, limit in (b"\x0a", "<B", 1 << 8), (b"\x0b", "<H", 1 << 16), (b"\x0c", "<I", 1 << 32):
        if n < limit:
            return code + struct.pack(form, n)
    return b"\x0e" + struct.pack("<Q", n)


def text(string):
    return b"\x0d" + string.encode() + b"\0"


def package(*elements):
    return b"\x12" + block(bytes([len(elements)]), *elements)
