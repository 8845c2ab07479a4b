import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { problemTypes } from '@taskwire/errors';
import { expect } from 'chai';
import { assembleDocs } from '../docs.ts';
import { startGateway, type TestGateway } from './gateway-harness.ts';

describe('The API reference of the gateway', () => {
  let gateway: TestGateway;
  let docsRoot: string;
  before(async () => {
    docsRoot = await mkdtemp(join(tmpdir(), 'taskwire-docs-'));
    await assembleDocs(docsRoot);
    gateway = await startGateway({ docsRoot });
  });
  after(async () => {
    await gateway.stop();
    await rm(docsRoot, { recursive: true });
  });

  it('redirects /docs to /docs/, whatever port the caller used', async () => {
    expect((await gateway.send({ path: '/docs' })).headers).to.include({ location: '/docs/' });
  });

  it('has every file that the page requests, and the page requests nothing from other hosts', async () => {
    const page = await gateway.send({ path: '/docs/' });
    expect(page.headers['content-type']).to.equal('text/html; charset=utf-8');
    const wanted = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? '');
    expect(wanted).to.include('swagger-ui-bundle.js').and.include('asyncapi.yaml').and.include('problems');
    for (const path of wanted) {
      expect(path).not.to.match(/^(https?:)?\/\//);
      expect((await gateway.send({ path: `/docs/${path}` })).status, path).to.equal(200);
    }
  });

  for (const service of ['auth', 'tasks', 'notifications']) {
    it(`serves the OpenAPI document of ${service}, which the viewer lists`, async () => {
      const path = `openapi/${service}.json`;
      const document = await gateway.send({ path: `/docs/${path}` });
      expect(document.headers['content-type']).to.equal('application/json');
      expect(JSON.parse(document.text)).to.have.property('openapi').that.matches(/^3\.1/);
      expect((await gateway.send({ path: '/docs/viewer.js' })).text).to.include(path);
    });
  }

  it('lists every problem code at the URL of its type', async () => {
    const page = await gateway.send({ path: '/docs/problems' });
    expect(page.headers['content-type']).to.equal('text/html; charset=utf-8');
    for (const code of Object.keys(problemTypes)) expect(page.text).to.include(`id="${code}"`);
  });

  it('lets no page load anything from other hosts or run inline code', async () => {
    for (const path of ['/docs/', '/docs/problems', '/docs/viewer.js']) {
      const policy = (await gateway.send({ path })).headers['content-security-policy'];
      expect(policy, path)
        .to.include("default-src 'none'")
        .and.include("script-src 'self';")
        .and.include("frame-ancestors 'none'");
    }
    const pages = await Promise.all(['/docs/', '/docs/problems'].map((path) => gateway.send({ path })));
    for (const { text } of pages) expect(text).not.to.match(/<script>|<script [^>]*>[^<]|\son\w+=|style="/);
  });

  it('responds with 404 for a missing file and for a file outside the folder', async () => {
    for (const path of ['/docs/nothing.js', '/docs/../nginx.conf', '/docs/openapi/', '/docs../etc/passwd']) {
      expect(JSON.parse((await gateway.send({ path })).text), path).to.include({ code: 'not_found', status: 404 });
    }
  });
});
