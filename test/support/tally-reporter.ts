import { writeSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/**
 * Ends the run with `N passed, N failed[, N skipped]` alone on a line, and counts what vitest reports elsewhere: modules
 * that do not load, failing hooks, unhandled errors. With DRAYAGE_REQUIRE_SYSTEM=1 a skipped test fails the run.
 */
class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    const count = { passed: 0, failed: errors.length, skipped: 0 };
    for (const module of modules) {
      count.failed += module.errors().length;
      for (const suite of module.children.allSuites()) count.failed += suite.errors().length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        count[state === 'pending' ? 'failed' : state] += 1;
      }
    }
    const forbidden = process.env['DRAYAGE_REQUIRE_SYSTEM'] === '1' && count.skipped > 0;
    if (forbidden || count.failed > 0 || count.passed === 0) process.exitCode = 1;
    const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
    const why = forbidden ? 'A test was skipped although DRAYAGE_REQUIRE_SYSTEM=1 forbids it.\n' : '';
    process.once('exit', () => {
      writeSync(1, `${why}${count.passed} passed, ${count.failed} failed${skipped}\n`);
    });
  }
}

export default TallyReporter;
