import type { ViteUserConfig } from 'vitest/config';
import { defineConfig } from 'vitest/config';
import { ALIAS } from './test/support/alias.ts';

const config: ViteUserConfig = defineConfig({
  resolve: { alias: ALIAS },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/system/**', 'test/**/*.long.test.ts'],
    globalSetup: './test/support/build.ts',
    // Many of them wait for processes and sockets: vitest's default would leave one core of two idle.
    maxWorkers: '100%',
    testTimeout: 20_000,
    reporters: ['default', './test/support/tally-reporter.ts'],
  },
});
export default config;
