"""SQL functions that conditions, sort orders and indexes are built from, in the control schema.

Indexes are made with `key` and `unique_key`: their results for stored values must never change.
"""

from __future__ import annotations

from bkend.store.postgres.paths import CONTROL

FUNCTIONS = f"""
CREATE OR REPLACE FUNCTION {CONTROL}.key(v jsonb, cut integer) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  kind text := jsonb_typeof(v);
  bits text;
BEGIN
  IF kind = 'string' THEN
    RETURN '3' || left(v #>> '{{}}', cut);
  ELSIF kind = 'number' THEN
    bits := encode(float8send(v::float8), 'hex');
    IF left(bits, 1) < '8' COLLATE "C" THEN
      RETURN '2' || translate(left(bits, 1), '01234567', '89abcdef') || substr(bits, 2);
    END IF;
    RETURN '2' || translate(bits, '0123456789abcdef', 'fedcba9876543210');
  ELSIF kind = 'boolean' THEN
    RETURN '5' || (v #>> '{{}}');
  ELSIF kind = 'array' THEN
    RETURN '9';
  ELSIF kind = 'object' THEN
    RETURN '4';
  END IF;
  RETURN '1';
END $$;

CREATE OR REPLACE FUNCTION {CONTROL}.reached(node jsonb, path text[]) RETURNS jsonb[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  here jsonb[] := ARRAY[node];
  there jsonb[];
  segment text;
  one jsonb;
  place text;
BEGIN
  FOREACH segment IN ARRAY path LOOP
    there := '{{}}';
    FOREACH one IN ARRAY here LOOP
      IF jsonb_typeof(one) = 'object' THEN
        IF one ? segment THEN
          there := there || ARRAY[one -> segment];
        END IF;
      ELSIF jsonb_typeof(one) = 'array' THEN
        there := there || ARRAY(
          SELECT e -> segment FROM jsonb_array_elements(one) e
          WHERE jsonb_typeof(e) = 'object' AND e ? segment);
        IF segment ~ '^[0-9]+$' THEN
          place := coalesce(nullif(ltrim(segment, '0'), ''), '0');
          IF length(place) < 10 AND place::integer < jsonb_array_length(one) THEN
            there := there || ARRAY[one -> place::integer];
          END IF;
        END IF;
      END IF;
    END LOOP;
    here := there;
  END LOOP;
  RETURN here;
END $$;

CREATE OR REPLACE FUNCTION {CONTROL}.extreme(nodes jsonb[], largest boolean) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  found jsonb;
  one jsonb;
  held jsonb;
  rank text;
  best text;
BEGIN
  FOREACH one IN ARRAY nodes LOOP
    FOR held IN
      SELECT one WHERE jsonb_typeof(one) <> 'array' OR one = '[]'
      UNION ALL
      SELECT CASE WHEN jsonb_typeof(e) = 'array' THEN '{{}}' ELSE e END
      FROM jsonb_array_elements(CASE WHEN jsonb_typeof(one) = 'array' THEN one ELSE '[]' END) e
    LOOP
      rank := CASE WHEN held = '[]' THEN '0' ELSE {CONTROL}.key(held, 2147483647) END;
      IF best IS NULL
        OR (largest AND (rank > best COLLATE "C" OR rank = best AND held > found))
        OR (NOT largest AND (rank < best COLLATE "C" OR rank = best AND held < found))
      THEN
        best := rank;
        found := held;
      END IF;
    END LOOP;
  END LOOP;
  RETURN found;
END $$;

CREATE OR REPLACE FUNCTION {CONTROL}.unique_key(v jsonb, longest integer) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  IF v IS NULL THEN
    RETURN '[null]';
  ELSIF pg_column_size(v) <= longest THEN
    RETURN jsonb_build_array(v);
  END IF;
  RETURN jsonb_build_array(jsonb_hash_extended(v, 0), jsonb_hash_extended(v, 1));
END $$;

CREATE OR REPLACE FUNCTION {CONTROL}.count_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM nextval((TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME || '_changes')::regclass);
  RETURN NULL;
END $$;
"""
