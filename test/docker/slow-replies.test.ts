import type { ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { connectDocker } from '../../src/docker/daemon.ts';
import type { DockerDaemon } from '../../src/docker/daemon.ts';
import { MemoryStore } from '../../src/memory/memory-store.ts';
import { saveReference } from '../../src/verbs/save-reference.ts';
import { fakeDigest } from '../oci/documents.ts';
import { FakeDaemon, json } from '../support/fake-daemon.ts';

const ID = fakeDigest('c');
const INFO = { ID: 'ABCD', Name: 'runner-3', DockerRootDir: '/var/lib/docker', DriverStatus: [] };
const idleTimeout = 150;

/** Ways of a reply that never ends. */
const WAYS: Readonly<Record<string, (response: ServerResponse) => void>> = {
  silence: () => {},
  'a body byte by byte': (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const timer = setInterval(() => response.write(' '), 10);
    response.once('close', () => clearInterval(timer));
  },
};

/** What a sticky save asks a daemon that has answered its greeting, in this order. */
const QUESTIONS = ['GET /images/app', 'GET /images/json', 'POST /images/', 'GET /images/sha256'];

async function saved(daemon: DockerDaemon): Promise<unknown> {
  const lease = { pipeline: '4711', now: new Date(0) };
  return saveReference({ from: daemon, images: ['app:1'], to: new MemoryStore(), lease });
}

test.each(Object.keys(WAYS).flatMap((way) => QUESTIONS.map((question) => [way, question] as const)))(
  'a sticky save gives up a daemon that answers with %s to %s',
  async (way, question) => {
    const image = { id: ID, names: ['app:1'], diffIds: [fakeDigest('1')] };
    const fake = await FakeDaemon.start({ images: [image] });
    fake.handlers.set('GET /info', (_, response) => json(response, INFO));
    await using daemon = await connectDocker({ host: fake.host, idleTimeout });
    let asked = 0;
    fake.handlers.set(question, (_, response) => {
      asked += 1;
      WAYS[way]?.(response);
    });
    await expect(saved(daemon)).rejects.toMatchObject({ code: 'TIMEOUT', facts: { reason: 'IDLE' } });
    expect(asked).toBeGreaterThan(0);
  },
);
