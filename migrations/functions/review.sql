-- Review by two people, contradictions, and the comparison at the end of a batch.

-- What can be reviewed: REVIEW, and what the gateway took but itself cannot tell the end of.
CREATE OR REPLACE FUNCTION in_review(p_state text, p_gateway_status text) RETURNS boolean LANGUAGE sql IMMUTABLE
  AS $$ SELECT p_state = 'REVIEW' OR (p_state = 'PENDING' AND p_gateway_status = 'MANUAL_REVIEW') $$;

-- Where a task stands, as a proposal is bound to it: not the epoch, which a question without news moves too.
CREATE OR REPLACE FUNCTION review_seen(t open_task) RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog
  AS $$ SELECT md5(jsonb_build_array(t.state, t.attempts, t.code, t.message, t.gw_ref, t.gateway_status)::text) $$;

-- The rule "another person", for whoever writes here in whatever way.
CREATE OR REPLACE FUNCTION confirmation_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
BEGIN
  NEW.confirmer := current_person();
  NEW.at := clock_timestamp();
  PERFORM FROM review_proposal p
    WHERE p.organisation_id = NEW.organisation_id AND p.batch_id = NEW.batch_id AND p.row_no = NEW.row_no
     AND p.revision = NEW.revision AND p.n = NEW.n
     AND CASE NEW.verdict WHEN 'WITHDRAW' THEN p.proposer = NEW.confirmer ELSE p.proposer <> NEW.confirmer END;
  IF NOT FOUND THEN
    RAISE EXCEPTION '%', CASE NEW.verdict WHEN 'WITHDRAW' THEN 'only its proposer withdraws'
      ELSE 'another person must confirm' END USING ERRCODE = 'BD403';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER confirmation_guard BEFORE INSERT ON review_confirmation FOR EACH ROW
  EXECUTE FUNCTION confirmation_guard();

-- One person says what became of these rows. All or none.
CREATE OR REPLACE FUNCTION review_propose(p_batch uuid, p_row int[], p_revision smallint[], p_seen text[],
  p_verdict text, p_ref text[], p_reason text) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE org uuid := current_organisation(); moved text; n int;
BEGIN
  IF current_person() IS NULL THEN RAISE EXCEPTION 'a person must propose' USING ERRCODE = 'BD403'; END IF;
  IF cardinality(p_row) IS NOT DISTINCT FROM 0 OR p_row IS NULL OR p_verdict NOT IN ('DONE', 'NOT_DONE', 'ASK_AGAIN')
  THEN RAISE EXCEPTION 'nothing to propose' USING ERRCODE = 'BD422'; END IF;
  PERFORM FROM open_task t WHERE t.organisation_id = org AND t.batch_id = p_batch AND t.row_no = ANY (p_row)
    ORDER BY t.batch_id, t.row_no, t.revision FOR UPDATE;
  SELECT json_agg(u.row_no ORDER BY u.row_no)::text INTO moved
    FROM unnest(p_row, p_revision, p_seen) AS u(row_no, revision, seen)
   WHERE NOT EXISTS (SELECT FROM open_task t
     WHERE t.organisation_id = org AND t.batch_id = p_batch AND t.row_no = u.row_no AND t.revision = u.revision
                        AND in_review(t.state, t.gateway_status) AND review_seen(t) = u.seen);
  IF moved IS NOT NULL THEN RAISE EXCEPTION 'moved meanwhile' USING ERRCODE = 'BD412', DETAIL = moved; END IF;
  IF p_verdict = 'ASK_AGAIN' AND NOT EXISTS (SELECT FROM batch b JOIN operation o ON o.code = b.operation
    JOIN gateway_promise p ON p.organisation_id = org AND p.gateway_id = b.gateway_id AND p.effect = o.effect
     AND p.class <> 'N' WHERE b.organisation_id = org AND b.id = p_batch)
  THEN RAISE EXCEPTION 'this gateway cannot be asked' USING ERRCODE = 'BD422'; END IF;
  SELECT json_agg(u.row_no ORDER BY u.row_no)::text INTO moved
    FROM unnest(p_row, p_revision, p_seen) AS u(row_no, revision, seen)
   WHERE EXISTS (SELECT FROM review_proposal p
     WHERE p.organisation_id = org AND p.batch_id = p_batch AND p.row_no = u.row_no AND p.revision = u.revision
     AND p.seen = u.seen
                    AND NOT EXISTS (SELECT FROM review_confirmation c
                      WHERE c.organisation_id = org AND c.batch_id = p_batch AND c.row_no = p.row_no
                                       AND c.revision = p.revision AND c.n = p.n));
  IF moved IS NOT NULL THEN RAISE EXCEPTION 'proposed already' USING ERRCODE = 'BD409', DETAIL = moved; END IF;
  INSERT INTO review_proposal (organisation_id, batch_id, row_no, revision, n, proposer, verdict, gw_ref, reason, seen)
  SELECT org, p_batch, u.row_no, u.revision,
         1 + coalesce((SELECT max(p.n) FROM review_proposal p
           WHERE p.organisation_id = org AND p.batch_id = p_batch AND p.row_no = u.row_no AND p.revision = u.revision),
           0),
         current_person(), p_verdict, CASE WHEN p_verdict = 'DONE' THEN btrim(u.ref) END, btrim(p_reason), u.seen
    FROM unnest(p_row, p_revision, p_seen, p_ref) AS u(row_no, revision, seen, ref);
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;

CREATE OR REPLACE FUNCTION review_rows(p jsonb) RETURNS TABLE (row_no int, revision smallint, verdict text, gw_ref text,
  reason text, proposer text, attempts smallint, was text,
                                                   gateway_kind text, order_id text, amount_minor bigint,
                                                     balanced boolean) LANGUAGE sql IMMUTABLE
                                                     SET search_path = pg_catalog
  AS $$ SELECT * FROM jsonb_to_recordset(p) AS v(row_no int, revision smallint, verdict text, gw_ref text, reason text,
    proposer text, attempts smallint, was text,
                                                 gateway_kind text, order_id text, amount_minor bigint,
                                                   balanced boolean) $$;

-- Another person confirms or rejects, or the proposer withdraws. A confirmation carries the proposal out: done and not
-- done are outcomes, ask again makes the task due to be asked about now. All or none.
CREATE OR REPLACE FUNCTION review_close(p_batch uuid, p_row int[], p_revision smallint[], p_n smallint[],
  p_verdict text, p_note text) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE org uuid := current_organisation(); moved text; n int; decided jsonb; s record;
BEGIN
  IF current_person() IS NULL THEN RAISE EXCEPTION 'a person must decide' USING ERRCODE = 'BD403'; END IF;
  IF p_row IS NULL OR cardinality(p_row) = 0 THEN RAISE EXCEPTION 'nothing to decide' USING ERRCODE = 'BD422'; END IF;
  PERFORM FROM open_task t WHERE t.organisation_id = org AND t.batch_id = p_batch AND t.row_no = ANY (p_row)
    ORDER BY t.batch_id, t.row_no, t.revision FOR UPDATE;
  -- The same rule as the guard's, first: the one who may not decide is told that, not where the task stands.
  IF EXISTS (SELECT FROM unnest(p_row, p_revision, p_n) AS u(row_no, revision, n) JOIN review_proposal p
                ON p.organisation_id = org AND p.batch_id = p_batch AND p.row_no = u.row_no AND p.revision = u.revision
                  AND p.n = u.n
              WHERE (p.proposer = current_person()) <> (p_verdict = 'WITHDRAW'))
  THEN RAISE EXCEPTION 'not this person' USING ERRCODE = 'BD403'; END IF;
  SELECT json_agg(u.row_no ORDER BY u.row_no)::text INTO moved
    FROM unnest(p_row, p_revision, p_n) AS u(row_no, revision, n)
   WHERE EXISTS (SELECT FROM review_confirmation c
     WHERE c.organisation_id = org AND c.batch_id = p_batch AND c.row_no = u.row_no AND c.revision = u.revision
     AND c.n = u.n);
  IF moved IS NOT NULL THEN RAISE EXCEPTION 'decided already' USING ERRCODE = 'BD409', DETAIL = moved; END IF;
  SELECT json_agg(u.row_no ORDER BY u.row_no)::text INTO moved
    FROM unnest(p_row, p_revision, p_n) AS u(row_no, revision, n)
   WHERE NOT EXISTS (SELECT FROM review_proposal p
     JOIN open_task t ON t.organisation_id = org AND t.batch_id = p_batch AND t.row_no = p.row_no
     AND t.revision = p.revision
                      WHERE p.organisation_id = org AND p.batch_id = p_batch AND p.row_no = u.row_no
                        AND p.revision = u.revision AND p.n = u.n
                        AND in_review(t.state, t.gateway_status) AND review_seen(t) = p.seen);
  IF moved IS NOT NULL THEN RAISE EXCEPTION 'moved meanwhile' USING ERRCODE = 'BD412', DETAIL = moved; END IF;
  INSERT INTO review_confirmation (organisation_id, batch_id, row_no, revision, n, verdict, note)
  SELECT org, p_batch, u.row_no, u.revision, u.n, p_verdict, nullif(btrim(p_note), '')
    FROM unnest(p_row, p_revision, p_n) AS u(row_no, revision, n);
  GET DIAGNOSTICS n = ROW_COUNT;
  IF p_verdict <> 'CONFIRM' THEN RETURN n; END IF;

  SELECT jsonb_agg(jsonb_build_object('row_no', t.row_no, 'revision', t.revision, 'verdict', p.verdict, 'gw_ref',
    p.gw_ref, 'reason', p.reason, 'proposer', coalesce(m.email, 'API key'),
           'attempts', t.attempts, 'was', CASE t.state WHEN 'PENDING' THEN 'A' ELSE 'Q' END, 'gateway_kind',
             t.gateway_kind, 'order_id', r.order_id, 'amount_minor', r.amount_minor,
           'balanced', coalesce((SELECT a.balanced FROM attempt a
             WHERE a.organisation_id = org AND a.batch_id = p_batch AND a.revision = t.revision AND a.attempt = 1
                                    AND a.from_row <= t.row_no ORDER BY a.from_row DESC LIMIT 1), false)))
    INTO decided
    FROM unnest(p_row, p_revision, p_n) AS u(row_no, revision, n)
    JOIN review_proposal p ON p.organisation_id = org AND p.batch_id = p_batch AND p.row_no = u.row_no
      AND p.revision = u.revision AND p.n = u.n
    JOIN open_task t ON t.organisation_id = org AND t.batch_id = p_batch AND t.row_no = u.row_no
      AND t.revision = u.revision
    JOIN record r ON r.organisation_id = org AND r.batch_id = p_batch AND r.row_no = u.row_no
      AND r.revision = u.revision
    LEFT JOIN person m ON m.id = p.proposer;
  INSERT INTO evidence (organisation_id, batch_id, id, from_row, to_row, source, fenced, replies)
  SELECT org, p_batch, gen_random_uuid(), v.row_no, v.row_no, 'PEOPLE', false,
         json_build_array(json_build_object('row', v.row_no, 'revision', v.revision, 'verdict', v.verdict, 'ref',
           v.gw_ref, 'reason', v.reason,
           'class', CASE v.verdict WHEN 'DONE' THEN 'Succeeded' WHEN 'NOT_DONE' THEN 'Failed' ELSE 'Unknown' END,
             'proposer', v.proposer,
                                            'confirmer', (SELECT email FROM person WHERE id = current_person())))::text
    FROM review_rows(decided) v;
  UPDATE open_task t SET state = CASE t.state WHEN 'REVIEW' THEN 'UNKNOWN' ELSE t.state END, reviewed = true,
    epoch = t.epoch + 1, owner = NULL,
         run_at = now(), queries = 0, updated_at = now()
    FROM review_rows(decided) v WHERE v.verdict = 'ASK_AGAIN' AND t.organisation_id = org AND t.batch_id = p_batch
      AND t.row_no = v.row_no AND t.revision = v.revision;
  DELETE FROM open_task t USING review_rows(decided) v
   WHERE v.verdict <> 'ASK_AGAIN' AND t.organisation_id = org AND t.batch_id = p_batch AND t.row_no = v.row_no
     AND t.revision = v.revision;
  -- Nothing is left to ask.
  DELETE FROM recheck k USING review_rows(decided) v
   WHERE v.verdict <> 'ASK_AGAIN' AND k.organisation_id = org AND k.batch_id = p_batch AND k.row_no = v.row_no
     AND k.revision = v.revision;
  INSERT INTO outcome (organisation_id, batch_id, row_no, revision, attempts, succeeded, gw_ref, gateway_status,
    gateway_kind, code, message)
  SELECT org, p_batch, v.row_no, v.revision, v.attempts, v.verdict = 'DONE', v.gw_ref, CASE v.verdict WHEN 'DONE'
    THEN 'SUCCESS' ELSE 'FAILURE' END, v.gateway_kind,
         CASE v.verdict WHEN 'DONE' THEN NULL ELSE 'NOT_DONE' END, CASE v.verdict WHEN 'DONE' THEN NULL
           ELSE 'Two people found that it was not carried out: ' || v.reason END
    FROM review_rows(decided) v WHERE v.verdict <> 'ASK_AGAIN';
  UPDATE order_balance ob SET committed_minor = ob.committed_minor - b.minor
    FROM (SELECT o.order_id, v.minor
      FROM (SELECT order_id, sum(amount_minor)::bigint AS minor FROM review_rows(decided)
      WHERE verdict = 'NOT_DONE' AND balanced GROUP BY 1) v
            JOIN order_balance o ON o.organisation_id = org AND o.order_id = v.order_id
              ORDER BY o.order_id FOR UPDATE OF o) b
   WHERE ob.organisation_id = org AND ob.order_id = b.order_id;
  SELECT count(*) FILTER (WHERE verdict = 'DONE' AND was = 'Q')::int AS done,
    coalesce(sum(amount_minor) FILTER (WHERE verdict = 'DONE' AND was = 'Q'), 0)::bigint AS done_minor,
         count(*) FILTER (WHERE verdict = 'NOT_DONE' AND was = 'Q')::int AS not_done,
           coalesce(sum(amount_minor) FILTER (WHERE verdict = 'NOT_DONE' AND was = 'Q'), 0)::bigint AS not_done_minor,
         count(*) FILTER (WHERE verdict = 'NOT_DONE' AND was = 'A')::int AS taken,
           coalesce(sum(amount_minor) FILTER (WHERE verdict = 'NOT_DONE' AND was = 'A'), 0)::bigint AS taken_minor,
         count(*) FILTER (WHERE verdict <> 'ASK_AGAIN' AND was = 'A')::int AS pending
    INTO s FROM review_rows(decided);
  UPDATE batch_progress p SET queued = queued - s.done - s.not_done, accepted = accepted + s.done - s.taken,
    failed = failed + s.not_done + s.taken, pending = pending - s.pending,
         queued_minor = queued_minor - s.done_minor - s.not_done_minor,
           accepted_minor = accepted_minor + s.done_minor - s.taken_minor,
         failed_minor = failed_minor + s.not_done_minor + s.taken_minor, updated_at = now()
   WHERE p.organisation_id = org AND p.batch_id = p_batch;
  PERFORM pg_notify('batchdesk_work', org::text);
  RETURN n;
END $$;

-- Whoever writes a reversal: it is an entry in review. People are told by tell_reversal().
CREATE OR REPLACE FUNCTION reversal_is_reviewed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
BEGIN
  INSERT INTO review_entry (organisation_id, batch_id, row_no, revision, kind, order_id, gateway_key, ours, ours_minor,
    theirs, theirs_minor, gw_ref, since, fact)
  SELECT NEW.organisation_id, NEW.batch_id, NEW.row_no, NEW.revision, CASE WHEN NEW.succeeded THEN 'done_after_failure'
    ELSE 'failed_after_success' END,
         r.order_id, r.gateway_key, CASE WHEN NEW.succeeded THEN 'FAILED' ELSE 'SUCCEEDED' END, r.amount_minor,
           NEW.gateway_status, r.amount_minor, NEW.gw_ref, o.at, 'reversal'
    FROM record r JOIN outcome o USING (organisation_id, batch_id, row_no, revision)
   WHERE r.organisation_id = NEW.organisation_id AND r.batch_id = NEW.batch_id AND r.row_no = NEW.row_no
     AND r.revision = NEW.revision
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER reversal_is_reviewed AFTER INSERT ON reversal FOR EACH ROW
  EXECUTE FUNCTION reversal_is_reviewed();

-- At the end of a batch; a little later, because a gateway's list may lag behind its replies.
CREATE OR REPLACE FUNCTION reconcile_at_end() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
BEGIN
  INSERT INTO reconciliation (organisation_id, batch_id, gateway_id, cause, run_at)
  SELECT b.organisation_id, b.id, b.gateway_id, 'END', now() + interval '20 seconds'
    FROM batch b JOIN operation o ON o.code = b.operation
   WHERE b.organisation_id = NEW.organisation_id AND b.id = NEW.batch_id AND o.reconciles
     AND b.status IN ('processing', 'paused', 'completed', 'completed_with_failures', 'cancelled')
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER reconcile_at_end AFTER UPDATE ON batch_progress FOR EACH ROW
  WHEN (NEW.queued = 0 AND OLD.queued > 0) EXECUTE FUNCTION reconcile_at_end();

---------------------------------------------------------------------------------------------------- grants
GRANT EXECUTE ON FUNCTION in_review(text, text), review_seen(open_task) TO batchdesk_web, batchdesk_worker;
GRANT EXECUTE ON FUNCTION review_propose(uuid, int[], smallint[], text[], text, text[], text),
  review_close(uuid, int[], smallint[], smallint[], text, text) TO batchdesk_web;
