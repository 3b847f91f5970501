import { expect, test } from 'vitest';
import { isExempt } from '../../src/cli/no-proxy.ts';

const REGISTRY = 'https://registry.example.com/v2/';

test.each([
  ['', REGISTRY, false],
  ['*', REGISTRY, true],
  ['example.com', REGISTRY, true],
  ['example.com', 'https://example.com/', true],
  ['.example.com', REGISTRY, true],
  ['*.example.com', REGISTRY, true],
  ['.example.com', 'https://example.com/', false],
  ['*.example.com', 'https://example.com/', false],
  ['example.com', 'https://badexample.com/', false],
  ['other.example, REGISTRY.example.com', REGISTRY, true],
  ['other.example registry.example.com', REGISTRY, true],
  ['registry.example.com.', REGISTRY, true],
  ['registry.example.com:443', REGISTRY, true],
  ['registry.example.com:5000', REGISTRY, false],
  ['registry.example.com:5000', 'http://registry.example.com:5000/', true],
  ['.example.com:80', 'http://registry.example.com/', true],
  ['10.1.2.3', 'http://10.1.2.3/', true],
  ['10.1.2.3:80', 'http://10.1.2.3/', true],
  ['10.0.0.0/8', 'http://10.1.2.3:5000/', true],
  ['10.0.0.0/8', 'http://11.1.2.3/', false],
  ['10.0.0.0/8', 'http://10.example.com/', false],
  ['10.0.0.0/64', 'http://10.1.2.3/', false],
  ['fd00::/8', 'http://[fd00::1]:5000/', true],
  ['fd00::/8', 'http://[fe80::1]/', false],
  ['FD00:0:0::1', 'http://[fd00::1]/', true],
  ['fd00::2', 'http://[fd00::1]/', false],
  ['fd00::1', 'http://[fd00::1]/', true],
  ['[fd00::1]', 'http://[fd00::1]/', true],
  ['[fd00::1]:5000', 'http://[fd00::1]:5000/', true],
  ['[fd00::1]:5000', 'http://[fd00::1]/', false],
])('with NO_PROXY=%s, %s is exempt: %s', (noProxy, url, exempt) => {
  expect(isExempt(noProxy, new URL(url))).toBe(exempt);
});
