import { expect } from 'chai';
import { chargesOfAccount, hasAlternatives, subjectOf, type LoginCaller } from '../src/domain/login-budget.ts';

describe('The budgets of a log-in', () => {
  const caller = (isKnownDevice: boolean, isKnownNetwork: boolean): LoginCaller => ({
    ...{ email: 'Ann@Example.org', ip: '192.0.2.7', isKnownDevice, isKnownNetwork },
  });
  const charged = (...known: [boolean, boolean]) =>
    chargesOfAccount(caller(...known)).map((charges) => charges.map(({ budget, onSuccess }) => [budget, onSuccess]));

  it('match the table, depending on whether the account knows the device and the network', () => {
    const [devices, place] = [
      ['known_devices', 'refund'],
      ['account_and_network', 'clear'],
    ];
    expect(charged(true, true), 'a thief of a cookie does not lock out the owner at home').to.deep.equal([
      [devices],
      [place],
    ]);
    expect(charged(false, true)).to.deep.equal([[place]]);
    expect(charged(true, false)).to.deep.equal([[devices]]);
    expect(charged(false, false)).to.deep.equal([[place, ['unknown_callers', 'refund']]]);
  });

  it('count one account in all spellings of its address, and one network in all of its addresses', () => {
    expect(subjectOf('network', caller(false, false))).to.equal('192.0.2.7');
    expect(subjectOf('account_and_network', caller(false, false))).to.equal('ann@example.org 192.0.2.7');
    expect(subjectOf('known_devices', caller(true, false))).to.equal('ann@example.org');
    expect(subjectOf('unknown_callers', caller(false, false))).to.equal('ann@example.org');
  });

  it('leave known devices and networks as alternatives to the budgets of an account across all networks', () => {
    const budgets = ['network', 'account_and_network', 'known_devices', 'unknown_callers'] as const;
    expect(budgets.filter(hasAlternatives)).to.deep.equal(['known_devices', 'unknown_callers']);
  });
});
