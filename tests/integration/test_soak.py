# SPDX-License-Identifier: MIT
"""A short soak (soak.py; "make soak" runs a long one)."""
import random

import common
import soak


class Soak(common.TestCase):
    def test_three_seconds(self):
        seed = random.SystemRandom().randrange(1 << 32)
        print(f"the seed is {seed}", flush=True)
        count, start, end = soak.soak(4, seed)
        self.assertGreater(count, 4096)
        self.assertEqual(start.keys(), end.keys())
        self.assertEqual(len(end), 10)


if __name__ == "__main__":
    common.main()
