import { expect, test } from 'vitest';
import { withoutUserinfo } from '../../src/text/userinfo.ts';

test.each([
  ['https://user:password@host/path', 'https://host/path'],
  ['tcp://user@host:2375', 'tcp://host:2375'],
  ['from ssh://deploy:pw@host, or https://t@ken:x@other', 'from ssh://host, or https://other'],
  ['https://gitlab-ci-token:glcbt-64_x@gitlab.example/group/app.git', 'https://gitlab.example/group/app.git'],
  ['https://user:pass/word@host/path', 'https://host/path'],
  ['https://user:12/word?#@host', 'https://user:12/word?#@host'],
  ['http://us\ner:p\tw@host', 'http://host'],
])('%j is told as %s', (text, told) => {
  expect(withoutUserinfo(text)).toBe(told);
});

test.each([
  'https://host:5000/app@sha256:0123',
  'https://host/app@1',
  'http://[::1]:5000/app@sha256:0123',
  'app@sha256:0123',
  'mail me@host',
])('%s has no credentials', (text) => {
  expect(withoutUserinfo(text)).toBe(text);
});
