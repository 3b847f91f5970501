import { expect, test } from 'vitest';
import { tellable, withoutCredentials, withoutLogin, withoutUserinfo } from '../../src/text/userinfo.ts';

test.each([
  ['https://user:password@host/path', 'https://host/path'],
  ['tcp://user@host:2375', 'tcp://host:2375'],
  ['from ssh://deploy:pw@host, or https://t@ken:x@other', 'from ssh://host, or https://other'],
  ['https://gitlab-ci-token:glcbt-64_x@gitlab.example/group/app.git', 'https://gitlab.example/group/app.git'],
  ['https://user:pass/word@host/path', 'https://host/path'],
  ['https://user:12/word?#@host', 'https://user:12/word?#@host'],
  ['http://us\ner:p\tw@host', 'http://host'],
  ['https:/user:password@host', 'https:/host'],
  [String.raw`HTTPS:\\user:password@host`, String.raw`HTTPS:\\host`],
  ['https:\t//user:password@host', 'https:\t//host'],
  [String.raw`https:/\u000a/user:password@host`, String.raw`https:/\u000a/host`],
  ['proxy=//user:password@host:80', 'proxy=//host:80'],
  ['/builds/docker:/user:password@host/app:1', '/builds/docker:/host/app:1'],
  ['/builds/git+ssh:/user:p@ssword@[::1]:22', '/builds/git+ssh:/[::1]:22'],
  ['"unix:////user:password@host"', '"unix:////host"'],
  ['https:user:password@host', 'https:host'],
])('%j is told as %s, in messages and in data', (text, told) => {
  expect(withoutUserinfo(text)).toBe(told);
  expect(withoutCredentials(text)).toBe(told);
});

test.each([
  [
    'proxyconnect tcp: user:password@proxy.example:3128: refused',
    'proxyconnect tcp: proxy.example:3128: refused',
  ],
  ['"deploy:p:w@[::1]:80"', '"[::1]:80"'],
  ['HTTP_PROXY=user:pass@word@host', 'HTTP_PROXY=host'],
  ['/builds/user:password@host/app:1', '/builds/host/app:1'],
  ['cannot read https://user:pass word@host/app', 'cannot read https://host/app'],
])('%j is told as %s in messages, and is left alone in data', (text, told) => {
  expect(withoutCredentials(text)).toBe(told);
  expect(withoutUserinfo(text)).toBe(text);
});

test.each([
  'https://host:5000/app@sha256:0123',
  'https://host/app@1',
  'http://[::1]:5000/app@sha256:0123',
  'app@sha256:0123',
  'mail me@host',
  'app:1@sha256:0123',
  'saved app:1@sha512:0123 (host:5000/app:1@sha256:0123)',
  'git@host:group/app.git',
  'https://gitlab.example/group/app//.gitlab-ci.yml@refs/heads/main',
  'http:1@sha256:0123',
  'a // b me@host',
  'https://host//app@sha256:0123',
  'mailto:me@example.com',
  'ask "email:me@example.com"',
  '["a:b","c@d"]',
  '{"Env":["A=b:c","D=e@f"]}',
  "['a:b','c@d']",
  'a:b,c@d;e:f;g@h',
  'label:a=b@c',
  'docker://app:1 app:1@sha256:0123',
  'docker://host:5000 me@host',
  'https://host: ask me@host',
  'a:/b@c',
  'f(a:b)@c <a:b>@c [a:b]@c {a:b}@c',
])('%s has no credentials', (text) => {
  expect(withoutCredentials(text)).toBe(text);
  expect(withoutUserinfo(text)).toBe(text);
});

test('what is no address is told without a login', () => {
  expect(withoutLogin('user:p@ss@host:1')).toBe('…@host:1');
  expect(withoutLogin('host:1')).toBe('host:1');
});

test('each text of a report is told without credentials, and its data stays', () => {
  const report = { message: 'proxy u:p@host', status: 407, hint: undefined, facts: { label: 'u:p@host' } };
  expect(tellable(report)).toEqual({ ...report, message: 'proxy host' });
});
