/* SPDX-License-Identifier: MIT */
/* read_fst FILE: a waveform as VCD, read by the reader that Verilator ships with its writer. */
#include <stdio.h>

#include "gtkwave/fstapi.h"

int main(int argc, char **argv)
{
    void *file = argc == 2 ? fstReaderOpen(argv[1]) : NULL;
    if (!file || !fstReaderProcessHier(file, stdout))
        return 1;
    fstReaderSetFacProcessMaskAll(file);
    fstReaderIterBlocks(file, NULL, NULL, stdout);
    fstReaderClose(file);
    return 0;
}
