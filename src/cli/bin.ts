#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';
import { main } from './main.ts';

// Nearly all that a run allocates are buffers that live for a moment. A young generation that does not grow is collected
// sooner, and the buffers with it: a quarter less memory on Node 24, no more time.
setFlagsFromString('--semi-space-growth-factor=1');
process.exitCode = await main(process.argv.slice(2));
