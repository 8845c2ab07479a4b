-- Scopes became finer, and each is now for users, for services, or for both: `account` is account:read and account:write, and so on. What a
-- client for people may do in its own name stands apart, as own_scopes: the same name (tasks:read) means more there.
CREATE FUNCTION pg_temp.scopes_of_users(audience text, scopes jsonb, drop_of_services boolean) RETURNS jsonb LANGUAGE sql AS $$
  SELECT coalesce(jsonb_agg(new ORDER BY place, part), '[]') FROM (
    SELECT DISTINCT ON (new) new, place, part
    FROM jsonb_array_elements_text(scopes) WITH ORDINALITY AS old(scope, place),
      unnest(CASE
        WHEN (audience, scope) IN (
          ('urn:taskwire:auth', 'account'), ('urn:taskwire:tasks', 'tasks'), ('urn:taskwire:notifications', 'notifications')
        ) THEN ARRAY[scope || ':read', scope || ':write']
        WHEN drop_of_services AND scope IN ('users:read', 'account_links:read') THEN '{}'
        ELSE ARRAY[scope]
      END) WITH ORDINALITY AS named(new, part)
    ORDER BY new, place, part
  ) renamed
$$;
-- a scope of users never opened anything to a client in its own name
CREATE FUNCTION pg_temp.scopes_of_services(scopes jsonb) RETURNS jsonb LANGUAGE sql AS $$
  SELECT coalesce(jsonb_agg(scope ORDER BY place), '[]')
  FROM jsonb_array_elements_text(scopes) WITH ORDINALITY AS old(scope, place)
  WHERE scope NOT IN ('account', 'tasks', 'notifications')
$$;
CREATE FUNCTION pg_temp.renamed(allowed jsonb, grant_types jsonb) RETURNS jsonb LANGUAGE sql AS $$
  SELECT CASE
    WHEN NOT grant_types ? 'authorization_code' THEN
      allowed || jsonb_build_object('scopes', pg_temp.scopes_of_services(allowed->'scopes'))
    WHEN NOT grant_types ? 'client_credentials' THEN
      allowed || jsonb_build_object('scopes', pg_temp.scopes_of_users(allowed->>'audience', allowed->'scopes', false))
    ELSE
      allowed || jsonb_build_object(
        'scopes', pg_temp.scopes_of_users(allowed->>'audience', allowed->'scopes', true),
        'own_scopes', pg_temp.scopes_of_services(allowed->'scopes')
      )
  END
$$;
UPDATE clients SET
  settings = settings || jsonb_build_object('grants', (
    SELECT coalesce(jsonb_agg(pg_temp.renamed(allowed, settings->'grant_types') ORDER BY place), '[]')
    FROM jsonb_array_elements(settings->'grants') WITH ORDINALITY AS given(allowed, place)
  )),
  updated_at = clock_timestamp()
WHERE settings ? 'grants' AND settings ? 'grant_types';
DROP FUNCTION pg_temp.renamed, pg_temp.scopes_of_users, pg_temp.scopes_of_services;

-- who allowed a client one of the coarse scopes is asked again: they are told what each of the new ones allows
UPDATE sessions SET ended_at = clock_timestamp(), end_reason = 'revoked'
WHERE ended_at IS NULL AND client_id <> 'first-party' AND EXISTS (
  SELECT FROM json_each_text(payload->'resources') AS allowed(audience, scopes)
  WHERE string_to_array(scopes, ' ') && ARRAY['account', 'tasks', 'notifications']
);
