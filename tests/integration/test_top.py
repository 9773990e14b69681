# SPDX-License-Identifier: MIT
"""trestle top: what a run is doing, in a terminal of tmux. TRESTLE_PICTURE=FILE makes the picture of it that
the guide shows, which a test compares with what there is to see."""
import html
import os
import re
import shlex
import shutil
import subprocess
import time

import cli_case
import common

TIMER = {"name": "timer", "model": "timer", "base_addr": "0x10500000", "irq": 40,
         "params": {"clock": "1MHz"}}
COLUMNS, ROWS = 100, 28
CHARACTER, LINE = 8.4, 17  # pixels


class TopCase(cli_case.Case):
    def setUp(self):
        super().setUp()
        self.path = self.dir / "ctl"

    def guest(self, *devices, **machine):
        config = self.config({"machine": {"kernel": str(common.guest("probe")), **machine},
                              "devices": devices or [cli_case.ECHO, TIMER]})
        return cli_case.Guest(self, "--control", self.path, config=config)

    def until(self, look, pattern):
        deadline = time.monotonic() + 60
        while not re.search(pattern, text := look()):
            self.assertLess(time.monotonic(), deadline, text)
        return text

    def end(self, guest):
        guest.process.stdin.write(b"q 0\n")
        guest.process.stdin.flush()
        code, log = guest.end()
        self.assertEqual(code, 0, log)
        return log


class Once(TopCase):
    def test_a_page(self):
        far = dict(cli_case.ECHO, name="far", base_addr="0x10600000", process="own")
        guest = self.guest(cli_case.ECHO, TIMER, far)
        guest.ask("w 4 10200000 cafe")
        guest.ask("r 4 10200fff")  # is refused
        result = self.trestle("top", "--once", "--interval", "10ms", "ctl")
        self.assertEqual((result.code, result.err), (0, ""), result)
        for line in (r"trestle top ctl: \d+ accesses/s, \d+ interrupts/s",
                     r"guest: [\d.]+ ms|guest: [\d.]+ s, [\d.]+ of the host's time",
                     r"engine: [\d.]+ m?s, \d+ events? waits?",
                     r"echo_device +\d+ +0 +1 +1 +\S+ [mun]?s +\S+ [mun]?s +0  -",
                     r"timer +0 +0 +0 +0 +- +- +0  -", r"far +0 +0 +0 +0 +- +- +0  -",
                     "registers of echo_device", "0x0004 DATA_OUT = 0x"):
            self.assertRegex(result.out, rf"(?m)^({line})")
        # Looking had begun only then.
        self.assertRegex(result.out, r"last accesses\n\Z")
        self.end(guest)

    def test_accesses_while_somebody_looks(self):
        guest = self.guest()
        top = self.start_trestle("top", "--once", "--interval", "3600", "ctl")
        self.addCleanup(top.kill)
        look = lambda: self.trestle("top", "--once", "--interval", "0.01", "ctl").out
        self.until(lambda: guest.ask("r 4 10200008") + look(), r"echo_device STATUS -> 0x\d.*\n")
        guest.ask("w 4 10200000 cafe")
        self.assertIn("echo_device DATA_IN <- 0xcafe\n", look())
        self.assertEqual(self.trestle("poke", "--attach", "ctl", "-c",
                                      "irq timer 1; write echo_device+4 1").code, 0)
        self.assertRegex(look(), r"(?m)^timer +0 +0 +0 +0 +- +- +\d+  0x1\n")
        self.end(guest)

    def test_a_run_that_is_looked_at_stays_repeatable(self):
        logs = []
        for looks in False, True:
            guest = self.guest(icount=0)
            if looks:
                self.trestle("top", "--once", "--interval", "0.01", "ctl")
            logs.append(self.end(guest))
        self.assertNotIn("not repeatable", logs[1])

    def test_what_cannot_be(self):
        self.assert_refused("trestle: top needs a terminal; use --once for one page of text",
                            "top", "ctl")
        self.assert_refused("trestle: no run is at ctl: No such file or directory; start one with "
                            "trestle run --control=ctl", "top", "--once", "ctl")
        self.assert_refused("trestle: top needs the path of a run's --control; usage: trestle top PATH",
                            "top")
        self.assert_refused("trestle: --interval 0 is not a time from 10ms to 3600s; write for "
                            "example --interval 500ms", "top", "--interval", "0", "ctl")


class Live(TopCase):
    def setUp(self):
        super().setUp()
        if not shutil.which("tmux"):
            self.skipTest("tmux is not installed (tools/deps installs it)")

    def tmux(self, *args):
        env = {**self.env, "TERM": "xterm", "LC_ALL": "C.UTF-8"}
        env.pop("TMUX", None)
        return subprocess.run(["tmux", "-f", "/dev/null", "-S", self.dir / "tmux", *args], env=env,
                              cwd=self.dir, check=True, capture_output=True, text=True).stdout

    def open(self):
        self.addCleanup(subprocess.run, ["tmux", "-S", self.dir / "tmux", "kill-server"],
                        stderr=subprocess.DEVNULL)
        self.tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS),
                  f"{shlex.quote(str(common.TRESTLE))} top --interval 0.2 ctl; echo ended with $?; read x")

    def screen(self, *args):
        return self.tmux("capture-pane", "-p", *args)

    def test_keys_and_the_end_of_the_run(self):
        guest = self.guest()
        self.open()
        self.until(self.screen, r">echo_device[^$]*registers of echo_device")
        self.tmux("send-keys", "Down")
        self.until(self.screen, r">timer[^$]*registers of timer")
        self.tmux("send-keys", "Up")
        self.until(self.screen, r"registers of echo_device")
        self.end(guest)
        self.until(self.screen, "trestle: the run has ended\n+ended with 0")

    def test_quit(self):
        guest = self.guest()
        self.open()
        self.until(self.screen, "q quits")
        self.tmux("send-keys", "q")
        self.until(self.screen, "ended with 0")
        self.end(guest)

    def test_the_picture(self):
        guest = self.guest()
        self.open()
        guest.process.stdin.write(b"w 4 10500010 1\nn 80000000 10200008\n")
        guest.process.stdin.flush()
        self.until(self.screen, r"ctl: [1-9]\d+ accesses/s[^\n]*(\n[^\n]*){20}STATUS -> 0x0")
        picture = draw(self.screen("-e"))
        if os.environ.get("TRESTLE_PICTURE"):
            with open(os.environ["TRESTLE_PICTURE"], "w", encoding="utf-8") as file:
                file.write(picture)
        shown = (common.SOURCE / "docs" / "top.svg").read_text()
        self.assertEqual(shape(shown), shape(picture))
        guest.process.terminate()
        guest.end()


def shape(picture):
    """The words of a picture, without its numbers and places."""
    words = " ".join(re.findall(r">([^<]+)</text>", picture))
    return re.sub(r"(?:\b0x[0-9a-f]+|[\d.]+(?: [munp]?s\b)?|- )\s*", "N ", " ".join(words.split()))


def draw(screen):
    """A screen with the escapes for bold, dim and reverse, as SVG."""
    width, height = COLUMNS * CHARACTER + 16, ROWS * LINE + 12
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
             f'font-family="monospace" font-size="14" xml:space="preserve">',
             '<rect width="100%" height="100%" rx="6" fill="#1c1f26"/>']
    for row, line in enumerate(screen.split("\n")[:ROWS]):
        column, attributes = 0, set()
        for escape, text in re.findall(r"\x1b\[([\d;]*)m|([^\x1b]+)", line):
            if not text:
                for number in escape.split(";"):
                    attributes = attributes | {int(number)} if number not in ("", "0") else set()
                continue
            x, y = 8 + column * CHARACTER, 6 + row * LINE
            ink, weight = "#d8dee9", "bold" if 1 in attributes else "normal"
            if 7 in attributes:
                parts.append(f'<rect x="{x:.1f}" y="{y}" width="{len(text) * CHARACTER:.1f}" '
                             f'height="{LINE}" fill="{ink}"/>')
                ink = "#1c1f26"
            elif 2 in attributes:
                ink = "#8a93a5"
            column += len(text)
            if text.strip():
                parts.append(f'<text x="{x:.1f}" y="{y + 13}" textLength="{len(text) * CHARACTER:.1f}" '
                             f'fill="{ink}" font-weight="{weight}">{html.escape(text)}</text>')
    return "\n".join(parts + ["</svg>", ""])


if __name__ == "__main__":
    common.main()
