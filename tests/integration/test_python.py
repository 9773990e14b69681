# SPDX-License-Identifier: MIT
"""Models in Python: what docs/python.md promises, with the real QEMU."""
import ast
import json
import re
import textwrap

import cli_case
import common
import test_models

EXAMPLE = common.SOURCE / "examples" / "14-python"
BASE = 0x10200000
MODULE = common.BUILD / "adapters" / "python" / "trestle-python.so"

MOODY = """
import trestle

class Moody(trestle.Model):
    region_size = 0x40
    access_sizes = 4 | 8
    irq_lines = 1
    peer_ports = 1
    timers = 2

    def init(self):
        self.word = self.param("word", 7)
        self.text = self.param("text", "none")
        self.heard, self.copied = 0, 0
        print("made", self.name, hex(self.base), self.text)

    def read(self, offset, size):
        if offset == 0x00:
            return self.word
        if offset == 0x04:
            return 1 // 0
        if offset == 0x08:
            self.wake_after(0, 3 * trestle.US)
            return trestle.LATER
        if offset == 0x0c:
            return self.heard
        if offset == 0x10:
            return self.copied
        if offset == 0x14:
            return "text"
        if offset == 0x18:
            return self.now // trestle.NS
        if offset == 0x1c:
            self.irq(5, True)
        return -1

    def write(self, offset, size, value):
        if offset == 0x20:
            self.send(0, value.to_bytes(size, "little"))
        elif offset == 0x24:
            self.dma_read(value, 4, "a tag")
        elif offset == 0x28:
            self.wake_after(1, 1)
        elif offset == 0x2c:
            raise KeyError(value)

    def wake(self, timer, now):
        if timer == 1:
            raise KeyError("timer")
        self.complete(0x99)

    def message(self, port, data):
        self.heard = int.from_bytes(data, "little")

    def dma_done(self, tag, data):
        assert tag == "a tag"
        self.copied = int.from_bytes(data, "little")
"""


# The same table as in test_models.py.
LAMPS = """
import trestle

class lamps(trestle.Model):
    '''Lamps in a row.

    And more of it.'''
    compatible = "trestle,lamps"
    irqs = ["burnt"]
    ports = ["left", "right"]

    led = trestle.Register(0x00, count=4, doc="a lamp")
    mode = trestle.Register(0x10, reset=2, fields={
        "speed": {"mask": 0x30, "values": {"slow": 0, "fast": 3}, "doc": "how fast"},
        "on": {"mask": 1, "access": "W1S"}})
    wide = trestle.Register(0x18, "RO", size=8, reset=0x123456789a)
"""

DESK = """
import trestle

class Base(trestle.Model):
    timers = 1
    status = trestle.Register(0x00, "W1C", reset=0x5, fields={"low": 0x3, "high": 0xc})

class Desk(Base):
    plain = trestle.Register(0x04, mask=0xff00, reset=0x11)
    led = trestle.Register(0x10, size=2, count=4, stride=4, widths=1 | 2)
    kept = trestle.Register(0x20, keep=True)
    lasting = trestle.Register(0x24, name="NOW", stored=False)
    command = trestle.Register(0x28, "TRIGGER")
    slow = trestle.Register(0x2c, "RO", stored=False)
    wrong = trestle.Register(0x30)
    addr = trestle.Register(0x40, count=2, stride=0x10, name="CH%s_ADDR")
    small = trestle.Register(0x60, size=1)
    answer = 0

    def init(self):
        assert self.status == 5 and self.plain == 0x11 and list(self.led) == [0, 0, 0, 0]
        self.led[3] = 0x12345
        self.small = -2

    @lasting.on_read
    def read_now(self, access):
        return self.now // trestle.NS + access.value

    @lasting.on_write
    @plain.on_write
    @led.on_write
    def note(self, access):
        self.kept = access.index << 24 | access.old << 16 | access.mask & 0xff00 | access.value

    @command.on_write
    def go(self, access):
        self.answer = access.value
        self.wake_after(0, self.answer * trestle.NS)
        self.plain = 0x77

    @slow.on_read
    def wait(self, access):
        self.wake_after(0, 2 * trestle.US)
        return trestle.LATER

    @wrong.on_read
    def spill(self, access):
        return self.led[4]

    @wrong.on_write
    def refuse(self, access):
        if access.value == 1:
            self.led = 1
        if access.value == 2:
            self.small = "text"
        if access.value == 3:
            self.command += 1
        raise trestle.BusError("not today")

    def wake(self, timer, now):
        if self.answer:
            self.status = 0xf
            self.answer = 0
        else:
            self.complete(0xabc)
"""


# What else a device may do.
BUSY = """
import trestle

class Busy(trestle.Model):
    irqs = ["done", "more"]
    ports = ["left", "right"]
    has_output = True

    command = trestle.Register(0x00, "TRIGGER")
    value = trestle.Register(0x04, reset=3)

    def init(self):
        self.clock = self.param_period("clock", trestle.NS)
        if self.param("size", 8) % 8:
            self.param_refuse("size", "a multiple of 8")
        self.set_access_latency(self.clock)

    def start(self):
        if self.param_is_missing:
            raise RuntimeError("the cable is missing")
        self.accept_input(3)

    param_is_missing = False

    @command.on_write
    def do(self, access):
        if access.value == 1:
            self.value = int.from_bytes(self.memory_read(0x80001000, 4), "little")
            self.memory_write(0x80002000, bytes(reversed(self.memory_read(0x80001000, 4))))
        elif access.value == 2:
            self.memory_read(0xffffffffffff0000, 4)
        elif access.value == 3:
            self.self_reset()
        elif access.value == 4:
            self.fail("it is broken")
        elif access.value == 5:
            self.output(b"out\\n")
            self.pulse(1)
        else:
            self.pulse(2)

    def input(self, data):
        self.value = len(data)

    def message(self, port, data):
        self.forward(1 - port)
"""


class PythonCase(cli_case.Case):
    def setUp(self):
        super().setUp()
        if not MODULE.exists():
            self.skipTest("models in Python were not built (libpython3-dev)")

    def model(self, text, name="moody.py"):
        path = self.dir / name
        path.write_text(textwrap.dedent(text))
        return path

    def moody(self, text=MOODY, icount=None, links=(), devices=1, **device):
        self.model(text)
        machine = {"kernel": str(common.guest("probe"))}
        if icount is not None:
            machine["icount"] = icount
        return self.config({"machine": machine, "links": list(links), "devices": [
            {"name": f"moody{i}", "model": "./moody.py", "base_addr": hex(BASE + 0x1000 * i),
             **device} for i in range(devices)]})

    def guest(self, **kwargs):
        return cli_case.Guest(self, "-v", config=self.moody(**kwargs))

    def read(self, guest, register, size=4):
        answer = guest.ask(f"r {size} {BASE + register:x}")
        return int(answer[2:], 16) if answer.startswith("= ") else answer

    def write(self, guest, register, value=0):
        return guest.ask(f"w 4 {BASE + register:x} {value:x}")

    def quit(self, guest):
        guest.process.stdin.write(b"q 0\n")
        guest.process.stdin.flush()
        code, log = guest.end()
        self.assertEqual(code, 0, log)
        return log


class Example(PythonCase):
    def run_example(self, process=None):
        text = (EXAMPLE / "thermo.json").read_text()
        text = text.replace("../../build/", f"{common.BUILD}/")
        text = text.replace("./thermo.py", str(EXAMPLE / "thermo.py"))
        if process:
            text = text.replace('"irq": 40', f'"irq": 40, "process": "{process}"')
        result = self.trestle("run", self.config(text))
        self.assertEqual(result.code, 0, result)
        self.assertIn("thermo: 10 passed, 0 failed", result.out)
        return re.search(r"(run hash|hash of thermo:?) (\w+)", result.err)

    def test_it_is_repeatable(self):
        common.qemu("riscv64")
        self.assertEqual(self.run_example()[2], self.run_example()[2])

    def test_in_a_process_of_its_own(self):
        common.qemu("riscv64")
        self.run_example(process="own")

    def test_inside_qemu(self):
        common.qemu("riscv64")
        self.assertEqual(self.run_example()[2], self.run_example(process="inline")[2])


class Answers(PythonCase):
    def test_values_and_parameters(self):
        guest = self.guest(params={"word": "0x123", "text": "hello"})
        self.assertEqual(self.read(guest, 0), 0x123)
        self.assertEqual(self.read(guest, 0x30), 0xFFFFFFFF)  # -1, cut to the access
        self.assertIn(f"made moody0 {BASE:#x} hello\n", self.quit(guest))

    def test_an_exception_is_a_bus_error_and_its_traceback_comes_once(self):
        guest = self.guest()
        for _ in range(3):
            self.assertIn("!", self.read(guest, 4))
        self.assertEqual(self.read(guest, 0), 7)
        log = self.quit(guest)
        self.assertEqual(log.count("read() raised ZeroDivisionError: "), 3, log)
        self.assertEqual(log.count("Traceback"), 1, log)
        self.assertIn("return 1 // 0", log)

    def test_a_guest_does_not_make_them_grow(self):
        """Each value that it writes is another exception."""
        guest = self.guest(icount=0)
        for value in range(40):
            self.assertIn("!", self.write(guest, 0x2c, value))
            guest.ask("s f4240")  # of the guest's time: more lines may come
        log = self.quit(guest)
        self.assertEqual(log.count("write() raised KeyError: "), 40, log)
        self.assertEqual(log.count("Traceback"), 32, log)

    def test_an_exception_elsewhere_is_said(self):
        guest = self.guest()
        self.write(guest, 0x28)
        guest.ask("s a")
        self.assertEqual(self.read(guest, 0), 7)
        self.assertIn("wake() raised KeyError: 'timer'", self.quit(guest))

    def test_an_answer_of_another_type(self):
        guest = self.guest()
        self.assertIn("!", self.read(guest, 0x14))
        self.assertIn("read() has to give an int, or trestle.LATER, not 'text'", self.quit(guest))

    def test_a_line_that_the_model_does_not_have(self):
        guest = self.guest()
        self.assertIn("!", self.read(guest, 0x1c))
        self.assertIn("line 5: the model has 1 interrupt lines", self.quit(guest))

    def test_what_ends_or_holds_the_process_is_named(self):
        for do, code, line in (
                ("import os; os._exit(3)", 1, "moody0: its write() of 4 bytes at offset 0x20 calls "
                                              "_exit(3)"),
                ("import sys; sys.exit(3)", 0, "write() raised SystemExit: 3"),
                ("import threading; t = threading.Thread(target=lambda: self.irq(0, 1)); "
                 "t.start(); t.join()", 0, "calls trestle_device_irq() from a thread of its own")):
            with self.subTest(do):
                text = MOODY.replace("        if offset == 0x20:", f"        {do}\n"
                                     "        if offset == 0x20:")
                guest = cli_case.Guest(self, config=self.moody(text))
                guest.process.stdin.write(f"w 4 {BASE + 0x20:x} 1\nq 0\n".encode())
                guest.process.stdin.flush()
                got, log = guest.end()
                self.assertEqual(got, code, log)
                self.assertIn(line, log)

    def test_a_slow_callback_is_named(self):
        """How soon depends on how busy the host is: the model waits for it."""
        text = MOODY.replace("        if offset == 0x20:", "        import os, time\n"
                             "        while not os.path.exists('go'): time.sleep(0.01)\n"
                             "        if offset == 0x20:")
        guest = cli_case.Guest(self, config=self.moody(text))
        guest.process.stdin.write(f"w 4 {BASE + 0x20:x} 1\nq 0\n".encode())
        guest.process.stdin.flush()
        guest.wait_for_log(rb"moody0: its write\(\) of 4 bytes at offset 0x20 takes longer than 100 ms of the host's "
                           rb"time")
        (self.dir / "go").touch()
        code, log = guest.end()
        self.assertEqual(code, 0, log)

    def test_answering_later_takes_guest_time(self):
        guest = self.guest(icount=0)
        before = self.read(guest, 0x18)
        self.assertEqual(self.read(guest, 8), 0x99)
        self.assertGreaterEqual(self.read(guest, 0x18) - before, 3000)
        self.quit(guest)


class Registers(PythonCase):
    def models(self, text, *args):
        path = self.model(text, "lamps.py") if text else self.c_model()
        result = self.trestle("models", path, *args)
        self.assertEqual((result.code, result.err), (0, ""), result)
        return result.out

    def c_model(self):
        (self.dir / "lamps.c").write_text(test_models.TABLE)
        result = common.run(["cc", "-std=gnu11", "-shared", "-fPIC", "-I",
                             common.SOURCE / "include", "lamps.c", "-o", "lamps.so"], cwd=self.dir)
        self.assertEqual(result.code, 0, result)
        return self.dir / "lamps.so"

    def test_it_says_of_itself_what_one_in_c_says(self):
        for form in (), ("--markdown",), ("--header",), ("--json",), ("--svd",):
            with self.subTest(form=form):
                self.assertEqual(self.models(LAMPS, *form), self.models(None, *form))

    def desk(self, commands, code=0):
        config = self.moody(DESK)
        result = self.trestle("poke", config, "-c", commands)
        self.assertEqual(result.code, code, result)
        return result

    def test_values(self):
        self.desk("""
            expect moody0.STATUS 5; write moody0.STATUS 4; expect moody0.STATUS 1
            write moody0.PLAIN 0xabcd; expect moody0.PLAIN 0xab11
            expect moody0.LED[3] 0x2345; expect moody0+0x11:1 0
            expect moody0.SMALL 0xfe
            write moody0.CH1_ADDR 7; expect moody0+0x50:4 7; expect moody0.CH0_ADDR 0""")

    def test_hooks(self):
        self.desk("""
            write moody0.LED[2] 0x34; expect moody0.KEPT 0x0200ff34
            write moody0.LED[2] 0x56; expect moody0.KEPT 0x0234ff56
            run 1us; expect moody0.NOW 1000
            write moody0.COMMAND 500; expect moody0.STATUS 5; run 500ns; expect moody0.STATUS 0xf
            expect moody0.PLAIN 0x77; expect moody0.COMMAND 0
            expect moody0.SLOW 0xabc""")

    def test_a_reset_of_the_guest(self):
        self.desk("""
            write moody0.PLAIN 0x2200; expect moody0.PLAIN 0x2211; expect moody0.KEPT 0x11ff00
            reset; expect moody0.PLAIN 0x11; expect moody0.KEPT 0x11ff00; expect moody0.STATUS 5""")

    def test_its_names_are_in_the_log_and_in_the_trace(self):
        guest = cli_case.Guest(self, "-vv", "--trace", "desk.trace", config=self.moody(DESK))
        self.write(guest, 4, 0x2200)
        self.assertEqual(self.read(guest, 0), 5)
        log = self.quit(guest)
        self.assertIn(" PLAIN <- 0x2200\n", log)
        self.assertIn(" STATUS -> 0x5 {low=0x1 high=0x1}\n", log)
        self.assertRegex(self.trestle("trace", "desk.trace").out,
                         r"PLAIN +0x2200\n(.*\n)*.*STATUS +0x5 {low=0x1 high=0x1}\n")

    def test_what_goes_wrong(self):
        for command, line in (
                ("read moody0.WRONG", "spill() raised IndexError: LED has 4 registers"),
                ("write moody0.WRONG 1", "refuse() raised AttributeError: LED is an array; set one "
                                         "of its registers"),
                ("write moody0.WRONG 2", "refuse() raised TypeError: 'str' object cannot be "
                                         "interpreted as an integer"),
                ("write moody0.WRONG 3", "refuse() raised AttributeError: COMMAND is not stored"),
                ("write moody0.WRONG 4", "not today"),
                ("read moody0+0x8:4", "no register there")):
            with self.subTest(command):
                self.assertIn(line, self.desk(command, code=1).err)

    def test_holes(self):
        result = self.trestle("poke", self.moody(LAMPS.replace(
            "ports =", 'holes = "zero"\n    region_size = 0x40\n    ports =')),
                              "-c", "expect moody0+0x14:4 0; expect moody0+0x3c:4 0")
        self.assertEqual(result.code, 0, result)

    def test_a_register_of_another_class(self):
        """It reaches no memory that is not the device's."""
        text = DESK.replace("def go(self, access):", "def go(self, access):\n"
                            "        Desk.late = trestle.Register(0x100000)\n"
                            "        self.late = 1")
        result = self.trestle("poke", self.moody(text), "-c", "write moody0.COMMAND 1")
        self.assertEqual(result.code, 1, result)
        self.assertIn("go() raised AttributeError: it is not a register of Desk", result.err)


class Outside(PythonCase):
    def test_messages(self):
        guest = self.guest(devices=2, links=[
            {"from": "moody0.peer", "to": "moody1.peer", "latency": "1ns"}])
        self.write(guest, 0x20, 0xabcd)
        guest.ask("s 1")
        self.assertEqual(self.read(guest, 0x100c), 0xabcd)
        self.quit(guest)

    def test_nobody_is_linked(self):
        guest = self.guest()
        self.assertIn("!", self.write(guest, 0x20, 1))
        self.assertIn("write() raised OSError: send: ", self.quit(guest))

    def test_guest_memory(self):
        guest = self.guest()
        guest.ask("w 4 80400000 12345678")
        self.write(guest, 0x24, 0x80400000)
        guest.ask("s 1")
        self.assertEqual(self.read(guest, 0x10), 0x12345678)
        self.quit(guest)

    def test_memory_that_is_not_there(self):
        guest = self.guest()
        self.write(guest, 0x24, 0x10)
        guest.ask("s 1")
        self.assertEqual(self.read(guest, 0x10), 0)
        self.assertIn("a transfer failed: Bad address", self.quit(guest))


class More(PythonCase):
    """What is beyond the common things."""

    def busy(self, commands, code=0, text=BUSY, **device):
        config = self.moody(text, **device)
        result = self.trestle("poke", config, "-c", commands)
        self.assertEqual(result.code, code, result)
        return result

    def test_memory_at_once(self):
        self.busy("mem 0x80001000 = 1 2 3 4; write moody0.COMMAND 1; expect moody0.VALUE 0x04030201; "
                  "expect mem 0x80002000 = 4 3 2 1")
        self.assertIn("do() raised OSError: memory_read: Bad address",
                      self.busy("write moody0.COMMAND 2", code=1).err)

    def test_a_reset_by_itself(self):
        self.busy("write moody0.VALUE 9; write moody0.COMMAND 3; expect moody0.VALUE 3")

    def test_a_device_that_has_failed(self):
        result = self.busy("write moody0.COMMAND 4; read moody0.VALUE", code=1)
        self.assertIn("it is broken", result.err)

    def test_input_and_output(self):
        self.busy("input moody0 1 2 3; expect moody0.VALUE 3")
        self.busy("write moody0.COMMAND 5", backend=f"file:{self.dir}/out")

    def test_messages_go_on(self):
        config = self.moody(BUSY, devices=2, links=[
            {"from": "moody0.right", "to": "moody1.left", "latency": "1ns"}])
        result = self.trestle("poke", config, "-c", "send moody0.left 7; run 1us")
        self.assertIn("moody1: message() raised OSError: forward: ", result.err)

    def test_start_and_parameters(self):
        text = BUSY.replace("param_is_missing = False", "param_is_missing = True")
        for command in ("check",), ("run",), ("poke", "-c", "run 1us"):
            result = self.trestle(*command, self.moody(text))
            self.assertEqual((result.code, result.out), (2, ""), result)
            self.assertRegex(result.err, r"\ntrestle: [^\n]*'moody0': [^\n]*start\(\) raised RuntimeError: the "
                                         r"cable is missing\n\Z")
        result = self.trestle("check", self.moody(BUSY, params={"size": 9}))
        self.assertEqual(result.code, 2, result)
        self.assertRegex(result.err, r"\A\S+: devices\[0\]\.params\.size: [^\n]*a multiple of 8\n\Z")


    def test_edited_while_the_guest_runs(self):
        guest = cli_case.Guest(self, "--control", "ctl", config=self.moody(process="own"))
        self.assertEqual(self.read(guest, 0), 7)
        model = self.dir / "moody.py"
        model.write_text(MOODY.replace("return self.word", "return self.word + 1"))
        for text, code, sentence in ((model.read_text(), 0, ""), ("nonsense(", 1, "moody0 goes on as it was: ")):
            model.write_text(text)
            result = self.trestle("poke", "--attach", "ctl", "-c", "reload moody0")
            self.assertEqual(result.code, code, result)
            self.assertIn(sentence, result.err)
            self.assertLessEqual(len(result.err.splitlines()), 1, result)
            while (found := self.read(guest, 0)) != 8:
                self.assertIn("!", found)
        self.quit(guest)


class Stub(PythonCase):
    """trestle.pyi says what the module has, no more and no less."""
    STUB = common.SOURCE / "adapters" / "python" / "trestle.pyi"
    # Those of a model: the class of the module does not have them.
    OF_MODELS = {"irqs", "irq_lines", "ports", "peer_ports", "timers", "region_size", "access_sizes", "holes",
                 "compatible", "has_output", "needs_icount", "init", "start", "read", "write", "wake", "message",
                 "input", "dma_done", "dma_failed", "reset", "fini"}
    SAY = """
        import json, trestle

        def public(thing):
            return {name: getattr(thing, name).__doc__ for name in dir(thing) if name[0] != "_"}

        said = {name: public(thing) if isinstance(thing, type) else None
                for name, thing in vars(trestle).items() if name[0] != "_"}
        said["Register doc"] = trestle.Register.__doc__
        print("said", json.dumps(said))

        class Any(trestle.Model):
            region_size = 4
        """

    def names_of(self, body):
        """What a body defines, by name: of a function the names of its arguments."""
        names = {}
        for part in body:
            if isinstance(part, ast.FunctionDef):
                positional = [arg.arg for arg in part.args.posonlyargs + part.args.args]
                names[part.name] = positional[1:] + [arg.arg for arg in part.args.kwonlyargs]
            elif isinstance(part, ast.ClassDef):
                names[part.name] = self.names_of(part.body)
            elif isinstance(part, ast.AnnAssign):
                names[part.target.id] = None
        return names

    def test_it_is_the_module(self):
        (self.dir / "any.py").write_text(textwrap.dedent(self.SAY))
        result = self.trestle("models", "./any.py")
        self.assertEqual(result.code, 0, result)
        module = json.loads(re.search(r"said (\{.*)", result.out + result.err)[1])
        stub = self.names_of(ast.parse(self.STUB.read_text()).body)
        register = module.pop("Register doc")
        self.assertEqual(set(stub) - {"Values"}, set(module))
        self.assertEqual(set(stub["Model"]) - set(module["Model"]), self.OF_MODELS)
        self.assertEqual(set(module["Model"]) - set(stub["Model"]), set())
        for name in "Register", "Access":
            of_tuples = {*dir(tuple), "n_fields", "n_sequence_fields", "n_unnamed_fields"}
            self.assertEqual({n for n in stub[name] if n[0] != "_"} - of_tuples,
                             set(module[name]) - of_tuples, name)
        for name, doc in module["Model"].items():
            said = re.match(rf"{name}\((.*?)\)", doc or "")
            if said:
                arguments = [re.match(r"\w+", argument)[0] for argument in said[1].split(", ") if argument]
                self.assertEqual(stub["Model"][name], arguments, name)
        arguments = re.findall(r"(\w+)=|\((\w+)", register.split("\n")[0])
        self.assertEqual(sorted(stub["Register"]["__new__"]), sorted(a or b for a, b in arguments))


class Refused(PythonCase):
    def check_refused(self, text, sentence):
        config = self.moody(text)
        result = self.trestle("check", config)
        self.assertEqual((result.code, result.out), (2, ""), result)
        self.assertEqual(len(result.err.splitlines()), 1, result)
        self.assertIn(f"two.json:9: devices[0].model: {self.dir}/./moody.py: {sentence}",
                      result.err)

    def test_a_syntax_error(self):
        self.check_refused("import trestle\n\ndef f(:\n", "line 3: SyntaxError: invalid syntax")

    def test_an_exception_while_it_is_read(self):
        self.check_refused("import trestle\nx = 1 // 0\n", "line 2: ZeroDivisionError: ")

    def test_no_class(self):
        self.check_refused("import trestle\n",
                           "0 classes derive from trestle.Model; there has to be one")

    def test_no_region_size(self):
        self.check_refused("import trestle\nclass A(trestle.Model):\n    pass\n",
                           "the class has no registers and no region_size; write for example "
                           "region_size = 0x100")

    def test_registers(self):
        for row, sentence in (
                ("a = trestle.Register(0, 'RX')", "line 3: ValueError: \"RX\" are not rights; "
                                                  "write RW, "),
                ("a = trestle.Register('0')", "line 3: TypeError: "),
                ("a = trestle.Register(0, fields={'x': {'bits': 1}})", "line 3: TypeError: "),
                ("reset = trestle.Register(0)", "register RESET: self.reset is something else "
                 "already; call the attribute otherwise, and say name=\"RESET\""),
                ("now = trestle.Register(0)", "register NOW: self.now is something else already; "),
                ("a = trestle.Register(0, name='a b')", "register \"a b\": a name has letters, "
                                                        "digits and _; say name=\"...\""),
                ("a = trestle.Register(0); b = trestle.Register(0)",
                 "model 'A': register B overlaps A at offset 0x0"),
                ("a = trestle.Register(0, size=3)", "model 'A': register A: its size is not 1, 2, "
                                                    "4 or 8"),
                ("a = trestle.Register(1 << 40)", "line 3: ValueError: the offset lies beyond 4 GiB"),
                ("a = trestle.Register(0, stored=False)",
                 "model 'A': register A: nothing says what a read returns: it has no storage and no "),
                ("a = trestle.Register(0, reset=1 << 32)", "model 'A': register A: its reset value "),
                ("a = trestle.Register(0); read = lambda *all: 0",
                 "the class has registers, which answer accesses; make read() and write() methods "
                 "of theirs (@status.on_read)"),
                ("a = trestle.Register(0); holes = 'some'",
                 "holes is neither \"fail\" nor \"zero\""),
                ("a = trestle.Register(0); irqs = 'warm'", "irqs is not a list of at most 64 names"),
                ("a = trestle.Register(8); region_size = 4",
                 "model 'A': register A: it lies beyond the region's bytes")):
            with self.subTest(row):
                self.check_refused(f"import trestle\nclass A(trestle.Model):\n    {row}\n",
                                   sentence)

    def test_a_number_that_is_none(self):
        self.check_refused("import trestle\nclass A(trestle.Model):\n    region_size = 4\n"
                           "    timers = 'many'\n", "timers is not a number from 0 to 32")

    def test_parameters(self):
        for params, sentence in (({"wrod": 1}, "wrod"), ({"word": "x"}, "word")):
            with self.subTest(params=params):
                result = self.trestle("run", self.moody(params=params))
                self.assertEqual(result.code, 2, result)
                self.assertIn(sentence, result.err)
                self.assertNotIn("Traceback", result.err)


class Documentation(PythonCase):
    def test_its_models_are_models(self):
        text = (common.SOURCE / "docs/python.md").read_text()
        blocks = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
        self.assertEqual(len(blocks), 2)
        for number, block in enumerate(blocks):
            result = self.trestle("models", self.model(block, f"a{number}.py"), "--json")
            self.assertEqual((result.code, result.err), (0, ""), result)
            json.loads(result.out)
        self.model(blocks[0], "beeper.py")
        config = self.config({"devices": [{"name": "beeper", "model": "./beeper.py",
                                           "base_addr": hex(BASE), "params": {"first": "2us"}}]})
        result = self.trestle("poke", config, "-c", "run 2us; expect beeper.BEEPS 1; "
                              "expect irq beeper 1; write beeper.STATUS 1; expect irq beeper 0; "
                              "run 1ms; expect beeper.BEEPS 2; expect beeper.UPTIME 1002")
        self.assertEqual(result.code, 0, result)


if __name__ == "__main__":
    common.main()
