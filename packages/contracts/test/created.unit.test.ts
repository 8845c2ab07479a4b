import { expect } from 'chai';
import { z } from 'zod';
import { openApiDocument } from '../generate/openapi.ts';
import { authRoutes, notificationsRoutes, tasksRoutes, type Route } from '../src/index.ts';

const services: Readonly<Record<string, readonly Route[]>> = {
  auth: Object.values(authRoutes),
  tasks: Object.values(tasksRoutes),
  notifications: Object.values(notificationsRoutes),
};

describe('The Location of a created resource', () => {
  for (const [service, routes] of Object.entries(services)) {
    const creating = routes.filter(({ responses }) => 201 in responses);

    it(`is declared for every 201 of ${service}, and for no other response`, () => {
      const shapeOf = (path: string) => path.replaceAll(/\{\w+\}/g, '{}');
      const paths = new Set(routes.map(({ path }) => shapeOf(path)));
      for (const { operationId, location = '', responses } of creating) {
        expect(location, operationId).to.match(/^\/api\/v1\/.*\/\{id\}$/);
        expect(paths, operationId).to.include(shapeOf(location));
        const body = responses[201];
        const fields = body instanceof z.ZodObject ? Object.keys(body.shape) : [];
        const named = [...location.matchAll(/\{(\w+)\}/g)].map(([, field]) => field);
        expect(fields, `${operationId} returns the fields of its Location`).to.include.members(named);
      }
      expect(routes.filter(({ location }) => location !== undefined)).to.deep.equal(creating);
    });
  }

  it('is documented as a response header', () => {
    const document = openApiDocument({ title: '', description: '', serverUrl: '/', routes: [tasksRoutes.createTask] });
    const { paths } = document as { paths: Record<string, { post: { responses: Record<string, { headers: object }> } }> };
    const { responses } = paths['/api/v1/tasks']!.post;
    expect(responses['201']!.headers).to.have.property('Location');
    expect(responses['422']).to.have.all.keys('$ref');
    expect(JSON.stringify(document['components'])).to.include('Retry-After').and.not.to.include('components/headers/Location');
  });
});
