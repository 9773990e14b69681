# SPDX-License-Identifier: MIT
"""Models of devices in Python: what the module trestle has, for editors and type checkers. The module is inside the
process that serves the device, and nowhere else. docs/python.md explains it."""
from collections.abc import Callable
from typing import Any, Generic, Literal, NamedTuple, TypeVar, overload

PS: int
NS: int
US: int
MS: int
S: int

LATER: Any  # returned by read(), write() or a hook: complete() answers

class BusError(Exception):
    """Raised in an access: a bus error to the guest, without a traceback."""

class Access(NamedTuple):
    """An access to one register, as hooks get it."""

    value: int  # read: what is stored; write: what the guest wrote
    old: int  # what was stored before
    mask: int  # the bits that the access covers
    index: int  # in an array of registers

class Values:
    """The values of an array of registers."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> int: ...
    def __setitem__(self, index: int, value: int, /) -> None: ...

_Rights = Literal["RW", "RO", "WO", "W1C", "W1S", "W1T", "W0C", "W0S", "W0T", "WC", "WS", "RC", "RS", "TRIGGER",
                  "RESERVED"]
_Value = TypeVar("_Value")
_Hook = TypeVar("_Hook", bound=Callable[..., Any])

class Register(Generic[_Value]):
    """An attribute of a class that derives from Model: a register in the class, its value in a device."""

    @overload
    def __new__(cls, offset: int, access: _Rights = "RW", *, size: int = 4, reset: int = 0, mask: int = 0,
                stride: int = 0, widths: int = 0, whole: bool = False, keep: bool = False, stored: bool = True,
                fields: dict[str, int | dict[str, Any]] = ..., name: str = "", doc: str = "") -> Register[int]: ...
    @overload
    def __new__(cls, offset: int, access: _Rights = "RW", *, size: int = 4, reset: int = 0, mask: int = 0,
                count: int, stride: int = 0, widths: int = 0, whole: bool = False, keep: bool = False,
                stored: bool = True, fields: dict[str, int | dict[str, Any]] = ..., name: str = "",
                doc: str = "") -> Register[Values]: ...
    @overload
    def __get__(self, device: None, owner: type[Model], /) -> Register[_Value]: ...
    @overload
    def __get__(self, device: Model, owner: type[Model], /) -> _Value: ...
    def __set__(self, device: Model, value: int, /) -> None: ...
    def on_read(self, method: _Hook, /) -> _Hook:
        """A decorator: the method is called at a read, with an Access, and returns what the guest gets."""
    def on_write(self, method: _Hook, /) -> _Hook:
        """A decorator: the method is called after a write, with an Access."""
    @property
    def offset(self) -> int:
        """Bytes from the beginning of the region."""
    @property
    def size(self) -> int:
        """Bytes."""
    @property
    def name(self) -> str: ...

class Model:
    """A device. Derive from it, and say what it has."""

    # What a class may say.
    irqs: list[str]
    irq_lines: int
    ports: list[str]
    peer_ports: int
    timers: int
    region_size: int
    access_sizes: int
    holes: Literal["fail", "zero"]
    compatible: str
    has_output: bool
    needs_icount: bool

    # What a class may have.
    def init(self) -> None:
        """At the start; the only place for param()."""
    def start(self) -> None:
        """Once all devices and links exist."""
    def read(self, offset: int, size: int) -> int:
        """Or LATER. Without it the registers answer."""
    def write(self, offset: int, size: int, value: int) -> Any: ...
    def wake(self, timer: int, now: int) -> None:
        """A timer has come."""
    def message(self, port: int, data: bytes) -> None:
        """From the peer."""
    def input(self, data: bytes) -> None:
        """From outside, at most as much as accept_input() said."""
    def dma_done(self, tag: Any, data: bytes | None) -> None:
        """data: of a read; of a write None."""
    def dma_failed(self, tag: Any, reason: str) -> None: ...
    def reset(self) -> None:
        """The guest was reset, and the registers with it."""
    def fini(self) -> None:
        """The run ends."""

    # What a device may ask for.
    @property
    def name(self) -> str: ...
    @property
    def base(self) -> int:
        """The guest's address of its registers."""
    @property
    def now(self) -> int:
        """Picoseconds since the start of the run."""
    @overload
    def param(self, key: str, fallback: int, /) -> int: ...
    @overload
    def param(self, key: str, fallback: str, /) -> str: ...
    def param_time(self, key: str, fallback: int, /) -> int:
        """Picoseconds."""
    def param_period(self, key: str, fallback: int, /) -> int:
        """Of a clock such as 1GHz, in picoseconds."""
    def param_refuse(self, key: str, expected: str, /) -> None:
        """The value is not what was expected; ends init()."""
    def wake_at(self, timer: int, time: int | None, /) -> None:
        """wake() comes then; None: not any more."""
    def wake_after(self, timer: int, delay: int | None, /) -> None: ...
    def irq(self, line: int, level: int | bool, /) -> None:
        """Sets an interrupt line."""
    def pulse(self, line: int, /) -> None:
        """The line goes up and down again."""
    def send(self, port: int, data: bytes, /) -> None:
        """A message to the peer."""
    def forward(self, port: int, /) -> None:
        """In message(): sends on what it got."""
    def linked(self, port: int, /) -> bool:
        """Is there a peer?"""
    def dma_read(self, addr: int, size: int, tag: Any = None, /) -> None:
        """dma_done() comes later."""
    def dma_write(self, addr: int, data: bytes, tag: Any = None, /) -> None: ...
    def memory_read(self, addr: int, size: int, /) -> bytes:
        """At once."""
    def memory_write(self, addr: int, data: bytes, /) -> None: ...
    def output(self, data: bytes, /) -> None:
        """Bytes for the device's backend."""
    def accept_input(self, bytes: int, /) -> None:
        """How many input() takes."""
    def self_reset(self) -> None:
        """What a reset of the guest does."""
    def set_access_latency(self, latency: int, /) -> None:
        """How much later each access is seen."""
    def fail(self, text: str, /) -> None:
        """The device does not work any more."""
    def complete(self, value: int = 0, error: bool = False, /) -> None:
        """Answers what LATER left open."""
    def info(self, text: str, /) -> None:
        """A line to the log of a run with -v."""
    def warning(self, text: str, /) -> None:
        """A line to the log."""
