-- What is seen across organisations: which of them have work due, and nothing else. These functions belong to a role
-- that can do nothing else.

CREATE OR REPLACE FUNCTION all_organisations() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, batchdesk, pg_temp
  AS $$ SELECT id FROM organisation $$;

-- Which organisations have rows to chain; seen across organisations, nothing else is.
CREATE OR REPLACE FUNCTION audit_backlog() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, batchdesk, pg_temp
  AS $$ SELECT DISTINCT organisation_id FROM audit_waiting $$;

-- Which organisations have rows to hand on; seen across organisations, nothing else is.
CREATE OR REPLACE FUNCTION outbox_backlog() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, batchdesk, pg_temp
  AS $$ SELECT DISTINCT organisation_id FROM outbox WHERE delivered_at IS NULL $$;

CREATE OR REPLACE FUNCTION organisations_with_expired() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
  SELECT DISTINCT b.organisation_id FROM batch b WHERE b.status = 'awaiting_approval' AND b.expires_at <= now() $$;

-- Which connections have a comparison due, and which organisations there are to plan nights for: the things seen across
-- organisations.
CREATE OR REPLACE FUNCTION reconciliations_due() RETURNS TABLE (organisation_id uuid, gateway_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
  SELECT DISTINCT r.organisation_id, r.gateway_id FROM reconciliation r
    WHERE r.finished_at IS NULL AND r.run_at <= now() $$;

CREATE OR REPLACE FUNCTION reconciliation_nights() RETURNS TABLE (organisation_id uuid, zone text, night timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
  SELECT o.id, o.zone, n.night FROM organisation o LEFT JOIN reconciliation_night n ON n.organisation_id = o.id $$;

-- Which lanes have work due. A loose index scan: one probe a lane, however much waits in it. `leftovers`: sending is
-- stopped, but what was cancelled or abandoned is still to be written down. An import has no connection: its lane is
-- its organisation's, and goes on while sending is stopped.
CREATE OR REPLACE FUNCTION runnable_lanes() RETURNS TABLE (organisation_id uuid, gateway_id uuid, kind text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
  WITH RECURSIVE c AS (
    (SELECT k.organisation_id, k.gateway_id, k.work, k.run_at FROM chunk k WHERE k.state IN ('WAITING', 'LEASED')
      ORDER BY k.organisation_id, k.gateway_id, k.work, k.run_at LIMIT 1)
    UNION ALL
    SELECT n.* FROM c, LATERAL (SELECT k.organisation_id, k.gateway_id, k.work, k.run_at FROM chunk k
      WHERE k.state IN ('WAITING', 'LEASED')
      AND (k.organisation_id, k.gateway_id, k.work) > (c.organisation_id, c.gateway_id, c.work)
      ORDER BY k.organisation_id, k.gateway_id, k.work, k.run_at LIMIT 1) n),
  t AS (
    (SELECT k.organisation_id, k.gateway_id, k.run_at FROM open_task k WHERE k.state <> 'REVIEW'
      ORDER BY k.organisation_id, k.gateway_id, k.run_at LIMIT 1)
    UNION ALL
    SELECT n.* FROM t, LATERAL (SELECT k.organisation_id, k.gateway_id, k.run_at FROM open_task k
      WHERE k.state <> 'REVIEW'
      AND (k.organisation_id, k.gateway_id) > (t.organisation_id, t.gateway_id)
        ORDER BY k.organisation_id, k.gateway_id, k.run_at LIMIT 1) n),
  s AS (
    (SELECT k.organisation_id, k.gateway_id, k.run_at FROM order_task k WHERE k.run_at IS NOT NULL
      ORDER BY k.organisation_id, k.gateway_id, k.run_at LIMIT 1)
    UNION ALL
    SELECT n.* FROM s, LATERAL (SELECT k.organisation_id, k.gateway_id, k.run_at FROM order_task k
      WHERE k.run_at IS NOT NULL
      AND (k.organisation_id, k.gateway_id) > (s.organisation_id, s.gateway_id)
        ORDER BY k.organisation_id, k.gateway_id, k.run_at LIMIT 1) n)
  SELECT c.organisation_id, c.gateway_id, CASE WHEN o.sending AND g.sending THEN 'chunks' ELSE 'leftovers' END
    FROM c JOIN organisation o ON o.id = c.organisation_id
    JOIN gateway g ON g.organisation_id = c.organisation_id AND g.id = c.gateway_id
      WHERE c.run_at <= now() AND c.work = 'send'
  UNION ALL
  SELECT t.organisation_id, t.gateway_id, 'open tasks' FROM t WHERE t.run_at <= now()
  UNION ALL
  SELECT k.organisation_id, k.gateway_id, 'rechecks' FROM recheck k WHERE k.run_at <= now() GROUP BY 1, 2
  UNION ALL
  SELECT w.organisation_id, w.gateway_id, 'orders'
    FROM (SELECT c.organisation_id, c.gateway_id FROM c WHERE c.run_at <= now() AND c.work = 'query'
          UNION
          SELECT s.organisation_id, s.gateway_id FROM s WHERE s.run_at <= now()) w
    JOIN organisation o ON o.id = w.organisation_id WHERE o.sending
  UNION ALL
  SELECT i.organisation_id, NULL, 'imports' FROM import_run i WHERE i.phase <> 'done' AND i.lease_until <= now()
    GROUP BY 1 $$;

---------------------------------------------------------------------------------------------------- grants
GRANT EXECUTE ON FUNCTION all_organisations(), audit_backlog() TO batchdesk_web, batchdesk_worker;
GRANT EXECUTE ON FUNCTION outbox_backlog(), organisations_with_expired(), reconciliations_due(),
  reconciliation_nights(), runnable_lanes() TO batchdesk_worker;
-- The new owner of a function needs CREATE on its schema at that moment only.
GRANT CREATE ON SCHEMA batchdesk TO batchdesk_scheduler;
ALTER FUNCTION all_organisations() OWNER TO batchdesk_scheduler;
ALTER FUNCTION audit_backlog() OWNER TO batchdesk_scheduler;
ALTER FUNCTION outbox_backlog() OWNER TO batchdesk_scheduler;
ALTER FUNCTION organisations_with_expired() OWNER TO batchdesk_scheduler;
ALTER FUNCTION reconciliations_due() OWNER TO batchdesk_scheduler;
ALTER FUNCTION reconciliation_nights() OWNER TO batchdesk_scheduler;
ALTER FUNCTION runnable_lanes() OWNER TO batchdesk_scheduler;
REVOKE CREATE ON SCHEMA batchdesk FROM batchdesk_scheduler;
