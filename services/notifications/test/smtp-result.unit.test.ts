import { expect } from 'chai';
import { smtpResult } from '../src/channels/email/smtp-result.ts';

function failure(code: string, responseCode?: number): Error {
  return Object.assign(new Error('no'), { code, ...(responseCode === undefined ? {} : { responseCode }) });
}

describe('What an SMTP failure means', () => {
  const cases: [string, Error, boolean, string][] = [
    ['nobody answers: everything waits', failure('ECONNECTION'), false, 'channel_unavailable'],
    ['the server is silent: everything waits', failure('ETIMEDOUT'), false, 'channel_unavailable'],
    ['the greeting is a refusal: everything waits', failure('EPROTOCOL', 554), false, 'channel_unavailable'],
    [
      'the login is refused: everything waits, until somebody corrects the password',
      failure('EAUTH', 535),
      false,
      'channel_unavailable',
    ],
    ['the server closes down: everything waits', failure('EMESSAGE', 421), true, 'channel_unavailable'],
    ['the recipient is refused for good', failure('EENVELOPE', 550), false, 'refused'],
    ['the recipient is refused for now', failure('EENVELOPE', 450), false, 'retry'],
    ['the message is refused for good after it was handed over', failure('EMESSAGE', 554), true, 'refused'],
    ['the message is refused for now after it was handed over', failure('EMESSAGE', 451), true, 'retry'],
    ['the commands were out of order: another session may do', failure('EENVELOPE', 503), false, 'retry'],
    ['the address is none', failure('EENVELOPE'), false, 'refused'],
    ['the connection broke before the handoff', failure('ESOCKET'), false, 'channel_unavailable'],
    ['the connection broke after the handoff', failure('ESOCKET'), true, 'unknown'],
    ['no answer came in time after the handoff', failure('ETIMEDOUT'), true, 'unknown'],
    ['the state could not be committed', failure('ESTREAM'), false, 'retry'],
  ];
  for (const [what, error, handedOff, result] of cases) {
    it(`${what} (${result})`, () => {
      expect(smtpResult(error, { handedOff }).kind).to.equal(result);
    });
  }
});
