import { foldEmail } from './email-address.ts';
import { networkOf } from './network.ts';

/**
 * The budgets of failed log-ins, by what each counts:
 * - `network`: all accounts from one network
 * - `account_and_network`: one account from one network
 * - `known_devices`: one account from all of its known devices together
 * - `unknown_callers`: one account from all unknown devices and networks together
 */
export type LoginBudget = 'network' | 'account_and_network' | 'known_devices' | 'unknown_callers';

/**
 * A log-in that counts against a budget. If the password is correct, `refund` gives back only this attempt, because the others may be a thief's, and
 * `clear` gives back all attempts at the account from this network; the failures of other networks remain.
 */
export type Charge = { budget: LoginBudget; onSuccess: 'refund' | 'clear' };

/** The caller of a log-in, and whether the account knows them. */
export type LoginCaller = {
  /** The address of the account as typed. */
  email: string;
  ip: string;
  /** Whether the user logged in on this device in the account's current access period. */
  isKnownDevice: boolean;
  /** The same for the network. */
  isKnownNetwork: boolean;
};

const network: Charge = { budget: 'network', onSuccess: 'refund' };
const accountAndNetwork: Charge = { budget: 'account_and_network', onSuccess: 'clear' };
const knownDevices: Charge = { budget: 'known_devices', onSuccess: 'refund' };
const unknownCallers: Charge = { budget: 'unknown_callers', onSuccess: 'refund' };

/** Every log-in counts against this budget first. */
export const chargeOfEveryLogin = network;

/**
 * Decides how a log-in counts against its account. Each entry is an alternative: the first entry applies whose budgets all have room; if none has,
 * the last entry determines the refusal. The budgets across all networks exclude known devices and networks, because otherwise anyone could lock the
 * owner out.
 *
 * | device  | network | counts against                                                                                                    |
 * | ------- | ------- | ----------------------------------------------------------------------------------------------------------------- |
 * | known   | known   | the known devices; if a thief with a device's cookie has used those up, the account and network like the next row |
 * | unknown | known   | the account and network                                                                                           |
 * | known   | unknown | the known devices alone                                                                                           |
 * | unknown | unknown | the account and network, and all unknown callers                                                                  |
 */
export function chargesOfAccount({ isKnownDevice, isKnownNetwork }: LoginCaller): readonly (readonly Charge[])[] {
  if (isKnownDevice) return isKnownNetwork ? [[knownDevices], [accountAndNetwork]] : [[knownDevices]];
  return [isKnownNetwork ? [accountAndNetwork] : [accountAndNetwork, unknownCallers]];
}

/** Returns the key under which a budget counts a caller. */
export function subjectOf(budget: LoginBudget, { email, ip }: LoginCaller): string {
  switch (budget) {
    case 'network':
      return networkOf(ip);
    case 'account_and_network':
      return `${foldEmail(email)} ${networkOf(ip)}`;
    case 'known_devices':
    case 'unknown_callers':
      return foldEmail(email);
  }
}

/** Whether a caller who has used up this budget can still log in from elsewhere: on a known device or network. */
export function hasAlternatives(budget: LoginBudget): boolean {
  return budget === 'known_devices' || budget === 'unknown_callers';
}
