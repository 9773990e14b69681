# SPDX-License-Identifier: MIT
"""trestle poke: the devices of a configuration without a guest."""
import os
import pty
import select
import signal
import subprocess
import termios
import time

import cli_case
import common

DMA = {"name": "dma", "model": "dma", "base_addr": "0x10400000"}
I2C = {"devices": [{"name": "i2c", "model": "i2c-ocores", "base_addr": "0x10203000"},
                   {"name": "thermometer", "model": "tmp102", "base_addr": "0x10204000",
                    "params": {"temperature": 21.5}}],
       "links": [{"from": "thermometer.bus", "to": "i2c.slave0", "latency": "1us"}]}
TIMER = {"name": "timer", "model": "timer", "base_addr": "0x10500000", "params": {"clock": "1MHz"}}


class PokeCase(cli_case.Case):
    def poke(self, commands, document=None, **kwargs):
        config = self.config(document) if document else self.two()
        return self.trestle("poke", config, "-c", commands, **kwargs)

    def assert_fine(self, commands, out, document=None):
        result = self.poke(commands, document)
        self.assertEqual((result.code, result.out, result.err), (0, out, ""), result)

    def assert_fails(self, code, sentence, commands, document=None):
        result = self.poke(commands, document)
        self.assertEqual(result.code, code, result)
        self.assertEqual(result.err.splitlines()[-1], f"trestle: -c: {sentence}", result)


class Commands(PokeCase):
    def test_registers(self):
        self.assert_fine("write echo_device+0 0x1234; read echo_device+8; run 10ns;"
                         "read echo_device+0x8:4; read echo_device+4:2",
                         "echo_device+8 = 0x1\necho_device+0x8:4 = 0x2\necho_device+4:2 = 0x1234\n")

    def test_time(self):
        self.assert_fine("time; run 5us; time; run 1s; time", "0 ps\n5 us\n1000005 us\n")

    def test_waiting_reads_until_it_is_so(self):
        self.assert_fine("write echo_device+0 7; wait echo_device+8 2 1us; time; expect echo_device+4 7",
                         "10 ns\n")
        self.assert_fails(1, "echo_device+8 is 0x0 after 1us", "wait echo_device+8 1us")

    def test_links(self):
        self.assert_fine("write echo_device+0 0x55; wait echo_device+8 2 1us;"
                         "write compute_device+0x18 1; wait compute_device+0x10 1us;"
                         "expect compute_device+0x1c 0x55", "")

    def test_a_link_with_a_bandwidth(self):
        """16 bytes each way, a millisecond each."""
        devices = [cli_case.ECHO, cli_case.COMPUTE]
        link = dict(cli_case.LINK, bandwidth="16kB/s")
        self.assert_fine("write echo_device+0 0x55; run 1us; write compute_device+0x18 1; run 2ms;"
                         "expect compute_device+0x10 0; run 2ns; expect compute_device+0x10 8", "",
                         {"devices": devices, "links": [link]})
        for bandwidth in "1GHz", "0bit/s", "2000Tbit/s", 5:
            with self.subTest(bandwidth=bandwidth):
                link["bandwidth"] = bandwidth
                config = self.config({"devices": devices, "links": [link]})
                result = self.trestle("check", config)
                self.assertEqual((result.code, result.out), (2, ""), result)
                self.assertRegex(result.err, r'\A\S+two.json:\d+: links\[0\]\.bandwidth: .*; write for '
                                             r'example "bandwidth": "1Gbit/s"\n\Z')
        link.update(bandwidth="1Mbit/s", to="compute_device.peer")
        self.assert_refused_like(r"\S+two.json:\d+: links\[0\]: a link of a device to itself has no "
                                 "bandwidth; leave it out",
                                 "check", self.config({"devices": devices, "links": [link]}))

    def test_memory_and_transfers(self):
        self.assert_fine('mem 0x80001000 = "hello" 0x1234 0; mem 0x80001000 8;'
                         "write dma+0x10 0x80001000; write dma+0x14 0x80002000; write dma+0x18 8;"
                         'write dma+0 1; wait dma+4 2 1ms; expect mem 0x80002000 = "hello" 52 18',
                         "0x80001000: 68 65 6c 6c 6f 34 12 00  hello4..\n", {"devices": [DMA]})
        self.assert_fails(1, "0x10 and 16 bytes from there are not memory", "mem 0x10")

    def test_interrupts_and_resets(self):
        self.assert_fine("irqs; write timer+8:8 10; write timer+0x10 1; run 10us; irqs;"
                         "expect irq timer 1; reset timer; expect irq timer.0 0",
                         "timer: 0=0\ntimer: 0=1\n", {"devices": [TIMER]})
        self.assert_fails(1, "expected irq timer to be 1, and it is 0", "expect irq timer 1",
                          {"devices": [TIMER]})

    def test_what_surrounds_a_chip(self):
        """The temperature is set from outside, and read over the bus: a start, a byte."""
        self.assert_fine("write i2c.PRERHI 0; write i2c.CTRL.en 1; write i2c.DATA 0x91;"
                         "write i2c.STATUS 0x90; run 1ms; write i2c.STATUS 0x20; run 1ms;"
                         "expect i2c.DATA 21; write thermometer.TEMPERATURE 81500;"
                         "expect irq thermometer 1; write i2c.STATUS 0x90; run 1ms;"
                         "write i2c.STATUS 0x28; run 1ms; expect i2c.DATA 81", "", I2C)

    def test_help(self):
        result = self.poke("help")
        self.assertIn("  irqs\n        show the interrupt lines\n  send DEVICE.PORT BYTES\n", result.out)

    def test_devices(self):
        self.assert_fine("devices", "echo_device: echo at 0x10200000, 4096 bytes\n"
                                    "compute_device: compute at 0x10300000, 4096 bytes\n")

    def test_a_message(self):
        result = self.poke('send echo_device.peer "nonsense"')
        self.assertEqual(result.code, 0, result)
        self.assertIn("the message from the peer is not a request", result.err)

    def test_input(self):
        uart = {"name": "uart", "model": "ns16550", "base_addr": "0x10200000"}
        config = {"devices": [uart]}
        self.assert_fine('write uart.IIR 1; write uart.IER 1; input uart "hi" 0x21; expect irq uart 1;'
                         "expect uart.DATA 0x68; expect uart.DATA 0x69; expect uart.DATA 0x21;"
                         "expect irq uart 0", "", config)
        self.assert_fails(1, "uart takes 1 bytes of input now, not 2",
                          'write uart.IER 1; input uart "hi"', config)
        self.assert_fails(2, "echo_device has no input", "input echo_device 1")


    def test_lines(self):
        """As in a script: a line's end ends a command, and a comment."""
        self.assert_fine("read echo_device.STATUS # one; write\n\n expect echo_device.STATUS 0\n",
                         "echo_device.STATUS = 0x0\n")
        result = self.poke("read echo_device.STATUS\nread nobody.STATUS")
        self.assertEqual(result.code, 2, result)
        self.assertIn("trestle: -c:2: ", result.err)


class Names(PokeCase):
    def test_registers_and_fields(self):
        self.assert_fine("write echo_device.DATA_IN 0x1234; read echo_device.status;"
                         "wait echo_device.STATUS.ready 1us; read echo_device.STATUS;"
                         "read echo_device.STATUS.ready; expect echo_device.DATA_OUT 0x1234",
                         "echo_device.status = 0x1 {busy}\necho_device.STATUS = 0x2 {ready}\n"
                         "echo_device.STATUS.ready = 0x1\n")
        self.assert_fine("write dma.INT_ENABLE 1; write dma.INT_ENABLE.error 1; read dma.INT_ENABLE",
                         "dma.INT_ENABLE = 0x3 {done error}\n", {"devices": [DMA]})

    def test_a_look_changes_nothing(self):
        result = self.poke("write echo_device.DATA_IN 5; run 1us; registers echo_device")
        self.assertIn("0x0004 DATA_OUT = 0x5\n0x0008 STATUS = 0x2 {ready}\n", result.out)

    def test_unknown(self):
        for commands, sentence in (
                ("read echo_device.STATSU",
                 'there is no register "STATSU"; did you mean "STATUS"?'),
                ("read echo_device.STATUS.raedy",
                 'there is no field "raedy"; did you mean "ready"?'),
                ("read echo_device.DATA_IN.x", 'there is no field "x"; DATA_IN names none'),
                ("write echo_device.STATUS.ready 2", "2 does not fit there; 0x1 is the most"),
                ("expect echo_device.STATUS.ready 2", "2 does not fit there; 0x1 is the most"),
                ("wait echo_device.STATUS 0x100000000 1us",
                 "0x100000000 does not fit there; 0xffffffff is the most"),
                ("read echo_device", '"echo_device" names no register; write for example '
                                     "echo_device+0x8")):
            with self.subTest(commands=commands):
                self.assert_fails(2, sentence, commands)


class Failures(PokeCase):
    def test_bus_errors(self):
        self.assert_fails(1, "read of echo_device+0x1000: bus error: that is outside of its registers",
                          "read echo_device+0x1000; time")
        result = self.poke("expect error read echo_device+0x1000; expect error write echo_device+0x21 1")
        self.assertEqual(result.code, 0, result)
        self.assert_fails(1, "read of echo_device+0x2: bus error: it takes no access of that width there",
                          "read echo_device+0x2:4")
        self.assert_fails(1, "expected a bus error of echo_device+0, and it succeeded",
                          "expect error read echo_device+0")

    def test_expectations(self):
        self.assert_fails(1, "expected echo_device+0 to be 0x1, and it is 0x0",
                          "expect echo_device+0 1; time")

    def test_lines_that_say_nothing(self):
        for commands, sentence in (
                ("raed echo_device+0", 'there is no command "raed"; did you mean "read"?'),
                ("read echo_devise+0",
                 'there is no device "echo_devise"; did you mean "echo_device"?'),
                ("read echo_device+zz",
                 '"zz" is not an offset; write for example echo_device+0x8'),
                ("read echo_device+0:3", '"3" is not a size; write 1, 2, 4 or 8'),
                ("read", "write read PLACE"),
                ("run 5", '"5" is not a time; write for example 10us'),
                ("write echo_device+0 x", '"x" is not a number; write for example 10 or 0x10'),
                ('mem 0x80000000 = "abc', "a quote has no end"),
                ("mem 0x80000000 = 256",
                 '"256" is neither a byte nor a hexadecimal number of full bytes'),
                ("mem 0x80000000 257", "257 bytes; 1 to 256 are shown at a time"),
                ("expect irq echo_device 1",
                 '"echo_device" names no interrupt line; echo_device has 0'),
                ("kill echo_device", "there is no guest without a run; attach to one"),
                ("stats", "there are no counts without a run; attach to one"),
                ("send echo_device.irq 1",
                 '"echo_device.irq" names no port; write for example echo_device.peer')):
            with self.subTest(commands=commands):
                self.assert_fails(2, sentence, commands)


class Scripts(PokeCase):
    def test_a_file_says_its_line(self):
        script = self.dir / "a.poke"
        script.write_text("# a comment; with a semicolon\n\nread echo_device+8  # now\n"
                          "expect echo_device+8 9\ntime\n")
        result = self.trestle("poke", self.two(), script)
        self.assertEqual((result.code, result.out), (1, "echo_device+8 = 0x0\n"), result)
        self.assertEqual(result.err, f"trestle: {script}:4: expected echo_device+8 to be 0x9, and "
                                     "it is 0x0\n")

    def test_standard_input(self):
        result = self.trestle("poke", self.two(), stdin="time\nquit\nnonsense\n")
        self.assertEqual((result.code, result.out, result.err), (0, "0 ps\n", ""), result)

    def test_what_cannot_be_read(self):
        self.assert_refused("trestle: cannot read none.poke: No such file or directory; name a file "
                            "with commands", "poke", self.two(), "none.poke")
        self.assert_refused("trestle: poke takes a configuration or --attach, and then a script or -c; "
                            "see trestle poke --help", "poke")

    def test_a_parameter_that_the_model_refuses(self):
        result = self.poke("time", {"devices": [dict(TIMER, params={"clok": 1})]})
        self.assertEqual((result.code, result.out), (2, ""), result)
        self.assertIn("clok", result.err)


class Terminal(PokeCase):
    def type(self, text, until, prompt="poke> "):
        """Types, and gives what the terminal shows up to `until` and the next prompt: only then does
        the editor listen."""
        os.write(self.terminal, text.encode())
        seen, deadline = "", time.monotonic() + 30
        while until not in seen or prompt not in seen[seen.index(until):]:
            ready, _, _ = select.select([self.terminal], [], [], deadline - time.monotonic())
            self.assertTrue(ready, f"no {until!r} and prompt in {seen!r}")
            seen += os.read(self.terminal, 4096).decode()
        return seen

    def begin(self):
        self.terminal, other = pty.openpty()
        self.addCleanup(os.close, self.terminal)
        process = self.start([common.TRESTLE, "poke", self.two()], stdin=other, stdout=other,
                             stderr=subprocess.STDOUT,
                             env={**self.env, "TERM": "vt100", "LC_ALL": "C.UTF-8"})
        self.addCleanup(os.close, other)
        self.type("", "Ctrl-D ends.")
        return process

    def is_cooked(self):
        return bool(termios.tcgetattr(self.terminal)[3] & termios.ICANON)

    def test_completion_history_and_end(self):
        process = self.begin()
        self.type("rea\tech\t+8\n", "echo_device+8 = 0x0")
        self.type("\x1b[A\n", "echo_device+8 = 0x0")
        self.type("read echo_device.STA\t\n", "echo_device.STATUS = 0x0")
        self.type("nonsense\n", 'there is no command "nonsense"')
        self.type("é\n", 'there is no command "é"')
        os.write(self.terminal, b"\x04")
        self.assertEqual(process.wait(30), 0)

    def test_ctrl_c_drops_the_line(self):
        process = self.begin()
        for _ in range(2):
            self.type("read not this", "read not this", prompt="")
            process.send_signal(signal.SIGINT)  # what Ctrl-C sends
            self.type("", "poke> ", prompt="")
            self.type("read echo_device.STATUS\n", "echo_device.STATUS = 0x0")

    def test_ctrl_c_at_any_time(self):
        """Also while the editor is busy with what was typed: it was left in the middle of that."""
        process = self.begin()
        for _ in range(300):
            self.type("read not this", "r", prompt="")
            process.send_signal(signal.SIGINT)
            self.type("", "poke> ", prompt="")
            # What came after the signal belongs to the new line.
            seen = self.type("\x15read echo_device.STATUS\n", "echo_device.STATUS = 0x0")
            self.assertNotIn("no command", seen)

    def test_ctrl_z_stops_and_the_shell_goes_on(self):
        process = self.begin()
        self.type("read echo", "read echo", prompt="")
        process.send_signal(signal.SIGTSTP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        self.assertTrue(self.is_cooked())
        process.send_signal(signal.SIGCONT)
        self.type("", "poke> read echo", prompt="")
        self.type("_device.STATUS\n", "echo_device.STATUS = 0x0")

    def test_a_signal_that_ends_it_gives_the_terminal_back(self):
        process = self.begin()
        self.assertFalse(self.is_cooked())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), -signal.SIGTERM)
        self.assertTrue(self.is_cooked())


if __name__ == "__main__":
    common.main()
