import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const program = fileURLToPath(new URL('support/logging-child.ts', import.meta.url));

function start(scene: string) {
  return fork(program, [scene], { stdio: ['ignore', 'pipe', 'ignore', 'ipc'] });
}

async function run(scene: string): Promise<{ messages: string[]; code: number | null; signal: string | null }> {
  const child = start(scene);
  const ended = once(child, 'close');
  const output = await text(child.stdout ?? Readable.from([]));
  const [code, signal] = await ended;
  return { messages: messagesOf(output), code, signal };
}

/** The messages of complete lines; fails on a line that is not JSON. */
function messagesOf(output: string): string[] {
  expect(output === '' || output.endsWith('\n')).to.equal(true);
  return output
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line).message);
}

describe('Log lines that are written in batches', () => {
  it('are lost with a killed process only if they are less than 10 ms old', async () => {
    expect(await run('killed')).to.deep.equal({ messages: ['first'], code: null, signal: 'SIGKILL' });
  });

  it('are written before a warning or an error, which is written at once', async () => {
    expect((await run('killedAfterWarning')).messages).to.deep.equal(['first', 'second', 'third', 'last']);
  });

  it('do not wait for a busy event loop when another line follows', async () => {
    expect((await run('killedWhileBusy')).messages).to.deep.equal(['first', 'last']);
  });

  it('are written when the process exits, with lines of other exit handlers', async () => {
    expect(await run('exits')).to.deep.equal({ messages: ['first', 'last'], code: 3, signal: null });
  });

  it('are written when nothing is left to do', async () => {
    expect(await run('ends')).to.deep.equal({ messages: ['first'], code: 0, signal: null });
  });

  it('are written when an error is uncaught', async () => {
    expect(await run('throws')).to.deep.equal({ messages: ['first'], code: 1, signal: null });
  });

  it('are written when the process stops on SIGTERM', async () => {
    expect(await run('terminated')).to.deep.equal({ messages: ['first', 'last'], code: 0, signal: null });
  });

  it('neither block the process nor get lost while no one reads them', async () => {
    const child = start('floods');
    const ended = once(child, 'close');
    await once(child, 'message');
    const messages = messagesOf(await text(child.stdout ?? Readable.from([])));
    await ended;
    expect(messages.map((message) => parseInt(message))).to.deep.equal(Array.from({ length: 4_000 }, (_, n) => n));
  });

  it('end the process with an uncaught EPIPE after stdout was closed', async () => {
    const child = start('closed');
    const ended = once(child, 'exit');
    child.stdout?.destroy();
    child.send('log');
    expect((await ended)[0]).to.equal(32);
  });
});
