-- Unique ids: taken when a batch is made, given back when it ends without that row having been attempted.

-- Takes the unique ids of a revision, or names every row whose id is taken. Where each of them could be added none was
-- taken, and there is nothing to look for. Of a new batch hardly one ever is: adding without asking first takes half
-- the time. Rows of a later revision have ids that they hold already.
CREATE OR REPLACE FUNCTION take_unique_ids(p_organisation uuid, p_batch uuid, p_revision smallint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp SET work_mem = '32MB' AS $$
DECLARE wanted bigint; added bigint; taken text;
BEGIN
  IF p_revision = 1 THEN
    BEGIN
      INSERT INTO unique_id_taken (organisation_id, unique_id, batch_id, row_no)
      SELECT p_organisation, unique_id, p_batch, row_no FROM record
       WHERE organisation_id = p_organisation AND batch_id = p_batch AND revision = 1 AND unique_id IS NOT NULL
       ORDER BY unique_id, row_no;                     -- as below
      RETURN;
    EXCEPTION WHEN unique_violation THEN NULL;
    END;
  END IF;
  SELECT count(*) INTO wanted FROM record
   WHERE organisation_id = p_organisation AND batch_id = p_batch AND revision = p_revision AND unique_id IS NOT NULL;
  INSERT INTO unique_id_taken (organisation_id, unique_id, batch_id, row_no)
  SELECT p_organisation, unique_id, p_batch, row_no FROM record
   WHERE organisation_id = p_organisation AND batch_id = p_batch AND revision = p_revision AND unique_id IS NOT NULL
   ORDER BY unique_id, row_no                          -- two batches with the same ids: one waits, no ring
  ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS added = ROW_COUNT;
  IF added = wanted THEN RETURN; END IF;
  SELECT json_agg(json_build_object('row_no', r.row_no, 'sheet_row', r.sheet_row, 'unique_id', r.unique_id, 'batch_id',
    u.batch_id, 'other_row', u.row_no) ORDER BY r.row_no)::text INTO taken
    FROM record r CROSS JOIN LATERAL (SELECT t.batch_id, t.row_no FROM unique_id_taken t
      WHERE t.organisation_id = r.organisation_id AND t.unique_id = r.unique_id OFFSET 0) u
   WHERE r.organisation_id = p_organisation AND r.batch_id = p_batch AND r.revision = p_revision
     AND (u.batch_id, u.row_no) <> (r.batch_id, r.row_no);
  IF taken IS NOT NULL THEN RAISE EXCEPTION 'unique ids are taken' USING ERRCODE = 'BD423', DETAIL = taken; END IF;
END $$;

-- Gives back those of these unique ids that the batch holds for rows of which nothing was ever sent under them. The row
-- that holds an id counts, not the one that had it when it failed: a retry may have given it to another.
CREATE OR REPLACE FUNCTION free_unique_ids_of(p_organisation uuid, p_batch uuid, p_ids text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
  DELETE FROM unique_id_taken u USING (
    SELECT t.unique_id FROM unnest(p_ids) AS k(unique_id)
     CROSS JOIN LATERAL (SELECT i.unique_id, i.row_no FROM unique_id_taken i
       WHERE i.organisation_id = p_organisation AND i.unique_id = k.unique_id COLLATE "C"
                            AND (i.batch_id = p_batch) IS TRUE OFFSET 0) t
     WHERE NOT EXISTS (SELECT FROM record p
                         CROSS JOIN LATERAL (SELECT FROM outcome q
                           WHERE q.organisation_id = p.organisation_id AND q.batch_id = p.batch_id
                           AND q.row_no = p.row_no
                                                AND q.revision = p.revision AND q.attempts > 0 OFFSET 0) q
                        WHERE p.organisation_id = p_organisation AND p.batch_id = p_batch AND p.row_no = t.row_no
                          AND p.unique_id = t.unique_id OFFSET 0)
       AND NOT EXISTS (SELECT FROM open_task o
         WHERE o.organisation_id = p_organisation AND o.batch_id = p_batch AND o.row_no = t.row_no OFFSET 0)
     OFFSET 0) f
   WHERE u.organisation_id = p_organisation AND u.unique_id = f.unique_id;
$$;

-- A batch that ended gives back the unique ids of rows that were never sent.
CREATE OR REPLACE FUNCTION free_unique_ids(p_organisation uuid, p_batch uuid, p_all boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
BEGIN
  IF p_all THEN
    PERFORM free_unique_ids_of(p_organisation, p_batch, ARRAY(
      SELECT r.unique_id FROM record r
        WHERE r.organisation_id = p_organisation AND r.batch_id = p_batch AND r.unique_id IS NOT NULL));
  ELSE
    PERFORM free_unique_ids_of(p_organisation, p_batch, ARRAY(
      SELECT u.unique_id FROM outcome o
        CROSS JOIN LATERAL (SELECT r.unique_id FROM record r
          WHERE r.organisation_id = o.organisation_id AND r.batch_id = o.batch_id AND r.row_no = o.row_no
                               AND r.revision = o.revision AND r.unique_id IS NOT NULL OFFSET 0) u
       WHERE o.organisation_id = p_organisation AND o.batch_id = p_batch AND NOT o.succeeded AND o.attempts = 0));
  END IF;
END $$;
