#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';
import { main } from './main.ts';

// Nearly all that a run allocates are buffers that live for a moment, and next to them the heap is small. Left alone, the
// collector lets its generations grow, which holds on to the buffers: a fifth to a quarter more memory, the more the longer
// a run takes.
setFlagsFromString('--semi-space-growth-factor=1');
setFlagsFromString('--optimize-for-size');
process.exitCode = await main(process.argv.slice(2));
