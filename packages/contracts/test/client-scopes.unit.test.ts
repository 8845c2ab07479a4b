import { expect } from 'chai';
import { audiences, everyService, grantedScopes, scopeFaults, scopesOf, type ClientScopes as Settings } from '../src/index.ts';

const [auth, tasks, notifications] = ['urn:taskwire:auth', 'urn:taskwire:tasks', 'urn:taskwire:notifications'];
const forUsers = ['authorization_code', 'refresh_token'] as const;
const forItself = ['client_credentials'] as const;
const forBoth = [...forUsers, ...forItself];

const client = (grant_types: Settings['grant_types'], ...grants: Settings['grants'][number][]): Settings => ({
  grant_types,
  grants,
});

describe('The grants of a client', () => {
  it('may contain user scopes to act for users, and service scopes to act on its own behalf', () => {
    for (const [audience, { user, service }] of Object.entries(audiences)) {
      expect(scopeFaults(client(forUsers, { audience, scopes: user }))).to.deep.equal([]);
      const queues = audience === tasks ? { queues: ['reports'] } : {};
      expect(scopeFaults({ ...client(forItself, { audience, scopes: service }), ...queues })).to.deep.equal([]);
      const both = client(forBoth, { audience, scopes: user, own_scopes: service });
      expect(scopeFaults({ ...both, ...queues })).to.deep.equal([]);
    }
    const [scopes, own_scopes] = [scopesOf(everyService, 'user'), scopesOf(everyService, 'service')];
    const both = client(forBoth, { audience: everyService, scopes, own_scopes });
    expect(scopeFaults({ ...both, queues: ['reports'] })).to.deep.equal([]);
  });

  const faults: [string, Settings, (string | number)[], string[]][] = [
    [
      'an unknown scope',
      client(forUsers, { audience: tasks, scopes: ['tasks:read', 'tasks:list'] }),
      ['grants', 0, 'scopes', 1],
      [
        '"tasks:list" is not a scope that users can grant',
        'known for urn:taskwire:tasks: tasks:read, tasks:write, admin',
      ],
    ],
    [
      'a scope of another audience',
      client(forUsers, { audience: tasks, scopes: ['account:read'] }),
      ['grants', 0, 'scopes', 0],
      ['"account:read"'],
    ],
    [
      'a scope in a different case',
      client(forUsers, { audience: tasks, scopes: ['Tasks:Read'] }),
      ['grants', 0, 'scopes', 0],
      ['"Tasks:Read"'],
    ],
    [
      'an empty scope',
      client(forUsers, { audience: tasks, scopes: [''] }),
      ['grants', 0, 'scopes', 0],
      ['"" is not a scope'],
    ],
    [
      'a service scope on behalf of users',
      client(forUsers, { audience: auth, scopes: ['users:read'] }),
      ['grants', 0, 'scopes', 0],
      ['a service scope, which users cannot grant', 'account:read, account:write, admin'],
    ],
    [
      "admin on the client's own behalf",
      client(forItself, { audience: auth, scopes: ['users:read', 'admin'] }),
      ['grants', 0, 'scopes', 1],
      [
        '"admin" is a user scope, which no client has on its own behalf',
        'known for urn:taskwire:auth: users:read, account_links:read',
      ],
    ],
    [
      'an own scope for an audience without service scopes',
      client(forItself, { audience: notifications, scopes: ['notifications:read'] }),
      ['grants', 0, 'scopes', 0],
      ['urn:taskwire:notifications has none'],
    ],
    [
      'a user scope among its own scopes',
      client(forBoth, { audience: auth, scopes: [], own_scopes: ['account:read'] }),
      ['grants', 0, 'own_scopes', 0],
      ['no client has on its own behalf'],
    ],
    [
      'own scopes of a client that acts only for users',
      client(forUsers, { audience: auth, scopes: [], own_scopes: [] }),
      ['grants', 0, 'own_scopes'],
      ['on their own behalf'],
    ],
    [
      'own scopes of a client that never acts for users',
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
      'a service scope for every service on behalf of users',
      client(forUsers, { audience: everyService, scopes: ['tasks:read', 'users:read'] }),
      ['grants', 0, 'scopes', 1],
      ['a service scope, which users cannot grant', 'known for urn:taskwire:api: account:read', 'notifications:write'],
    ],
    [
      'every service as an audience to introspect',
      { ...client(forItself), introspects: [everyService] },
      ['introspects', 0],
      ['"urn:taskwire:api" is not an audience; known: urn:taskwire:auth'],
    ],
    [
      'a JavaScript property name as audience',
      client(forItself, { audience: '__proto__', scopes: ['x'] }),
      ['grants', 0, 'audience'],
      ['is not an audience'],
    ],
    [
      'a repeated audience',
      client(forItself, { audience: auth, scopes: [] }, { audience: auth, scopes: [] }),
      ['grants', 1, 'audience'],
      ['twice'],
    ],
    [
      'a scope of jobs without queues',
      client(forItself, { audience: tasks, scopes: ['jobs:work'] }),
      ['queues'],
      ['are required with jobs:enqueue and jobs:work'],
    ],
    [
      'queues without a scope of jobs',
      { ...client(forItself, { audience: tasks, scopes: ['tasks:read'] }), queues: ['reports'] },
      ['queues'],
      ['are only for clients with jobs:enqueue or jobs:work'],
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
      `the former scope ${old}`,
      client(forUsers, { audience: now, scopes: [old] }),
      ['grants', 0, 'scopes', 0],
      [`"${old}" is now ${old}:read and ${old}:write`],
    ]);
  }
  for (const [what, settings, path, words] of faults) {
    it(`must not contain ${what}; the fault names the field, the value and the known values`, () => {
      const found = scopeFaults(settings);
      expect(found.map((fault) => fault.path)).to.deep.equal([path]);
      for (const word of words) expect(found[0]?.message).to.contain(word);
    });
  }

  it('are rejected with all faults at once', () => {
    const settings = client(
      forUsers,
      { audience: tasks, scopes: ['a', 'tasks:read', 'b'] },
      { audience: 'c', scopes: [] },
    );
    expect(scopeFaults(settings)).to.have.length(3);
  });
});

describe('The granted scopes', () => {
  const all = [...audiences['urn:taskwire:tasks'].user, 'users:read', 'x'];

  it('contain only existing scopes of their kind, whatever the settings contain', () => {
    const own = [...all, 'account_links:read'];
    const settings = client(forBoth, { audience: tasks, scopes: all, own_scopes: own });
    expect(grantedScopes(settings, tasks, 'user')).to.deep.equal(['tasks:read', 'tasks:write', 'admin']);
    expect(grantedScopes(settings, tasks, 'service')).to.deep.equal(['tasks:read']);
    expect(grantedScopes(client(forItself, { audience: tasks, scopes: all }), tasks, 'service')).to.deep.equal([
      'tasks:read',
    ]);
  });

  it("keep user scopes and the client's own scopes apart: tasks:read of one kind does not grant the other", () => {
    const reading = { audience: tasks, scopes: ['tasks:read'] };
    expect(grantedScopes(client(forUsers, reading), tasks, 'service')).to.equal(undefined);
    expect(grantedScopes(client(forBoth, reading), tasks, 'service')).to.equal(undefined);
    expect(grantedScopes(client(forItself, reading), tasks, 'user')).to.equal(undefined);
  });

  it('are undefined for an audience that was not granted or does not exist', () => {
    const settings = client(forUsers, { audience: 'urn:x', scopes: ['x'] }, { audience: '__proto__', scopes: ['x'] });
    for (const audience of [auth, 'urn:x', '__proto__', '']) {
      expect(grantedScopes(settings, audience, 'user'), audience).to.equal(undefined);
    }
  });

  it('cover each service if they are for every service, and only those services whose scopes they have', () => {
    const settings = client(forUsers, { audience: everyService, scopes: ['tasks:read', 'admin', 'users:read'] });
    expect(grantedScopes(settings, everyService, 'user')).to.deep.equal(['tasks:read', 'admin']);
    expect(grantedScopes(settings, tasks, 'user')).to.deep.equal(['tasks:read', 'admin']);
    expect(grantedScopes(settings, auth, 'user')).to.deep.equal(['admin']);
    const reading = client(forUsers, { audience: everyService, scopes: ['tasks:read'] });
    expect(grantedScopes(reading, notifications, 'user')).to.equal(undefined);
    expect(grantedScopes(settings, everyService, 'service')).to.equal(undefined);
  });

  it("combine a service's own grant with the grant for every service, which stays as it is", () => {
    const settings = client(
      forUsers,
      { audience: everyService, scopes: ['tasks:read'] },
      { audience: tasks, scopes: ['tasks:read', 'admin'] },
    );
    expect(grantedScopes(settings, tasks, 'user')).to.deep.equal(['tasks:read', 'admin']);
    expect(grantedScopes(settings, everyService, 'user')).to.deep.equal(['tasks:read']);
    const each = Object.entries(audiences).map(([audience, { user }]) => ({ audience, scopes: user }));
    expect(grantedScopes(client(forUsers, ...each), everyService, 'user')).to.equal(undefined);
  });
});
