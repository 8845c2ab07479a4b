import { Ajv2019, type ValidateFunction } from 'ajv/dist/2019.js';

type Schema = Readonly<Record<string, unknown>>;

/** An object with these fields and no others: a cluster silently drops unknown fields. */
const fields = (properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});
const text = { type: 'string' };
const texts = { type: 'array', items: text };
/** A part with the shape of another kind, which is checked where that kind is used. */
const anyObject = { type: 'object' };

/**
 * The fields that our manifests use, for kinds whose operators have no models on npm. A field that is missing here is a fault until it is added, with the
 * shape that the operator documents: https://www.rabbitmq.com/kubernetes/operator/using-operator
 */
const schemas: Readonly<Record<string, Schema>> = {
  'rabbitmq.com/v1beta1 RabbitmqCluster': fields(
    {
      apiVersion: text,
      kind: text,
      metadata: anyObject,
      spec: fields({
        replicas: { type: 'integer', minimum: 0 },
        image: text,
        persistence: fields({ storage: text, storageClassName: text }),
        resources: fields({ requests: anyObject, limits: anyObject }),
        terminationGracePeriodSeconds: { type: 'integer', minimum: 0 },
        rabbitmq: fields({ additionalPlugins: texts, additionalConfig: text, advancedConfig: text, envConfig: text }),
        affinity: anyObject,
        tolerations: { type: 'array', items: anyObject },
        override: fields({ statefulSet: anyObject, service: anyObject }),
      }),
    },
    ['apiVersion', 'kind', 'metadata', 'spec'],
  ),
};

const ajv = new Ajv2019({ allErrors: true });
const validators = new Map<string, ValidateFunction>(
  Object.entries(schemas).map(([kind, schema]) => [kind, ajv.compile(schema)]),
);

/** The validator of an object's kind, if it is one of these. */
export function customValidator({
  apiVersion,
  kind,
}: {
  apiVersion: string;
  kind: string;
}): ValidateFunction | undefined {
  return validators.get(`${apiVersion} ${kind}`);
}
