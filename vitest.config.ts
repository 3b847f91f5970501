import { availableParallelism } from 'node:os';
import type { ViteUserConfig } from 'vitest/config';
import { defineConfig } from 'vitest/config';
import { ALIAS } from './test/support/alias.ts';

const config: ViteUserConfig = defineConfig({
  resolve: { alias: ALIAS },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/system/**', 'test/**/*.long.test.ts'],
    globalSetup: './test/support/build.ts',
    // Many of them wait for processes and sockets: with one worker for each core, a fifth of the cores' time is idle.
    maxWorkers: availableParallelism() + 1,
    testTimeout: 20_000,
    reporters: ['default', './test/support/tally-reporter.ts'],
  },
});
export default config;
