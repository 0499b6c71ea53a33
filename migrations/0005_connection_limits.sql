-- What a connection may be asked, shared out among the worker processes that use it, and what they say of it.
--
-- A limit stands on the gateway's row and is one for the whole connection. Each worker process that uses the connection keeps a row
-- in gateway_worker while it does; it takes its part of the limits by how many there are. A newcomer takes nothing before all others
-- have seen it, and a process that could not renew its row takes nothing any more when the row has lapsed: the parts never add up to
-- more than the limit.

ALTER TABLE gateway
  ADD COLUMN rate_limit int CHECK (rate_limit BETWEEN 1 AND 10000),    -- requests a second, sends and questions together; null: none
  ADD COLUMN rate_burst int CHECK (rate_burst BETWEEN 1 AND 10000),    -- requests at once after a rest; null: evenly spaced
  ADD CONSTRAINT burst_of_a_limit CHECK (rate_burst IS NULL OR rate_limit IS NOT NULL);
GRANT UPDATE (rate_limit, rate_burst) ON gateway TO batchdesk_web;

CREATE TABLE gateway_worker (
  organisation_id uuid NOT NULL,
  gateway_id      uuid NOT NULL,
  worker          uuid NOT NULL,                -- names the process, as in leases and intents
  joined_at       timestamptz NOT NULL,
  seen_at         timestamptz NOT NULL,         -- when it last counted the others
  until           timestamptz NOT NULL,         -- not counted after that: the process may be gone
  PRIMARY KEY (organisation_id, gateway_id, worker),
  FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway (organisation_id, id)
);

-- The gateway asked us to stay away (Retry-After of a 429 or 503): nothing is asked of it until then, by no process.
CREATE TABLE gateway_pause (
  organisation_id uuid NOT NULL,
  gateway_id      uuid NOT NULL,
  since           timestamptz NOT NULL DEFAULT now(),
  until           timestamptz NOT NULL,
  http            smallint NOT NULL,
  PRIMARY KEY (organisation_id, gateway_id),
  FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway (organisation_id, id)
);

-- What each process finished lately, for the rate that pages show: outcomes are far too many to be counted for a page.
CREATE TABLE gateway_finished (
  organisation_id uuid NOT NULL,
  gateway_id      uuid NOT NULL,
  worker          uuid NOT NULL,
  slot            timestamptz NOT NULL,         -- start of five seconds
  finished        int NOT NULL CHECK (finished >= 0),
  PRIMARY KEY (organisation_id, gateway_id, worker, slot),
  FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway (organisation_id, id)
);

DO $$ DECLARE t text; BEGIN
  FOREACH t IN ARRAY ARRAY['gateway_worker', 'gateway_pause', 'gateway_finished'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY; ALTER TABLE %I FORCE ROW LEVEL SECURITY;
      CREATE POLICY tenant ON %I TO batchdesk_web, batchdesk_worker, batchdesk_owner
        USING (organisation_id = (SELECT current_organisation())) WITH CHECK (organisation_id = (SELECT current_organisation()))', t, t, t);
    EXECUTE format('GRANT SELECT ON %I TO batchdesk_web; GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO batchdesk_worker', t, t);
  END LOOP;
END $$;

-- Renews a process's row and counts. place: which of them it is, from 0. settled: whether all others have counted it, long enough
-- after it came that what they had on the wire beyond their new part has ended (but for the slowest calls).
-- paused: for how many seconds nothing may be asked. One at a time for a connection, so that two newcomers see each other.
CREATE FUNCTION attend_gateway(p_gateway uuid, p_worker uuid, p_lasts interval, p_finished int)
RETURNS TABLE (place int, workers int, settled boolean, paused double precision)
LANGUAGE plpgsql SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE org uuid := current_organisation(); t timestamptz; mine desk.gateway_worker;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('attend' || org || p_gateway, 0));
  t := clock_timestamp();
  DELETE FROM gateway_worker w WHERE w.organisation_id = org AND w.gateway_id = p_gateway AND w.until <= t;
  INSERT INTO gateway_worker AS w (organisation_id, gateway_id, worker, joined_at, seen_at, until)
  VALUES (org, p_gateway, p_worker, t, t, t + p_lasts)
  ON CONFLICT (organisation_id, gateway_id, worker) DO UPDATE SET seen_at = t, until = t + p_lasts
  RETURNING w.* INTO mine;
  IF p_finished > 0 THEN
    INSERT INTO gateway_finished AS f (organisation_id, gateway_id, worker, slot, finished)
    VALUES (org, p_gateway, p_worker, date_bin('5 seconds', t, 'epoch'), p_finished)
    ON CONFLICT (organisation_id, gateway_id, worker, slot) DO UPDATE SET finished = f.finished + excluded.finished;
    DELETE FROM gateway_finished f WHERE f.organisation_id = org AND f.gateway_id = p_gateway AND f.slot < t - interval '5 minutes';
  END IF;
  RETURN QUERY
  SELECT (count(*) FILTER (WHERE (w.joined_at, w.worker) < (mine.joined_at, mine.worker)))::int, count(*)::int,
         coalesce(bool_and(w.worker = mine.worker OR w.seen_at >= mine.joined_at + interval '500 milliseconds'), true),
         coalesce((SELECT greatest(extract(epoch FROM p.until - t), 0)::float8 FROM gateway_pause p
                    WHERE p.organisation_id = org AND p.gateway_id = p_gateway), 0)
    FROM gateway_worker w WHERE w.organisation_id = org AND w.gateway_id = p_gateway;
END $$;
REVOKE EXECUTE ON FUNCTION attend_gateway(uuid, uuid, interval, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION attend_gateway(uuid, uuid, interval, int) TO batchdesk_worker;
