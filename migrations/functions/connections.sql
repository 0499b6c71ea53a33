-- Connections: the account behind one, and how its limits are shared out among processes.

-- The account behind a connection stays the same while anything on it is open. Another account has never heard of our
-- keys: asked what became of a refund it says "not found", and the refund would go out a second time, there. And what a
-- checker approved would leave another account than the one he saw. The operator alone, on the command line, may say
-- where the same merchant's account has moved to: a mistyped address would otherwise hold its batches for ever.
CREATE OR REPLACE FUNCTION account_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
BEGIN
  IF NEW.sandbox <> OLD.sandbox OR NEW.connector <> OLD.connector THEN
    RAISE EXCEPTION 'what a connection is does not change' USING ERRCODE = 'BD422';
  END IF;
  IF NEW.merchant_id = OLD.merchant_id AND (NEW.base_url = OLD.base_url OR current_person() IS NULL) THEN RETURN NEW;
    END IF;
  IF EXISTS (SELECT FROM batch b WHERE b.organisation_id = OLD.organisation_id AND b.gateway_id = OLD.id
                AND b.status IN ('validating', 'awaiting_approval', 'processing', 'paused'))
     OR EXISTS (SELECT FROM batch b JOIN batch_progress p ON p.organisation_id = b.organisation_id AND p.batch_id = b.id
                 WHERE b.organisation_id = OLD.organisation_id AND b.gateway_id = OLD.id
                  AND b.status IN ('completed', 'completed_with_failures', 'cancelled')
                    AND (p.queued > 0 OR p.pending > 0))
     OR EXISTS (SELECT FROM recheck k WHERE k.organisation_id = OLD.organisation_id AND k.gateway_id = OLD.id) THEN
    RAISE EXCEPTION 'work on this connection is open' USING ERRCODE = 'BD409';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER account_guard BEFORE UPDATE OF base_url, merchant_id, sandbox, connector ON gateway
  FOR EACH ROW EXECUTE FUNCTION account_guard();

-- Another account promises nothing until it is measured or declared: what was seen of the old one says nothing of it.
CREATE OR REPLACE FUNCTION forget_promises() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
BEGIN
  DELETE FROM gateway_promise p WHERE p.organisation_id = NEW.organisation_id AND p.gateway_id = NEW.id;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER forget_promises AFTER UPDATE OF base_url, merchant_id ON gateway FOR EACH ROW
  WHEN ((NEW.base_url, NEW.merchant_id) IS DISTINCT FROM (OLD.base_url, OLD.merchant_id))
  EXECUTE FUNCTION forget_promises();

-- Renews a process's row and counts. place: which of them it is, from 0. settled: whether all others have counted it,
-- long enough after it came that what they had on the wire beyond their new part has ended (but for the slowest calls).
-- paused: for how many seconds nothing may be asked. One at a time for a connection, so that two newcomers see each
-- other.
CREATE OR REPLACE FUNCTION attend_gateway(p_gateway uuid, p_worker uuid, p_lasts interval, p_finished int)
RETURNS TABLE (place int, workers int, settled boolean, paused double precision)
LANGUAGE plpgsql SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE org uuid := current_organisation(); t timestamptz; mine batchdesk.gateway_worker;
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
    DELETE FROM gateway_finished f
      WHERE f.organisation_id = org AND f.gateway_id = p_gateway AND f.slot < t - interval '5 minutes';
  END IF;
  RETURN QUERY
  SELECT (count(*) FILTER (WHERE (w.joined_at, w.worker) < (mine.joined_at, mine.worker)))::int, count(*)::int,
         coalesce(bool_and(w.worker = mine.worker OR w.seen_at >= mine.joined_at + interval '500 milliseconds'), true),
         coalesce((SELECT greatest(extract(epoch FROM p.until - t), 0)::float8 FROM gateway_pause p
                    WHERE p.organisation_id = org AND p.gateway_id = p_gateway), 0)
    FROM gateway_worker w WHERE w.organisation_id = org AND w.gateway_id = p_gateway;
END $$;

---------------------------------------------------------------------------------------------------- grants
GRANT EXECUTE ON FUNCTION attend_gateway(uuid, uuid, interval, int) TO batchdesk_worker;
