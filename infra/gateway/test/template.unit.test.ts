import { readFileSync } from 'node:fs';
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

describe('the configuration of the gateway', () => {
  it('names every problem as @taskwire/errors does', () => {
    const [, titles = ''] = /map \$problem_code \$problem_title \{([^}]*)\}/.exec(template) ?? [];
    const told = Object.fromEntries([...titles.matchAll(/(\w+) "([^"]+)";/g)].map(([, code, title]) => [code, title]));
    expect(Object.keys(told)).to.have.lengthOf(11);
    for (const [code, title] of Object.entries(told)) {
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
      'MAX_BODY_BYTES',
      'READ_TIMEOUT',
    ];
    for (const name of limits.map((limit) => `GATEWAY_${limit}`)) {
      expect(dockerfile).to.include(`${name}=${local[name]}`);
    }
    expect(local['GATEWAY_RATE']).to.equal(`${gatewayDefaults.requestsPerSecond}r/s`);
  });

  it('refuses what is no origin', () => {
    for (const origin of [
      'example.com',
      'https://example.com/',
      'https://EXAMPLE.com',
      '*',
      'https://a.example,https://b.example',
    ]) {
      expect(() => renderGateway({ ...options, corsOrigins: [origin] }), origin).to.throw(/is no origin/);
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
