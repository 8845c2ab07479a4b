import { readFileSync } from 'node:fs';
import { authRoutes, bodyLimitOf, notificationsRoutes, tasksRoutes, type Route } from '@taskwire/contracts';
import { problemTypes } from '@taskwire/errors';
import { expect } from 'chai';
import { fillIn, gatewayDefaults, renderGateway, variables } from '../render.ts';

const template = readFileSync(new URL('../nginx.conf.template', import.meta.url), 'utf8');
const options = {
  port: 8080,
  upstreams: { auth: '127.0.0.1:1', tasks: '127.0.0.1:2', notifications: '127.0.0.1:3' },
  docsRoot: '/docs',
  prefixDir: '/run',
};

describe('The configuration of the gateway', () => {
  it('names every problem as @taskwire/errors does', () => {
    const [, titles = ''] = /map \$problem_code \$problem_title \{([^}]*)\}/.exec(template) ?? [];
    const mapped = Object.fromEntries(
      [...titles.matchAll(/(\w+) "([^"]+)";/g)].map(([, code, title]) => [code, title]),
    );
    expect(Object.keys(mapped)).to.have.lengthOf(12);
    for (const [code, title] of Object.entries(mapped)) {
      expect(problemTypes).to.have.property(code).that.includes({ title });
    }
  });

  it('has a value for every variable of the template, and no variable that it does not use', () => {
    const used = [...template.matchAll(/\$\{(GATEWAY_[A-Z_]+)\}/g)].map(([, name]) => name);
    expect([...new Set(used)].sort()).to.deep.equal(Object.keys(variables(options)).sort());
  });

  it('has the same limits in the container image as on a developer’s machine', () => {
    const dockerfile = readFileSync(new URL('../../../Dockerfile', import.meta.url), 'utf8');
    const local = variables(options);
    const limits = [
      'RATE',
      'BURST',
      'LOGIN_RATE',
      'LOGIN_BURST',
      'LOGIN_RETRY_AFTER',
      'RUNNING',
      'STREAMS',
      'BODY_BYTES',
      'AUTH_BODY_BYTES',
      'TASKS_BODY_BYTES',
      'JOBS_BODY_BYTES',
      'READ_TIMEOUT',
    ];
    for (const name of limits.map((limit) => `GATEWAY_${limit}`)) {
      expect(dockerfile).to.include(`${name}=${local[name]}`);
    }
    expect(local['GATEWAY_RATE']).to.equal(`${gatewayDefaults.requestsPerSecond}r/s`);
  });

  it('accepts the largest body of every route, and nothing larger than the largest body below the same location', () => {
    const conf = renderGateway(options);
    const [, usual = ''] = /^ {2}client_max_body_size (\d+);/m.exec(conf) ?? [];
    const locations = [...conf.matchAll(/location ~ (\S+) \{([^}]*)\}/g)].map(([, pattern = '', text = '']) => ({
      pattern: new RegExp(pattern),
      limit: Number(/client_max_body_size (\d+);/.exec(text)?.[1] ?? usual),
    }));
    const routes: Route[] = [authRoutes, tasksRoutes, notificationsRoutes]
      .flatMap((table): Route[] => Object.values(table))
      .filter(({ access }) => access.kind !== 'service' || access.public === true);
    const largest = new Map<object, number>();
    for (const route of routes) {
      const path = route.path.replaceAll(/\{\w+\}/g, 'x');
      const location = locations.find(({ pattern }) => pattern.test(path));
      expect(location, route.path).to.have.property('limit').that.is.at.least(bodyLimitOf(route));
      if (location) largest.set(location, Math.max(largest.get(location) ?? 0, bodyLimitOf(route)));
    }
    for (const [location, bytes] of largest) expect(location).to.have.property('limit', bytes);
  });

  it('refuses an invalid origin', () => {
    for (const origin of [
      'example.com',
      'https://example.com/',
      'https://EXAMPLE.com',
      '*',
      'https://*.example.com',
      'https://a.example,https://b.example',
    ]) {
      expect(() => renderGateway({ ...options, corsOrigins: [origin] }), origin).to.throw(/is not an origin/);
    }
  });

  it('refuses a value that would change the meaning of the configuration', () => {
    for (const docsRoot of ['/a"; return 200', '/a$host', '/a\nb', '/a}']) {
      expect(() => renderGateway({ ...options, docsRoot }), docsRoot).to.throw(/GATEWAY_DOCS_ROOT/);
    }
    expect(() => renderGateway({ ...options, docsRoot: 'docs' })).to.throw(/absolute path/);
  });

  it('fails when the template names a variable without a value', () => {
    expect(() => fillIn('listen ${GATEWAY_NEW};', {})).to.throw(/GATEWAY_NEW/);
  });
});
