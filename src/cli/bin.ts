#!/usr/bin/env node
import { keepHeapSmall } from '../heap.ts';
import { main } from './main.ts';

// No await at the top: a single executable is a CommonJS script.
void main(process.argv.slice(2), keepHeapSmall).then((code) => (process.exitCode = code));
