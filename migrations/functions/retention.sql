-- How long files are kept.

-- Lets go of the files of batches that changed last before p_before, at most of p_most of them; their bytes go when no
-- other batch and no draft names them (the housekeeping). Only of batches that are over: nothing of them is to be
-- decided, sent, asked after, reviewed or compared. Returns how many, and their bytes.
CREATE OR REPLACE FUNCTION expire_files(
  p_works text[], p_before timestamptz, p_now timestamptz, p_most int, OUT batches bigint, OUT bytes bigint)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, batchdesk, pg_temp AS $$
  WITH ended AS (
    SELECT b.id FROM batch b JOIN batch_progress p ON p.organisation_id = b.organisation_id AND p.batch_id = b.id
     WHERE b.organisation_id = current_organisation() AND b.work = ANY (p_works)
       AND b.file_sha256 IS NOT NULL AND b.file_deleted_at IS NULL
       AND b.created_at < p_before AND greatest(b.updated_at, p.updated_at) < p_before
       AND (b.status IN ('invalid', 'rejected', 'withdrawn', 'expired')
         OR b.status IN ('completed', 'completed_with_failures', 'cancelled') AND p.queued = 0 AND p.pending = 0)
       AND NOT EXISTS (SELECT FROM open_task t WHERE t.organisation_id = b.organisation_id AND t.batch_id = b.id)
       AND NOT EXISTS (SELECT FROM review_entry e WHERE e.organisation_id = b.organisation_id AND e.batch_id = b.id
         AND NOT EXISTS (SELECT FROM review_acknowledgement k WHERE k.organisation_id = e.organisation_id
           AND k.entry_id = e.id))
       AND NOT EXISTS (SELECT FROM reconciliation r WHERE r.organisation_id = b.organisation_id AND r.batch_id = b.id
         AND r.finished_at IS NULL)
     ORDER BY b.created_at LIMIT p_most FOR UPDATE OF b SKIP LOCKED
  ), expired AS (
    UPDATE batch b SET file_deleted_at = p_now FROM ended
     WHERE b.organisation_id = current_organisation() AND b.id = ended.id RETURNING b.file_bytes)
  SELECT count(*), coalesce(sum(file_bytes), 0)::bigint FROM expired $$;
GRANT EXECUTE ON FUNCTION expire_files(text[], timestamptz, timestamptz, int) TO batchdesk_worker;
