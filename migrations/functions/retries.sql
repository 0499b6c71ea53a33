-- Failed rows sent again in place.

-- Failed rows again, in place: each given row becomes the next revision of its row_no and goes through the same path as
-- the file did. p_base is the revision of the batch that the person was shown: of two people at once, the second is
-- refused.
CREATE OR REPLACE FUNCTION open_revision(p_batch uuid, p_base smallint, p_row int[], p_order text[], p_amount bigint[],
  p_key text[], p_unique text[], p_txn text[],
                              p_sha256 bytea[], p_extra text[], p_chunk_rows int DEFAULT 500) RETURNS smallint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
DECLARE org uuid := current_organisation(); b batchdesk.batch; rev smallint; need boolean; rule int; n int; total bigint;
  was bigint; first_chunk int; hash bytea;
BEGIN
  IF p_chunk_rows NOT BETWEEN 1 AND 1000 THEN RAISE EXCEPTION 'chunk size' USING ERRCODE = 'BD422'; END IF;
  IF current_person() IS NULL THEN RAISE EXCEPTION 'nobody asks' USING ERRCODE = 'BD403'; END IF;
  PERFORM gate(org, true);                             -- before the batch: the decision written below takes it too
  SELECT * INTO b FROM batch WHERE organisation_id = org AND id = p_batch FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'no such batch' USING ERRCODE = 'BD404'; END IF;
  IF b.revision <> p_base THEN RAISE EXCEPTION 'failed rows were sent again meanwhile' USING ERRCODE = 'BD412'; END IF;
  IF b.status <> 'completed_with_failures' THEN RAISE EXCEPTION 'batch is %', b.status USING ERRCODE = 'BD409'; END IF;
  -- A late word of the gateway can still turn such a row into a success.
  IF EXISTS (SELECT FROM recheck k WHERE k.organisation_id = org AND k.batch_id = p_batch AND k.row_no = ANY (p_row))
  THEN RAISE EXCEPTION 'the gateway is being asked about these rows' USING ERRCODE = 'BD429'; END IF;
  rev := b.revision + 1;
  INSERT INTO record (organisation_id, batch_id, row_no, sheet_row, revision, order_id, amount_minor, gateway_key,
    unique_id, txn_id, request_sha256, extra)
  SELECT org, p_batch, u.row_no, r.sheet_row, rev, u.order_id, u.amount_minor, u.gateway_key, u.unique_id, u.txn_id,
    u.request_sha256, u.extra
    FROM unnest(p_row, p_order, p_amount, p_key, p_unique, p_txn, p_sha256, p_extra)
         AS u(row_no, order_id, amount_minor, gateway_key, unique_id, txn_id, request_sha256, extra)
    JOIN LATERAL (SELECT l.sheet_row, l.revision FROM record l
      WHERE l.organisation_id = org AND l.batch_id = p_batch AND l.row_no = u.row_no
                   ORDER BY l.revision DESC LIMIT 1) r ON true
    CROSS JOIN LATERAL (SELECT k.succeeded FROM outcome k
      WHERE k.organisation_id = org AND k.batch_id = p_batch AND k.row_no = u.row_no AND k.revision = r.revision
      OFFSET 0) o
    LEFT JOIN LATERAL (SELECT k.succeeded FROM reversal k
      WHERE k.organisation_id = org AND k.batch_id = p_batch AND k.row_no = u.row_no AND k.revision = r.revision
      OFFSET 0) x ON true
   WHERE NOT coalesce(x.succeeded, o.succeeded)
     AND NOT EXISTS (SELECT FROM record k
       WHERE k.organisation_id = org AND k.gateway_key = u.gateway_key COLLATE "C" AND (k.batch_id = p_batch) IS TRUE
       OFFSET 0)
   ORDER BY u.row_no;
  GET DIAGNOSTICS n = ROW_COUNT;
  IF n = 0 OR n <> cardinality(p_row) OR n <> (SELECT count(DISTINCT k) FROM unnest(p_key) AS k)
  THEN RAISE EXCEPTION 'only failed rows can be sent again, each under a new key' USING ERRCODE = 'BD409'; END IF;
  PERFORM take_unique_ids(org, p_batch, rev);
  SELECT sum(r.amount_minor), sum(before.amount_minor) INTO total, was
    FROM record r
    JOIN LATERAL (SELECT l.amount_minor FROM record l
      WHERE l.organisation_id = org AND l.batch_id = p_batch AND l.row_no = r.row_no AND l.revision < rev
                   ORDER BY l.revision DESC LIMIT 1) before ON true
   WHERE r.organisation_id = org AND r.batch_id = p_batch AND r.revision = rev AND r.row_no = ANY (p_row);
  SELECT * INTO need, rule FROM decision_needed(b.operation);
  hash := content_sha256(p_batch, rev);
  INSERT INTO batch_revision VALUES (org, p_batch, rev, current_person(), hash, need, n, total, now());
  SELECT max(chunk_no) + 1 INTO first_chunk FROM chunk WHERE organisation_id = org AND batch_id = p_batch;
  INSERT INTO chunk (organisation_id, batch_id, chunk_no, revision, gateway_id, from_row, to_row, next_row, size,
    remaining, state, run_at)
  SELECT org, p_batch, first_chunk + c.g, rev, b.gateway_id, min(c.row_no), max(c.row_no), min(c.row_no), count(*),
    count(*),
         CASE WHEN need THEN 'HELD' ELSE 'WAITING' END, CASE WHEN need THEN 'infinity' ELSE now() END
    FROM (SELECT k.row_no, ((row_number() OVER (ORDER BY k.row_no) - 1) / p_chunk_rows)::int AS g
      FROM unnest(p_row) AS k(row_no)) c GROUP BY c.g;
  UPDATE batch SET revision = rev, amount_minor = amount_minor - was + total, updated_at = now(),
         status = CASE WHEN need THEN 'awaiting_approval' ELSE 'processing' END,
         expires_at = CASE WHEN need THEN now() + (SELECT make_interval(days => o.approval_days) FROM organisation o
           WHERE o.id = org) END
   WHERE organisation_id = org AND id = p_batch;
  UPDATE batch_progress SET failed = failed - n, queued = queued + n, failed_minor = failed_minor - was,
    queued_minor = queued_minor + total,
         amount_minor = amount_minor - was + total, updated_at = now()
   WHERE organisation_id = org AND batch_id = p_batch;
  -- The orders are read anew before these rows are sent.
  DELETE FROM order_seen s WHERE s.organisation_id = org AND s.batch_id = p_batch AND s.order_id = ANY (p_order);
  DELETE FROM retry_draft d WHERE d.organisation_id = org AND d.batch_id = p_batch;
  IF NOT need THEN
    INSERT INTO decision (organisation_id, batch_id, revision, checker, verdict, content_sha256, rule_version)
    VALUES (org, p_batch, rev, NULL, 'NOT_REQUIRED', hash, rule);
    PERFORM pg_notify('batchdesk_work', org::text);
  END IF;
  RETURN rev;
END $$;

---------------------------------------------------------------------------------------------------- grants
GRANT EXECUTE ON FUNCTION open_revision(uuid, smallint, int[], text[], bigint[], text[], text[], text[], bytea[],
  text[], int) TO batchdesk_web;
