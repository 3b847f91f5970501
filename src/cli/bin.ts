#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';
import { main } from './main.ts';

// Nearly all that a run allocates are buffers that live for a moment, and next to it the heap is small. Left alone, the
// collector lets the young generation grow, which holds on to the buffers (a quarter more memory on Node 24), and looks
// through the old one whenever a few megabytes of them have come of age (a tenth of the time of a save).
setFlagsFromString('--semi-space-growth-factor=1');
setFlagsFromString('--heap-growing-percent=400');
process.exitCode = await main(process.argv.slice(2));
