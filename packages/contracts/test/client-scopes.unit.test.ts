import { expect } from 'chai';
import { audiences, grantedScopes, scopeFaults, type ClientScopes as Settings } from '../src/index.ts';

const [auth, tasks, notifications] = ['urn:taskwire:auth', 'urn:taskwire:tasks', 'urn:taskwire:notifications'];
const forPeople = ['authorization_code', 'refresh_token'] as const;
const forItself = ['client_credentials'] as const;
const forBoth = [...forPeople, ...forItself];

const client = (grant_types: Settings['grant_types'], ...grants: Settings['grants'][number][]): Settings => ({
  grant_types,
  grants,
});

describe('What a client can be granted', () => {
  it('is what exists at each audience: scopes of users for people, scopes of services for itself', () => {
    for (const [audience, { user, service }] of Object.entries(audiences)) {
      expect(scopeFaults(client(forPeople, { audience, scopes: user }))).to.deep.equal([]);
      expect(scopeFaults(client(forItself, { audience, scopes: service }))).to.deep.equal([]);
      expect(scopeFaults(client(forBoth, { audience, scopes: user, own_scopes: service }))).to.deep.equal([]);
    }
  });

  const faults: [string, Settings, (string | number)[], string[]][] = [
    [
      'an unknown scope',
      client(forPeople, { audience: tasks, scopes: ['tasks:read', 'tasks:list'] }),
      ['grants', 0, 'scopes', 1],
      [
        '"tasks:list" is not a scope that people can allow',
        'known for urn:taskwire:tasks: tasks:read, tasks:write, admin',
      ],
    ],
    [
      'a scope of another audience',
      client(forPeople, { audience: tasks, scopes: ['account:read'] }),
      ['grants', 0, 'scopes', 0],
      ['"account:read"'],
    ],
    [
      'a scope of another case',
      client(forPeople, { audience: tasks, scopes: ['Tasks:Read'] }),
      ['grants', 0, 'scopes', 0],
      ['"Tasks:Read"'],
    ],
    [
      'an empty scope',
      client(forPeople, { audience: tasks, scopes: [''] }),
      ['grants', 0, 'scopes', 0],
      ['"" is not a scope'],
    ],
    [
      'a scope of services, for people',
      client(forPeople, { audience: auth, scopes: ['users:read'] }),
      ['grants', 0, 'scopes', 0],
      ['a scope of services, which people cannot allow', 'account:read, account:write, admin'],
    ],
    [
      'admin, for itself',
      client(forItself, { audience: auth, scopes: ['users:read', 'admin'] }),
      ['grants', 0, 'scopes', 1],
      [
        '"admin" is a scope that people allow, which no client has in its own name',
        'known for urn:taskwire:auth: users:read, account_links:read',
      ],
    ],
    [
      'a scope for itself where there is none',
      client(forItself, { audience: notifications, scopes: ['notifications:read'] }),
      ['grants', 0, 'scopes', 0],
      ['urn:taskwire:notifications has none of these'],
    ],
    [
      'an own scope that people allow',
      client(forBoth, { audience: auth, scopes: [], own_scopes: ['account:read'] }),
      ['grants', 0, 'own_scopes', 0],
      ['no client has in its own name'],
    ],
    [
      'own scopes of a client for people only',
      client(forPeople, { audience: auth, scopes: [], own_scopes: [] }),
      ['grants', 0, 'own_scopes'],
      ['also acts for itself'],
    ],
    [
      'own scopes of a client without people',
      client(forItself, { audience: auth, scopes: [], own_scopes: [] }),
      ['grants', 0, 'own_scopes'],
      ['without redirect_uris'],
    ],
    [
      'an unknown audience',
      client(forItself, { audience: 'urn:taskwire:tsaks', scopes: [] }),
      ['grants', 0, 'audience'],
      ['"urn:taskwire:tsaks" is not an audience', auth, tasks, notifications],
    ],
    [
      'a name of JavaScript as audience',
      client(forItself, { audience: '__proto__', scopes: ['x'] }),
      ['grants', 0, 'audience'],
      ['is not an audience'],
    ],
    [
      'an audience twice',
      client(forItself, { audience: auth, scopes: [] }, { audience: auth, scopes: [] }),
      ['grants', 1, 'audience'],
      ['twice'],
    ],
    [
      'an unknown audience to introspect',
      { ...client(forItself), introspects: [auth, 'urn:taskwire:x'] },
      ['introspects', 1],
      ['"urn:taskwire:x"'],
    ],
  ];
  for (const [old, now] of [
    ['account', auth],
    ['tasks', tasks],
    ['notifications', notifications],
  ] as const) {
    faults.push([
      `the scope ${old} of before`,
      client(forPeople, { audience: now, scopes: [old] }),
      ['grants', 0, 'scopes', 0],
      [`"${old}" is now ${old}:read and ${old}:write`],
    ]);
  }
  for (const [what, settings, path, words] of faults) {
    it(`is not ${what}; that names the field, the value and what is known`, () => {
      const found = scopeFaults(settings);
      expect(found.map((fault) => fault.path)).to.deep.equal([path]);
      for (const word of words) expect(found[0]?.message).to.contain(word);
    });
  }

  it('is rejected with all faults at once', () => {
    const settings = client(
      forPeople,
      { audience: tasks, scopes: ['a', 'tasks:read', 'b'] },
      { audience: 'c', scopes: [] },
    );
    expect(scopeFaults(settings)).to.have.length(3);
  });
});

describe('What a client can get', () => {
  const all = [...audiences['urn:taskwire:tasks'].user, 'users:read', 'x'];

  it('is never more than there is for people, or for itself, whatever its settings say', () => {
    const own = [...all, 'account_links:read'];
    const settings = client(forBoth, { audience: tasks, scopes: all, own_scopes: own });
    expect(grantedScopes(settings, tasks, 'user')).to.deep.equal(['tasks:read', 'tasks:write', 'admin']);
    expect(grantedScopes(settings, tasks, 'service')).to.deep.equal(['tasks:read']);
    expect(grantedScopes(client(forItself, { audience: tasks, scopes: all }), tasks, 'service')).to.deep.equal([
      'tasks:read',
    ]);
  });

  it('for people is nothing of its own, and for itself nothing of people: tasks:read of the one is not that of the other', () => {
    const reading = { audience: tasks, scopes: ['tasks:read'] };
    expect(grantedScopes(client(forPeople, reading), tasks, 'service')).to.equal(undefined);
    expect(grantedScopes(client(forBoth, reading), tasks, 'service')).to.equal(undefined);
    expect(grantedScopes(client(forItself, reading), tasks, 'user')).to.equal(undefined);
  });

  it('is nothing at an audience that it was not granted, or that is none', () => {
    const settings = client(forPeople, { audience: 'urn:x', scopes: ['x'] }, { audience: '__proto__', scopes: ['x'] });
    for (const audience of [auth, 'urn:x', '__proto__', '']) {
      expect(grantedScopes(settings, audience, 'user'), audience).to.equal(undefined);
    }
  });
});
