import type { ViteUserConfig } from 'vitest/config';
import { defineConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/system/**/*.test.ts'],
    globalSetup: './test/support/build.ts',
    // Daemons and images of hundreds of megabytes share two cores: one file at a time.
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 600_000,
    reporters: ['verbose', './test/support/tally-reporter.ts'],
  },
});
export default config;
