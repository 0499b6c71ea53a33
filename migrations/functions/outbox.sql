-- What was told is handed on: to notices, and to the pages that are open.

-- A number of the payload; none where there is none, whatever else stands there: a row that cannot be read must not
-- hold up those after it.
CREATE OR REPLACE FUNCTION payload_number(p jsonb, name text) RETURNS bigint
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
  SELECT CASE WHEN p ->> name ~ '^[0-9]{1,15}$' THEN (p ->> name)::bigint END $$;

-- Hands on what waits: files notices, tells open pages, marks the rows, all of it in one transaction. Answers how many
-- rows, or -1 while another dispatcher does so for this organisation: one at a time, so that what follows one another
-- arrives in that order.
CREATE OR REPLACE FUNCTION dispatch_outbox(p_limit int DEFAULT 1000) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE org uuid := current_organisation(); taken bigint[];
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('outbox' || org, 0)) THEN RETURN -1; END IF;
  SELECT array_agg(w.id) INTO taken
    FROM (SELECT o.id FROM outbox o WHERE o.organisation_id = org AND o.delivered_at IS NULL
      ORDER BY o.id LIMIT p_limit FOR UPDATE SKIP LOCKED) w;
  IF taken IS NULL THEN RETURN 0; END IF;
  INSERT INTO notice AS n (organisation_id, person_id, kind, batch_id, change_id, at, payload, tasks, amount_minor)
  SELECT org, who.person_id, o.kind, o.batch_id, o.change_id, max(o.at), (array_agg(o.payload ORDER BY o.id DESC))[1],
         least(sum(coalesce(payload_number(o.payload, 'tasks'), 0)), 2000000000)::int,
         least(sum(coalesce(payload_number(o.payload, 'amount_minor'), 0)), 9000000000000000000)::bigint
    FROM outbox o
   CROSS JOIN LATERAL (
         SELECT v.maker FROM batch_revision v
           WHERE o.audience IN ('maker', 'maker_and_checker') AND v.organisation_id = org AND v.batch_id = o.batch_id
         UNION
         -- of an import, which has no revision
         SELECT b.maker FROM batch b WHERE o.audience IN ('maker', 'maker_and_checker') AND b.work = 'import'
            AND b.organisation_id = org AND b.id = o.batch_id
         UNION
         SELECT d.checker FROM decision d
           WHERE o.audience = 'maker_and_checker' AND d.organisation_id = org AND d.batch_id = o.batch_id
         UNION
         SELECT m.person_id FROM membership m
           JOIN role_permission p ON p.organisation_id = org AND p.role_id = m.role_id
          WHERE m.organisation_id = org
            AND ((o.audience IN ('settings', 'settings_and_checkers') AND p.module = 'settings'
              AND p."right" = 'read_write')
              OR (o.audience = 'settings_and_checkers' AND p."right" = 'approve'
                AND p.module = coalesce(o.payload ->> 'module', p.module)))) AS who(person_id)
   WHERE o.organisation_id = org AND o.id = ANY (taken) AND o.audience <> 'pages'
     -- a person, and still a member
     AND EXISTS (SELECT FROM membership m WHERE m.organisation_id = org AND m.person_id = who.person_id)
   GROUP BY who.person_id, o.kind, o.batch_id, o.change_id
  ON CONFLICT (organisation_id, person_id, kind, batch_id, change_id) WHERE read_at IS NULL DO UPDATE
     SET at = excluded.at, payload = excluded.payload, tasks = least(n.tasks::bigint + excluded.tasks, 2000000000)::int,
         amount_minor = least(n.amount_minor::numeric + excluded.amount_minor, 9000000000000000000)::bigint;
  PERFORM pg_notify('batchdesk_changed', org || ':' || c.batch_id)
     FROM (SELECT DISTINCT o.batch_id FROM outbox o
       WHERE o.organisation_id = org AND o.id = ANY (taken) AND o.batch_id IS NOT NULL) c;
  -- That a batch changed is worth nothing once it was said; what happened is kept for a day.
  DELETE FROM outbox o WHERE o.organisation_id = org AND o.id = ANY (taken) AND o.kind = 'batch_changed';
  UPDATE outbox o SET delivered_at = now() WHERE o.organisation_id = org AND o.id = ANY (taken);
  RETURN cardinality(taken);
END $$;

-- Rows that were handed on a day ago, and notices that were read long ago.
CREATE OR REPLACE FUNCTION tidy_outbox() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
  DELETE FROM outbox WHERE organisation_id = current_organisation() AND delivered_at < now() - interval '1 day';
  DELETE FROM notice WHERE organisation_id = current_organisation()
    AND (read_at < now() - interval '90 days' OR at < now() - interval '1 year') $$;

---------------------------------------------------------------------------------------------------- grants
GRANT EXECUTE ON FUNCTION dispatch_outbox(int), tidy_outbox() TO batchdesk_worker;
