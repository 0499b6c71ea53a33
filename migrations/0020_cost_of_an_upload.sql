-- What an upload paid for and did not need.

-- A file is one large value. The default way to make it smaller takes longer than all its records; a server built without lz4 keeps it.
DO $$ BEGIN ALTER TABLE file ALTER bytes SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL; END $$;

-- Takes the unique ids of a revision, or names every row whose id is taken. Where each of them could be added none was taken, and there is
-- nothing to look for.
CREATE OR REPLACE FUNCTION take_unique_ids(p_organisation uuid, p_batch uuid, p_revision smallint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE wanted bigint; added bigint; taken text;
BEGIN
  SELECT count(*) INTO wanted FROM record
   WHERE organisation_id = p_organisation AND batch_id = p_batch AND revision = p_revision AND unique_id IS NOT NULL;
  INSERT INTO unique_id_taken (organisation_id, unique_id, batch_id, row_no)
  SELECT p_organisation, unique_id, p_batch, row_no FROM record
   WHERE organisation_id = p_organisation AND batch_id = p_batch AND revision = p_revision AND unique_id IS NOT NULL
   ORDER BY unique_id, row_no                          -- two batches with the same ids: one waits, no ring
  ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS added = ROW_COUNT;
  IF added = wanted THEN RETURN; END IF;
  SELECT json_agg(json_build_object('row_no', r.row_no, 'sheet_row', r.sheet_row, 'unique_id', r.unique_id, 'batch_id', u.batch_id, 'other_row', u.row_no) ORDER BY r.row_no)::text INTO taken
    FROM record r CROSS JOIN LATERAL (SELECT t.batch_id, t.row_no FROM unique_id_taken t WHERE t.organisation_id = r.organisation_id AND t.unique_id = r.unique_id OFFSET 0) u
   WHERE r.organisation_id = p_organisation AND r.batch_id = p_batch AND r.revision = p_revision AND (u.batch_id, u.row_no) <> (r.batch_id, r.row_no);
  IF taken IS NOT NULL THEN RAISE EXCEPTION 'unique ids are taken' USING ERRCODE = 'BD423', DETAIL = taken; END IF;
END $$;
