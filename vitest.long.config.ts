import type { ViteUserConfig } from 'vitest/config';
import { defineConfig } from 'vitest/config';
import { ALIAS } from './test/support/alias.ts';

const config: ViteUserConfig = defineConfig({
  resolve: { alias: ALIAS },
  test: {
    include: ['test/system/**/*.test.ts', 'test/**/*.long.test.ts'],
    globalSetup: './test/support/build.ts',
    // Each file has daemons of its own, and waits for them half of its time.
    maxWorkers: 2,
    testTimeout: 600_000,
    hookTimeout: 600_000,
    reporters: ['verbose', './test/support/tally-reporter.ts'],
  },
});
export default config;
