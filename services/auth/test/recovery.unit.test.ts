import { expect } from 'chai';
import { lostUser, recoveryOf, type UserCopy } from '../src/domain/recovery.ts';

const at = (second: number) => `2026-11-29T10:00:${String(second).padStart(2, '0')}.000000Z`;
const user = { email: 'ann@example.org', role: 'manager', version: 3, updated_at: at(30), is_deleted: false } as const;
const copy: UserCopy = {
  ...{ service: 'tasks', source_epoch: 1, version: 3, role: 'manager', email: 'ann@example.org', name: 'Ann' },
  ...{ is_deleted: false, deletion_version: null, gone_at: null, is_deletion_claimed: false },
  ...{ event_at: at(30), event_epoch: 1 },
};
const decide = (...copies: Partial<UserCopy>[]) =>
  recoveryOf(
    user,
    copies.map((more) => ({ ...copy, ...more })),
    1,
  );

describe('The recovery of a user in a restored Auth', () => {
  it('only ends access when no copy has a later change', () => {
    expect(decide()).to.include({ kind: 'end_access' });
    expect(decide({}, { version: 2, event_at: at(20) })).to.include({ kind: 'end_access' });
  });

  it('locks a user if a copy has a later version of them, or only a later event', () => {
    expect(decide({}, { service: 'notifications', version: 4 })).to.deep.equal({
      ...{ kind: 'lock', role: undefined, lostEmail: undefined, reason: 'newer in notifications' },
    });
    expect(decide({ event_at: at(31) })).to.include({ kind: 'lock', role: undefined });
  });

  it('lowers the role to the lowest that a later copy has, and never raises it', () => {
    expect(decide({ version: 4, role: 'member' })).to.include({ kind: 'lock', role: 'member' });
    expect(decide({ version: 4, role: 'member' }, { version: 5, role: 'manager' })).to.include({ role: 'member' });
    expect(decide({ version: 4, role: 'admin' })).to.include({ kind: 'lock', role: undefined });
    expect(decide({ version: 2, role: 'member' }), 'an older copy').to.include({ kind: 'end_access' });
    expect(decide({ version: 4, role: 'owner' }), 'a role of a later release').to.include({ role: undefined });
  });

  it('deletes a user whose deletion a copy has, claimed or confirmed', () => {
    const gone = { is_deleted: true, deletion_version: null, gone_at: at(40), version: 2 };
    expect(decide({}, gone)).to.include({ kind: 'delete' });
    expect(decide({ is_deleted: true, deletion_version: 4, version: 4 })).to.include({ kind: 'delete' });
    expect(decide({ is_deletion_claimed: true, event_at: at(31) })).to.include({ kind: 'delete' });
  });

  it('keeps a user who was restored by an admin after the deletion that a copy still has', () => {
    expect(decide({ is_deleted: true, deletion_version: 2, version: 2 })).to.include({ kind: 'end_access' });
    expect(decide({ is_deleted: true, gone_at: at(20) })).to.include({ kind: 'end_access' });
    expect(decide({ is_deletion_claimed: true, event_at: at(29) })).to.include({ kind: 'end_access' });
  });

  it('compares versions within the epoch of the copies, and ignores those of earlier epochs', () => {
    expect(recoveryOf(user, [{ ...copy, version: 9, event_at: at(50) }], 2)).to.include({ kind: 'end_access' });
    expect(recoveryOf(user, [{ ...copy, source_epoch: 2, version: 4 }], 2)).to.include({ kind: 'lock' });
  });

  it('names the lost address of a user, whose former mailbox gets no link', () => {
    const moved = { version: 4, email: 'ann@new.example.org' };
    expect(decide(moved)).to.include({ kind: 'lock', lostEmail: 'ann@new.example.org' });
    expect(decide({ version: 4, email: 'ANN@example.org' })).to.include({ lostEmail: undefined });
  });

  it('does nothing to a deleted user', () => {
    expect(recoveryOf({ ...user, is_deleted: true }, [copy], 1)).to.include({ kind: 'none' });
  });

  it('finds the newest name and address of a lost user, unless a copy has a deletion', () => {
    expect(lostUser([copy, { ...copy, version: 4, name: 'Anna' }])).to.deep.equal({ email: user.email, name: 'Anna' });
    expect(lostUser([copy, { ...copy, is_deleted: true }])).to.equal(undefined);
    expect(lostUser([{ ...copy, email: null }])).to.equal(undefined);
  });
});
