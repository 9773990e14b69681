# SPDX-License-Identifier: MIT
"""trestle models: what models say of their registers."""
import json
import re
import subprocess

import cli_case
import common

TABLE = """
#include <trestle/registers.h>
struct state { uint32_t led[4], mode; uint64_t wide; };
static const struct trestle_register rows[] = {
    {"LED", 0x00, TRESTLE_ARRAY_AT(struct state, led), .doc = "a lamp"},
    {"MODE", 0x10, TRESTLE_AT(struct state, mode), .reset = 2,
     .fields = TRESTLE_FIELDS({"speed", 0x30, .values = TRESTLE_VALUES({"slow", 0}, {"fast", 3}),
                               .doc = "how fast"}, {"on", 1, TRESTLE_W1S})},
    {"WIDE", 0x18, TRESTLE_AT(struct state, wide), .size = 8, .access = TRESTLE_RO,
     .reset = 0x123456789a},
};
static const struct trestle_region region = {TRESTLE_REGION(rows)};
static const struct trestle_model lamps = {
    .size = sizeof(lamps), .name = "lamps", .doc = "Lamps in a row.",
    .compatible = "trestle,lamps", .regions = TRESTLE_REGIONS(&region),
    .irqs = TRESTLE_NAMES("burnt"), .ports = TRESTLE_NAMES("left", "right"),
    .state_size = sizeof(struct state),
};
TRESTLE_MODEL_EXPORT(lamps);
"""


class Models(cli_case.Case):
    def build(self, text=TABLE, name="lamps"):
        source = self.dir / f"{name}.c"
        source.write_text(text)
        result = common.run(["cc", "-std=gnu11", "-shared", "-fPIC", "-I",
                             common.SOURCE / "include", source, "-o", self.dir / f"{name}.so"])
        self.assertEqual(result.code, 0, result)
        return f"./{name}.so"

    def models(self, *args):
        result = self.trestle("models", *args)
        self.assertEqual((result.code, result.err), (0, ""), result)
        return result.out

    def test_a_table_for_people(self):
        shown = [line.rstrip() for line in self.models(self.build()).splitlines()]
        self.assertEqual("\n".join(shown) + "\n", """\
lamps: Lamps in a row.
compatible: trestle,lamps
32 bytes
interrupts: burnt
ports: left, right

offset  register  bits  access         reset  meaning
0x0000  LED[4]      32  RW               0x0  a lamp
0x0010  MODE        32  RW               0x2
          speed    5:4                        0 slow, 3 fast; how fast
          on         0  W1S
0x0018  WIDE        64  RO      0x123456789a
""")

    def test_what_a_guest_finds_on_pci(self):
        self.assertIn("\npci: 1234:5356, class 0x010802, revision 0, BARs mem64\n", self.models("nvme"))
        self.assertIn("\npci: 1af4:1044, class 0x00ff00, revision 1, BARs mmio (mem), pci (mem)\n",
                      self.models("virtio-rng"))
        self.assertNotIn("\npci:", self.models("id"))
        self.assertEqual(json.loads(self.models("edu", "--json"))[0]["pci"],
                         {"vendor": "0x1234", "device": "0x11e8", "subsystem_vendor": "0x0", "subsystem": "0x0",
                          "class": "0xff00", "revision": 16, "bar": ["mem"]})

    def test_a_header_that_compiles_and_is_right(self):
        header = self.models(self.build(), "--header")
        (self.dir / "lamps_registers.h").write_text(header)
        (self.dir / "use.c").write_text("""
#include "lamps_registers.h"
_Static_assert(LAMPS_LED(3) == 0x0c && LAMPS_MODE == 0x10 && LAMPS_WIDE == 0x18, "");
_Static_assert(LAMPS_MODE_SPEED == 0x30 && LAMPS_MODE_SPEED_SHIFT == 4, "");
_Static_assert(LAMPS_MODE_SPEED_FAST == 3 && LAMPS_MODE_ON == 1, "");
""")
        result = common.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-c", "use.c"],
                            cwd=self.dir)
        self.assertEqual(result.code, 0, result)

    def test_json(self):
        model = json.loads(self.models(self.build(), "--json"))[0]
        mode = model["regions"][0]["registers"][1]
        self.assertEqual((model["name"], model["irqs"], model["ports"], mode["reset"]),
                         ("lamps", ["burnt"], ["left", "right"], "0x2"))
        self.assertEqual(mode["fields"][0]["values"][1], {"name": "fast", "value": "0x3"})

    def test_a_configuration_has_each_of_its_models_once(self):
        echo = [dict(cli_case.ECHO, name=f"e{i}", base_addr=hex(0x10200000 + 0x1000 * i))
                for i in range(2)]
        config = self.config({"devices": [*echo, cli_case.COMPUTE]})
        self.assertEqual([model["name"] for model in json.loads(self.models(config, "--json"))],
                         ["echo", "compute"])

    def test_the_list(self):
        out = self.models()
        for name in "echo", "goldfish-rtc", "timer", "svd":
            self.assertRegex(out, rf"(?m)^{name} ")

    def test_bad_input(self):
        for args, line in ((("echo", "--json", "--header"),
                            "models prints one form at a time; leave one of the options out"),
                           (("--json",), "models needs a model or a configuration")):
            result = self.trestle("models", *args)
            self.assertEqual((result.code, result.out), (2, ""), result)
            self.assertTrue(result.err.startswith(f"trestle: {line}"), result)

    def test_a_table_that_is_wrong_is_refused_with_its_row(self):
        wrong = TABLE.replace('{"MODE", 0x10,', '{"MODE", 0x0c,')
        path = self.build(wrong, "wrong")
        result = self.trestle("models", path)
        self.assertEqual((result.code, result.out), (2, ""), result)
        self.assertIn("register MODE overlaps LED at offset 0xc", result.err)
        self.assertEqual(len(result.err.splitlines()), 1)


class OnePlace(common.TestCase):
    """A register's name and offset stand once in the repository, in its model."""

    def test_of_each_bundled_model(self):
        files = subprocess.run(["git", "-C", common.SOURCE, "ls-files", "*.c", "*.h"],
                               capture_output=True, text=True).stdout.split()
        if not files:
            self.skipTest("this is no checkout")
        for model in map(lambda name: name.replace("-", "_"), common.bundled_models()):
            rows = re.findall(r'{"([A-Z0-9_]+)", (0x[0-9a-f]+),',
                              (common.SOURCE / f"models/{model}.c").read_text())
            # A chip on a bus has none of its own, and those of all virtio devices are the kit's.
            self.assertTrue(rows or model == "at24" or model.startswith("virtio_"), model)
            for name in files:
                if not name.startswith(("models/", "firmware/", "include/", "cli/", "lib/")):
                    continue
                text = (common.SOURCE / name).read_text()
                for register, offset in rows:
                    mine = name == f"models/{model}.c"
                    prefix = f"({model.upper()}_)" + ("?" if mine else "")
                    again = re.search(rf"\b{prefix}{register}( =)? {offset}\b", text)
                    self.assertIsNone(again, f"{name}: {register} of {model} stands here again")


if __name__ == "__main__":
    common.main()
