import { readdirSync, readFileSync } from 'node:fs';
import { Ajv2019, type ValidateFunction } from 'ajv/dist/2019.js';

const folder = new URL('custom-resources/', import.meta.url);

/** Kinds whose schema is a file in custom-resources/: those of operators without models on npm. */
const validators = new Map<string, ValidateFunction>();

/** The validator of an object's kind, if its schema is one of the files. */
export function customValidator({
  apiVersion,
  kind,
}: {
  apiVersion: string;
  kind: string;
}): ValidateFunction | undefined {
  if (validators.size === 0) {
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
      const ajv = new Ajv2019({ strict: false, allErrors: true, validateFormats: false });
      const schema = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Schema;
      validators.set(file.replace(/\.json$/, ''), ajv.compile(closed(schema)));
    }
  }
  return validators.get(`${apiVersion.replace('/', '-')}-${kind}`);
}

type Schema = Record<string, unknown> & {
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema | boolean;
};

/** The schema with unknown fields refused, which a cluster silently drops. */
function closed(schema: Schema): Schema {
  const { properties, items, additionalProperties } = schema;
  const isOpen =
    schema['x-kubernetes-preserve-unknown-fields'] === true || schema['x-kubernetes-embedded-resource'] === true;
  return {
    ...schema,
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, value]) => [name, closedField(name, value)]),
          ),
        }),
    ...(items === undefined ? {} : { items: closed(items) }),
    ...(typeof additionalProperties === 'object' ? { additionalProperties: closed(additionalProperties) } : {}),
    ...(properties === undefined || additionalProperties !== undefined || isOpen
      ? {}
      : { additionalProperties: false }),
  };
}

/** Every object has metadata, which the definitions leave open. */
function closedField(name: string, schema: Schema): Schema {
  return name === 'metadata' && schema.properties === undefined ? schema : closed(schema);
}
