# SPDX-License-Identifier: MIT
"""Models in Python: what docs/python.md promises, with the real QEMU."""
import re
import textwrap

import cli_case
import common

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
    def run_example(self, **device):
        text = (EXAMPLE / "thermo.json").read_text()
        text = text.replace("../../build/", f"{common.BUILD}/")
        text = text.replace("./thermo.py", str(EXAMPLE / "thermo.py"))
        if device:
            text = text.replace('"irq": 40', '"irq": 40, "process": "own"')
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
        self.assertIn("line 5: the model says irq_lines = 1", self.quit(guest))

    def test_answering_later_takes_guest_time(self):
        guest = self.guest(icount=0)
        before = self.read(guest, 0x18)
        self.assertEqual(self.read(guest, 8), 0x99)
        self.assertGreaterEqual(self.read(guest, 0x18) - before, 3000)
        self.quit(guest)


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
                           "the class has no region_size; write for example region_size = 0x100")

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


if __name__ == "__main__":
    common.main()
