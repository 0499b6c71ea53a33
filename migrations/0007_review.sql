-- Review by two people, contradictions, reconciliation.
--
-- REVIEW is left by two people: one proposes what became of a refund, another confirms. Both steps are functions: they lock the tasks in the
-- order that the head of 0002 gives (open_task -> order_balance -> batch_progress -> batch), compare what was shown with what is there, and
-- move state, balances and counters in the one transaction of the act. The runtime role can do neither by itself.
-- ERRORS   as in 0002; BD412 has as DETAIL a JSON array of the row numbers that are not as they were shown.

---------------------------------------------------------------------------------------------------- proposals
ALTER TABLE review_proposal ADD seen text NOT NULL DEFAULT '';               -- what the proposer was shown (review_seen); another standing voids it
ALTER TABLE review_proposal ADD CONSTRAINT reason_given CHECK (length(btrim(reason)) BETWEEN 1 AND 500);
ALTER TABLE review_proposal ADD CONSTRAINT reference_given CHECK (CASE WHEN verdict = 'DONE' THEN gw_ref IS NOT NULL AND length(gw_ref) BETWEEN 1 AND 128 ELSE gw_ref IS NULL END);
-- A proposal ends once, in one of three ways; only CONFIRM moves the task.
ALTER TABLE review_confirmation ADD verdict text NOT NULL DEFAULT 'CONFIRM' CHECK (verdict IN ('CONFIRM', 'REJECT', 'WITHDRAW'));
ALTER TABLE review_confirmation ADD note text CHECK (length(note) <= 500);
ALTER TABLE review_confirmation ADD CONSTRAINT note_given CHECK (verdict <> 'REJECT' OR length(btrim(coalesce(note, ''))) >= 1);
-- Two people had the gateway asked again: from then on the task is only asked after. A reviewed task is never sent again by itself.
ALTER TABLE open_task ADD reviewed boolean NOT NULL DEFAULT false;
CREATE INDEX open_task_review ON open_task (organisation_id, batch_id, row_no) WHERE state = 'REVIEW' OR refund_status = 'MANUAL_REVIEW';

-- What can be reviewed: REVIEW, and what the gateway took but itself cannot tell the end of.
CREATE FUNCTION in_review(p_state text, p_refund_status text) RETURNS boolean LANGUAGE sql IMMUTABLE
  AS $$ SELECT p_state = 'REVIEW' OR (p_state = 'PENDING' AND p_refund_status = 'MANUAL_REVIEW') $$;
-- Where a task stands, as a proposal is bound to it: not the epoch, which a question without news moves too.
CREATE FUNCTION review_seen(t open_task) RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog
  AS $$ SELECT md5(jsonb_build_array(t.state, t.attempts, t.code, t.message, t.gw_ref, t.refund_status)::text) $$;

-- The rule "another person", for whoever writes here in whatever way.
CREATE OR REPLACE FUNCTION confirmation_guard() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
BEGIN
  NEW.confirmer := current_person();
  NEW.at := clock_timestamp();
  PERFORM FROM review_proposal p WHERE p.organisation_id = NEW.organisation_id AND p.batch_id = NEW.batch_id AND p.row_no = NEW.row_no
     AND p.revision = NEW.revision AND p.n = NEW.n
     AND CASE NEW.verdict WHEN 'WITHDRAW' THEN p.proposer = NEW.confirmer ELSE p.proposer <> NEW.confirmer END;
  IF NOT FOUND THEN
    RAISE EXCEPTION '%', CASE NEW.verdict WHEN 'WITHDRAW' THEN 'only its proposer withdraws' ELSE 'another person must confirm' END USING ERRCODE = 'BD403';
  END IF;
  RETURN NEW;
END $$;

-- One person says what became of these rows. All or none.
CREATE FUNCTION review_propose(p_batch uuid, p_row int[], p_revision smallint[], p_seen text[], p_verdict text, p_ref text[], p_reason text) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE org uuid := current_organisation(); moved text; n int;
BEGIN
  IF current_person() IS NULL THEN RAISE EXCEPTION 'a person must propose' USING ERRCODE = 'BD403'; END IF;
  IF cardinality(p_row) IS NOT DISTINCT FROM 0 OR p_row IS NULL OR p_verdict NOT IN ('DONE', 'NOT_DONE', 'ASK_AGAIN')
  THEN RAISE EXCEPTION 'nothing to propose' USING ERRCODE = 'BD422'; END IF;
  PERFORM FROM open_task t WHERE t.organisation_id = org AND t.batch_id = p_batch AND t.row_no = ANY (p_row)
    ORDER BY t.batch_id, t.row_no, t.revision FOR UPDATE;
  SELECT json_agg(u.row_no ORDER BY u.row_no)::text INTO moved FROM unnest(p_row, p_revision, p_seen) AS u(row_no, revision, seen)
   WHERE NOT EXISTS (SELECT FROM open_task t WHERE t.organisation_id = org AND t.batch_id = p_batch AND t.row_no = u.row_no AND t.revision = u.revision
                        AND in_review(t.state, t.refund_status) AND review_seen(t) = u.seen);
  IF moved IS NOT NULL THEN RAISE EXCEPTION 'moved meanwhile' USING ERRCODE = 'BD412', DETAIL = moved; END IF;
  IF p_verdict = 'ASK_AGAIN' AND EXISTS (SELECT FROM batch b JOIN gateway g ON g.organisation_id = org AND g.id = b.gateway_id
                                          WHERE b.organisation_id = org AND b.id = p_batch AND g.class = 'N')
  THEN RAISE EXCEPTION 'this gateway cannot be asked' USING ERRCODE = 'BD422'; END IF;
  SELECT json_agg(u.row_no ORDER BY u.row_no)::text INTO moved FROM unnest(p_row, p_revision, p_seen) AS u(row_no, revision, seen)
   WHERE EXISTS (SELECT FROM review_proposal p WHERE p.organisation_id = org AND p.batch_id = p_batch AND p.row_no = u.row_no AND p.revision = u.revision AND p.seen = u.seen
                    AND NOT EXISTS (SELECT FROM review_confirmation c WHERE c.organisation_id = org AND c.batch_id = p_batch AND c.row_no = p.row_no
                                       AND c.revision = p.revision AND c.n = p.n));
  IF moved IS NOT NULL THEN RAISE EXCEPTION 'proposed already' USING ERRCODE = 'BD409', DETAIL = moved; END IF;
  INSERT INTO review_proposal (organisation_id, batch_id, row_no, revision, n, proposer, verdict, gw_ref, reason, seen)
  SELECT org, p_batch, u.row_no, u.revision,
         1 + coalesce((SELECT max(p.n) FROM review_proposal p WHERE p.organisation_id = org AND p.batch_id = p_batch AND p.row_no = u.row_no AND p.revision = u.revision), 0),
         current_person(), p_verdict, CASE WHEN p_verdict = 'DONE' THEN btrim(u.ref) END, btrim(p_reason), u.seen
    FROM unnest(p_row, p_revision, p_seen, p_ref) AS u(row_no, revision, seen, ref);
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;

CREATE FUNCTION review_rows(p jsonb) RETURNS TABLE (row_no int, revision smallint, verdict text, gw_ref text, reason text, proposer text, attempts smallint, was text,
                                                   refund_type text, order_id text, amount_minor bigint, balanced boolean) LANGUAGE sql IMMUTABLE SET search_path = pg_catalog
  AS $$ SELECT * FROM jsonb_to_recordset(p) AS v(row_no int, revision smallint, verdict text, gw_ref text, reason text, proposer text, attempts smallint, was text,
                                                 refund_type text, order_id text, amount_minor bigint, balanced boolean) $$;

-- Another person confirms or rejects, or the proposer withdraws. A confirmation carries the proposal out: done and not done are outcomes,
-- ask again makes the task due to be asked about now. All or none.
CREATE FUNCTION review_close(p_batch uuid, p_row int[], p_revision smallint[], p_n smallint[], p_verdict text, p_note text) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE org uuid := current_organisation(); moved text; n int; decided jsonb; s record;
BEGIN
  IF current_person() IS NULL THEN RAISE EXCEPTION 'a person must decide' USING ERRCODE = 'BD403'; END IF;
  IF p_row IS NULL OR cardinality(p_row) = 0 THEN RAISE EXCEPTION 'nothing to decide' USING ERRCODE = 'BD422'; END IF;
  PERFORM FROM open_task t WHERE t.organisation_id = org AND t.batch_id = p_batch AND t.row_no = ANY (p_row)
    ORDER BY t.batch_id, t.row_no, t.revision FOR UPDATE;
  -- The same rule as the guard's, first: the one who may not decide is told that, not where the task stands.
  IF EXISTS (SELECT FROM unnest(p_row, p_revision, p_n) AS u(row_no, revision, n) JOIN review_proposal p
                ON p.organisation_id = org AND p.batch_id = p_batch AND p.row_no = u.row_no AND p.revision = u.revision AND p.n = u.n
              WHERE (p.proposer = current_person()) <> (p_verdict = 'WITHDRAW'))
  THEN RAISE EXCEPTION 'not this person' USING ERRCODE = 'BD403'; END IF;
  SELECT json_agg(u.row_no ORDER BY u.row_no)::text INTO moved FROM unnest(p_row, p_revision, p_n) AS u(row_no, revision, n)
   WHERE EXISTS (SELECT FROM review_confirmation c WHERE c.organisation_id = org AND c.batch_id = p_batch AND c.row_no = u.row_no AND c.revision = u.revision AND c.n = u.n);
  IF moved IS NOT NULL THEN RAISE EXCEPTION 'decided already' USING ERRCODE = 'BD409', DETAIL = moved; END IF;
  SELECT json_agg(u.row_no ORDER BY u.row_no)::text INTO moved FROM unnest(p_row, p_revision, p_n) AS u(row_no, revision, n)
   WHERE NOT EXISTS (SELECT FROM review_proposal p JOIN open_task t ON t.organisation_id = org AND t.batch_id = p_batch AND t.row_no = p.row_no AND t.revision = p.revision
                      WHERE p.organisation_id = org AND p.batch_id = p_batch AND p.row_no = u.row_no AND p.revision = u.revision AND p.n = u.n
                        AND in_review(t.state, t.refund_status) AND review_seen(t) = p.seen);
  IF moved IS NOT NULL THEN RAISE EXCEPTION 'moved meanwhile' USING ERRCODE = 'BD412', DETAIL = moved; END IF;
  INSERT INTO review_confirmation (organisation_id, batch_id, row_no, revision, n, verdict, note)
  SELECT org, p_batch, u.row_no, u.revision, u.n, p_verdict, nullif(btrim(p_note), '') FROM unnest(p_row, p_revision, p_n) AS u(row_no, revision, n);
  GET DIAGNOSTICS n = ROW_COUNT;
  IF p_verdict <> 'CONFIRM' THEN RETURN n; END IF;

  SELECT jsonb_agg(jsonb_build_object('row_no', t.row_no, 'revision', t.revision, 'verdict', p.verdict, 'gw_ref', p.gw_ref, 'reason', p.reason, 'proposer', coalesce(m.email, 'API key'),
           'attempts', t.attempts, 'was', CASE t.state WHEN 'PENDING' THEN 'A' ELSE 'Q' END, 'refund_type', t.refund_type, 'order_id', r.order_id, 'amount_minor', r.amount_minor,
           'balanced', coalesce((SELECT a.balanced FROM attempt a WHERE a.organisation_id = org AND a.batch_id = p_batch AND a.revision = t.revision AND a.attempt = 1
                                    AND a.from_row <= t.row_no ORDER BY a.from_row DESC LIMIT 1), false)))
    INTO decided
    FROM unnest(p_row, p_revision, p_n) AS u(row_no, revision, n)
    JOIN review_proposal p ON p.organisation_id = org AND p.batch_id = p_batch AND p.row_no = u.row_no AND p.revision = u.revision AND p.n = u.n
    JOIN open_task t ON t.organisation_id = org AND t.batch_id = p_batch AND t.row_no = u.row_no AND t.revision = u.revision
    JOIN record r ON r.organisation_id = org AND r.batch_id = p_batch AND r.row_no = u.row_no AND r.revision = u.revision
    LEFT JOIN person m ON m.id = p.proposer;
  INSERT INTO evidence (organisation_id, batch_id, id, from_row, to_row, source, fenced, replies)
  SELECT org, p_batch, gen_random_uuid(), v.row_no, v.row_no, 'PEOPLE', false,
         json_build_array(json_build_object('row', v.row_no, 'revision', v.revision, 'verdict', v.verdict, 'ref', v.gw_ref, 'reason', v.reason,
           'class', CASE v.verdict WHEN 'DONE' THEN 'Succeeded' WHEN 'NOT_DONE' THEN 'Failed' ELSE 'Unknown' END, 'proposer', v.proposer,
                                            'confirmer', (SELECT email FROM person WHERE id = current_person())))::text
    FROM review_rows(decided) v;
  UPDATE open_task t SET state = CASE t.state WHEN 'REVIEW' THEN 'UNKNOWN' ELSE t.state END, reviewed = true, epoch = t.epoch + 1, owner = NULL,
         run_at = now(), queries = 0, updated_at = now()
    FROM review_rows(decided) v WHERE v.verdict = 'ASK_AGAIN' AND t.organisation_id = org AND t.batch_id = p_batch AND t.row_no = v.row_no AND t.revision = v.revision;
  DELETE FROM open_task t USING review_rows(decided) v
   WHERE v.verdict <> 'ASK_AGAIN' AND t.organisation_id = org AND t.batch_id = p_batch AND t.row_no = v.row_no AND t.revision = v.revision;
  -- Nothing is left to ask.
  DELETE FROM recheck k USING review_rows(decided) v
   WHERE v.verdict <> 'ASK_AGAIN' AND k.organisation_id = org AND k.batch_id = p_batch AND k.row_no = v.row_no AND k.revision = v.revision;
  INSERT INTO outcome (organisation_id, batch_id, row_no, revision, attempts, succeeded, gw_ref, refund_status, refund_type, code, message)
  SELECT org, p_batch, v.row_no, v.revision, v.attempts, v.verdict = 'DONE', v.gw_ref, CASE v.verdict WHEN 'DONE' THEN 'SUCCESS' ELSE 'FAILURE' END, v.refund_type,
         CASE v.verdict WHEN 'DONE' THEN NULL ELSE 'NOT_DONE' END, CASE v.verdict WHEN 'DONE' THEN NULL ELSE 'Two people found that it was not carried out: ' || v.reason END
    FROM review_rows(decided) v WHERE v.verdict <> 'ASK_AGAIN';
  UPDATE order_balance ob SET committed_minor = ob.committed_minor - b.minor
    FROM (SELECT o.order_id, v.minor FROM (SELECT order_id, sum(amount_minor)::bigint AS minor FROM review_rows(decided) WHERE verdict = 'NOT_DONE' AND balanced GROUP BY 1) v
            JOIN order_balance o ON o.organisation_id = org AND o.order_id = v.order_id ORDER BY o.order_id FOR UPDATE OF o) b
   WHERE ob.organisation_id = org AND ob.order_id = b.order_id;
  SELECT count(*) FILTER (WHERE verdict = 'DONE' AND was = 'Q')::int AS done, coalesce(sum(amount_minor) FILTER (WHERE verdict = 'DONE' AND was = 'Q'), 0)::bigint AS done_minor,
         count(*) FILTER (WHERE verdict = 'NOT_DONE' AND was = 'Q')::int AS not_done, coalesce(sum(amount_minor) FILTER (WHERE verdict = 'NOT_DONE' AND was = 'Q'), 0)::bigint AS not_done_minor,
         count(*) FILTER (WHERE verdict = 'NOT_DONE' AND was = 'A')::int AS taken, coalesce(sum(amount_minor) FILTER (WHERE verdict = 'NOT_DONE' AND was = 'A'), 0)::bigint AS taken_minor,
         count(*) FILTER (WHERE verdict <> 'ASK_AGAIN' AND was = 'A')::int AS pending
    INTO s FROM review_rows(decided);
  UPDATE batch_progress p SET queued = queued - s.done - s.not_done, accepted = accepted + s.done - s.taken, failed = failed + s.not_done + s.taken, pending = pending - s.pending,
         queued_minor = queued_minor - s.done_minor - s.not_done_minor, accepted_minor = accepted_minor + s.done_minor - s.taken_minor,
         failed_minor = failed_minor + s.not_done_minor + s.taken_minor, updated_at = now()
   WHERE p.organisation_id = org AND p.batch_id = p_batch;
  PERFORM pg_notify('batchdesk_work', org::text);
  RETURN n;
END $$;

-- Before attempt_guard (triggers fire by name), which would have marked the task as being sent.
CREATE FUNCTION ask_only() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
BEGIN
  PERFORM FROM open_task t WHERE t.organisation_id = NEW.organisation_id AND t.batch_id = NEW.batch_id AND t.row_no = NEW.from_row AND t.revision = NEW.revision AND t.reviewed;
  IF FOUND THEN RETURN NULL; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER ask_only BEFORE INSERT ON attempt FOR EACH ROW WHEN (NEW.chunk_no IS NULL) EXECUTE FUNCTION ask_only();

-- What is asked of people is told to them (0004), also of what the gateway took before.
CREATE TRIGGER tell_review_taken AFTER UPDATE ON open_task FOR EACH ROW
  WHEN (NEW.state = 'PENDING' AND NEW.refund_status = 'MANUAL_REVIEW' AND OLD.refund_status IS DISTINCT FROM 'MANUAL_REVIEW') EXECUTE FUNCTION tell_review();

---------------------------------------------------------------------------------------------------- where the gateway and we differ
CREATE TABLE review_entry (                     -- a difference about money; people acknowledge it, nothing changes it
  organisation_id uuid NOT NULL REFERENCES organisation,
  id              uuid NOT NULL DEFAULT gen_random_uuid(),
  batch_id        uuid NOT NULL,
  row_no          int NOT NULL,
  revision        smallint NOT NULL,
  kind            text NOT NULL CHECK (kind IN ('done_after_failure', 'failed_after_success', 'missing', 'extra', 'amount', 'status')),
  order_id        text COLLATE "C" NOT NULL,
  gateway_key     text COLLATE "C" NOT NULL,
  ours            text NOT NULL,                -- the task's state as we had it
  ours_minor      bigint NOT NULL,
  theirs          text,                         -- the gateway's word; null: it has nothing
  theirs_minor    bigint,
  gw_ref          text COLLATE "C",
  since           timestamptz,                  -- since when we had it so
  fact            text NOT NULL,                -- the same fact found again is not a second entry, also after it was acknowledged
  at              timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (organisation_id, id),
  UNIQUE (organisation_id, batch_id, row_no, revision, fact),
  FOREIGN KEY (organisation_id, batch_id) REFERENCES batch (organisation_id, id)
);
CREATE TABLE review_acknowledgement (           -- the primary key is the rule "once"
  organisation_id uuid NOT NULL,
  entry_id        uuid NOT NULL,
  person_id       uuid NOT NULL DEFAULT current_person(),   -- not granted for insert: always the session's person
  note            text NOT NULL CHECK (length(btrim(note)) BETWEEN 1 AND 500),
  at              timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (organisation_id, entry_id),
  FOREIGN KEY (organisation_id, entry_id) REFERENCES review_entry (organisation_id, id)
);

-- Whoever writes a reversal: it is an entry in review. People are told by 0004.
CREATE FUNCTION reversal_is_reviewed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
BEGIN
  INSERT INTO review_entry (organisation_id, batch_id, row_no, revision, kind, order_id, gateway_key, ours, ours_minor, theirs, theirs_minor, gw_ref, since, fact)
  SELECT NEW.organisation_id, NEW.batch_id, NEW.row_no, NEW.revision, CASE WHEN NEW.succeeded THEN 'done_after_failure' ELSE 'failed_after_success' END,
         r.order_id, r.gateway_key, CASE WHEN NEW.succeeded THEN 'FAILED' ELSE 'SUCCEEDED' END, r.amount_minor, NEW.refund_status, r.amount_minor, NEW.gw_ref, o.at, 'reversal'
    FROM record r JOIN outcome o USING (organisation_id, batch_id, row_no, revision)
   WHERE r.organisation_id = NEW.organisation_id AND r.batch_id = NEW.batch_id AND r.row_no = NEW.row_no AND r.revision = NEW.revision
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER reversal_is_reviewed AFTER INSERT ON reversal FOR EACH ROW EXECUTE FUNCTION reversal_is_reviewed();

---------------------------------------------------------------------------------------------------- reconciliation
CREATE TABLE reconciliation (                   -- one comparison of a batch with the gateway; reads only
  organisation_id uuid NOT NULL REFERENCES organisation,
  id              uuid NOT NULL DEFAULT gen_random_uuid(),
  batch_id        uuid NOT NULL,
  gateway_id      uuid NOT NULL,
  cause           text NOT NULL CHECK (cause IN ('END', 'NIGHT')),
  next_row        int NOT NULL DEFAULT 1,       -- orders that first stand in rows below it are compared
  run_at          timestamptz NOT NULL,         -- due from, or end of the lease, as in chunk
  owner           uuid,
  epoch           bigint NOT NULL DEFAULT 0,    -- the fence, as in chunk
  tries           smallint NOT NULL DEFAULT 0,  -- questions without an answer since the last one with
  orders          int NOT NULL DEFAULT 0,       -- orders read
  unread          int NOT NULL DEFAULT 0,       -- orders that could not be read
  entries         int NOT NULL DEFAULT 0,       -- review entries that it made
  records         int,                          -- set at its end: rows of the batch, ...
  agreed          int,                          -- ... those where file, outcome and gateway agree, ...
  open            int,                          -- ... and those without a last word, which were not compared
  result          text CHECK (result IN ('DONE', 'CANNOT_LIST')),
  created_at      timestamptz NOT NULL DEFAULT now(),
  finished_at     timestamptz,
  CHECK ((finished_at IS NULL) = (result IS NULL)),
  PRIMARY KEY (organisation_id, id),
  FOREIGN KEY (organisation_id, batch_id) REFERENCES batch (organisation_id, id)
);
CREATE UNIQUE INDEX reconciliation_one ON reconciliation (organisation_id, batch_id) WHERE finished_at IS NULL;    -- several processes, one comparison
CREATE INDEX reconciliation_due ON reconciliation (organisation_id, gateway_id, run_at) WHERE finished_at IS NULL;
CREATE INDEX reconciliation_last ON reconciliation (organisation_id, batch_id, finished_at);

CREATE TABLE reconciliation_difference (        -- appended, never changed
  organisation_id   uuid NOT NULL,
  reconciliation_id uuid NOT NULL,
  id                uuid NOT NULL DEFAULT gen_random_uuid(),
  batch_id          uuid NOT NULL,
  row_no            int,                        -- null: a refund at the gateway that is not ours
  revision          smallint,
  kind              text NOT NULL CHECK (kind IN ('missing', 'extra', 'amount', 'status', 'outside', 'unread')),
  order_id          text COLLATE "C" NOT NULL,
  gateway_key       text COLLATE "C",
  ours              text,
  ours_minor        bigint,
  theirs            text,
  theirs_minor      bigint,
  gw_ref            text COLLATE "C",
  reversed          boolean NOT NULL DEFAULT false,   -- the gateway's word was taken over: a reversal
  PRIMARY KEY (organisation_id, reconciliation_id, id),
  FOREIGN KEY (organisation_id, reconciliation_id) REFERENCES reconciliation (organisation_id, id)
);

CREATE TABLE reconciliation_night (             -- the schedule: which night was planned last, so that several processes plan it once
  organisation_id uuid PRIMARY KEY REFERENCES organisation,
  night           timestamptz NOT NULL
);

-- At the end of a batch; a little later, because a gateway's list may lag behind its replies.
CREATE FUNCTION reconcile_at_end() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
BEGIN
  INSERT INTO reconciliation (organisation_id, batch_id, gateway_id, cause, run_at)
  SELECT b.organisation_id, b.id, b.gateway_id, 'END', now() + interval '20 seconds' FROM batch b
   WHERE b.organisation_id = NEW.organisation_id AND b.id = NEW.batch_id AND b.operation = 'refund' AND b.status IN ('processing', 'paused', 'completed', 'completed_with_failures', 'cancelled')
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER reconcile_at_end AFTER UPDATE ON batch_progress FOR EACH ROW WHEN (NEW.queued = 0 AND OLD.queued > 0) EXECUTE FUNCTION reconcile_at_end();

-- Which connections have a comparison due, and which organisations there are to plan nights for: the things seen across organisations.
CREATE FUNCTION reconciliations_due() RETURNS TABLE (organisation_id uuid, gateway_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
  SELECT DISTINCT r.organisation_id, r.gateway_id FROM reconciliation r WHERE r.finished_at IS NULL AND r.run_at <= now() $$;
CREATE FUNCTION reconciliation_nights() RETURNS TABLE (organisation_id uuid, zone text, night timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
  SELECT o.id, o.zone, n.night FROM organisation o LEFT JOIN reconciliation_night n ON n.organisation_id = o.id $$;

---------------------------------------------------------------------------------------------------- row-level security and grants
DO $$ DECLARE t text; BEGIN
  FOREACH t IN ARRAY ARRAY['review_entry','review_acknowledgement','reconciliation','reconciliation_difference','reconciliation_night'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY; ALTER TABLE %I FORCE ROW LEVEL SECURITY;
      CREATE POLICY tenant ON %I TO batchdesk_web, batchdesk_worker, batchdesk_owner
        USING (organisation_id = (SELECT current_organisation())) WITH CHECK (organisation_id = (SELECT current_organisation()))', t, t, t);
  END LOOP;
  FOREACH t IN ARRAY ARRAY['reconciliation','reconciliation_night'] LOOP
    EXECUTE format('CREATE POLICY lanes ON %I FOR SELECT TO batchdesk_scheduler USING ((SELECT current_user = ''batchdesk_scheduler''))', t);
  END LOOP;
END $$;

REVOKE EXECUTE ON FUNCTION in_review(text, text), review_seen(open_task), review_rows(jsonb), review_propose(uuid, int[], smallint[], text[], text, text[], text),
  review_close(uuid, int[], smallint[], smallint[], text, text), ask_only(), reversal_is_reviewed(),
  reconcile_at_end(), reconciliations_due(), reconciliation_nights() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION in_review(text, text), review_seen(open_task) TO batchdesk_web, batchdesk_worker;
GRANT EXECUTE ON FUNCTION review_propose(uuid, int[], smallint[], text[], text, text[], text), review_close(uuid, int[], smallint[], smallint[], text, text) TO batchdesk_web;
GRANT EXECUTE ON FUNCTION reconciliations_due(), reconciliation_nights() TO batchdesk_worker;
REVOKE INSERT ON review_proposal, review_confirmation FROM batchdesk_web;    -- review_propose, review_close
REVOKE INSERT (organisation_id, batch_id, row_no, revision, n, verdict, gw_ref, reason) ON review_proposal FROM batchdesk_web;
REVOKE INSERT (organisation_id, batch_id, row_no, revision, n) ON review_confirmation FROM batchdesk_web;

GRANT SELECT ON review_entry, review_acknowledgement, reconciliation, reconciliation_difference TO batchdesk_web;
GRANT INSERT (organisation_id, entry_id, note) ON review_acknowledgement TO batchdesk_web;
GRANT SELECT ON review_entry, reconciliation, reconciliation_difference, reconciliation_night TO batchdesk_worker;
GRANT INSERT ON review_entry, reconciliation, reconciliation_difference, reconciliation_night TO batchdesk_worker;
GRANT UPDATE (next_row, run_at, owner, epoch, tries, orders, unread, entries, records, agreed, open, result, finished_at) ON reconciliation TO batchdesk_worker;
GRANT UPDATE (night) ON reconciliation_night TO batchdesk_worker;
GRANT INSERT ON recheck TO batchdesk_worker;                                 -- what a comparison found about a task in review is asked after

GRANT SELECT (organisation_id, gateway_id, run_at, finished_at) ON reconciliation TO batchdesk_scheduler;
GRANT SELECT ON reconciliation_night TO batchdesk_scheduler;
GRANT CREATE ON SCHEMA desk TO batchdesk_scheduler;
ALTER FUNCTION reconciliations_due() OWNER TO batchdesk_scheduler;
ALTER FUNCTION reconciliation_nights() OWNER TO batchdesk_scheduler;
REVOKE CREATE ON SCHEMA desk FROM batchdesk_scheduler;
