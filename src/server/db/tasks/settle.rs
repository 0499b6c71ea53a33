//! T3: what became of first sends, in groups.

use super::{TaskReply, claim::ChunkLease};
use crate::db::Tx;
use uuid::Uuid;

/// Replies to rows of one chunk, kept as one piece of evidence.
#[derive(Clone, Debug)]
pub struct Settled {
    /// Made by us, so that a repeat after a lost COMMIT reply writes it once.
    pub evidence: Uuid,
    /// The chunk they were sent from.
    pub hold: ChunkLease,
    /// Row and what is known about it.
    pub answers: Vec<(i32, TaskReply)>,
    /// The replies as they came, a JSON array.
    pub replies: String,
}

impl Settled {
    fn rows(&self) -> impl Iterator<Item = i32> {
        self.answers.iter().map(|(row, _)| *row)
    }
}

/// Records a group: evidence always; outcomes, open tasks, balances and counters only where the chunk's epoch still
/// holds. An amount that differs from the record's goes to REVIEW. Returns the indices (from 0) of the runs that were
/// not fenced.
pub async fn settle(tx: &mut Tx, runs: &[Settled]) -> sqlx::Result<Vec<usize>> {
    let organisation = tx.organisation();
    let flat: Vec<(i32, i32, &TaskReply)> = (1i32..)
        .zip(runs)
        .flat_map(|(number, run)| run.answers.iter().map(move |(row, answer)| (number, *row, answer)))
        .collect();
    let unfenced: Vec<(i32,)> = sqlx::query_as(
        "WITH run AS MATERIALIZED (
           SELECT * FROM unnest($2::uuid[], $3::int[], $4::bigint[], $5::uuid[], $6::int[], $7::int[], $8::text[])
                    WITH ORDINALITY AS u(batch_id, chunk_no, epoch, evidence_id, from_row, to_row, replies, run)),
         fence AS MATERIALIZED (
           SELECT u.run::int AS run, u.evidence_id, c.batch_id, c.chunk_no, c.revision, c.gateway_id, c.from_row,
             c.next_row
             FROM run u JOIN chunk c ON c.organisation_id = $1 AND c.batch_id = u.batch_id AND c.chunk_no = u.chunk_no
               AND c.epoch = u.epoch
            ORDER BY c.batch_id, c.chunk_no FOR UPDATE OF c),
         kept AS (
           INSERT INTO evidence (organisation_id, batch_id, id, from_row, to_row, chunk_no, epoch, source, fenced,
             replies)
           SELECT $1, u.batch_id, u.evidence_id, u.from_row, u.to_row, u.chunk_no, u.epoch, 'SEND',
             u.run NOT IN (SELECT run FROM fence), u.replies
             FROM run u ON CONFLICT DO NOTHING RETURNING id),
         live AS MATERIALIZED (
           SELECT f.* FROM fence f WHERE f.evidence_id IN (SELECT id FROM kept)),
         reply AS MATERIALIZED (
           SELECT f.batch_id, f.chunk_no, f.revision, f.gateway_id, x.row_no, r.amount_minor, r.order_id, x.http,
             x.gw_ref, x.gateway_status, x.gateway_kind,
                  x.code, x.message, x.wait,
                  CASE WHEN x.class IN ('SUCCEEDED', 'PENDING') AND x.confirmed_minor IS DISTINCT FROM r.amount_minor
                    THEN 'REVIEW' ELSE x.class END AS class
             FROM unnest($9::int[], $10::int[], $11::text[], $12::smallint[], $13::text[], $14::text[], $15::text[],
               $16::text[], $17::text[], $18::bigint[], $19::float8[])
                  AS x(run, row_no, class, http, gw_ref, gateway_status, gateway_kind, code, message, confirmed_minor,
                    wait)
             JOIN live f ON f.run = x.run AND x.row_no >= f.from_row AND x.row_no < f.next_row
             CROSS JOIN LATERAL (SELECT * FROM record r WHERE r.organisation_id = $1 AND r.batch_id = f.batch_id
               AND r.row_no = x.row_no AND r.revision = f.revision OFFSET 0) r),
         final AS (
           INSERT INTO outcome (organisation_id, batch_id, row_no, revision, attempts, succeeded, http, gw_ref,
             gateway_status, gateway_kind, code, message)
           SELECT $1, batch_id, row_no, revision, 1, class = 'SUCCEEDED', http, gw_ref, gateway_status, gateway_kind,
             code, message
             FROM reply WHERE class IN ('SUCCEEDED', 'FAILED')),
         opened AS (
           INSERT INTO open_task (organisation_id, batch_id, row_no, revision, gateway_id, state, run_at, attempts,
             first_sent_at, last_sent_at,
                                  gw_ref, gateway_status, gateway_kind, code, message)
           SELECT $1, y.batch_id, y.row_no, y.revision, y.gateway_id, y.class, now() + make_interval(secs => y.wait), 1,
             a.at, a.at,
                  y.gw_ref, y.gateway_status, y.gateway_kind, y.code, y.message
             FROM reply y
             JOIN LATERAL (SELECT at FROM attempt a WHERE a.organisation_id = $1 AND a.batch_id = y.batch_id
               AND a.revision = y.revision AND a.attempt = 1
                              AND a.from_row <= y.row_no ORDER BY a.from_row DESC LIMIT 1) a ON true
            WHERE y.class NOT IN ('SUCCEEDED', 'FAILED')),
         tally AS MATERIALIZED (
           SELECT batch_id, chunk_no, count(*)::int AS n,
                  count(*) FILTER (WHERE class IN ('SUCCEEDED', 'PENDING'))::int AS accepted, count(*)
                    FILTER (WHERE class = 'FAILED')::int AS failed,
                  count(*) FILTER (WHERE class = 'PENDING')::int AS pending,
                  coalesce(sum(amount_minor) FILTER (WHERE class IN ('SUCCEEDED', 'PENDING')),
                    0)::bigint AS accepted_minor,
                  coalesce(sum(amount_minor) FILTER (WHERE class = 'FAILED'), 0)::bigint AS failed_minor
             FROM reply GROUP BY batch_id, chunk_no),
         lowered AS (
           UPDATE chunk c SET remaining = c.remaining - t.n, state = CASE WHEN c.remaining = t.n THEN 'DONE'
             ELSE c.state END
             FROM tally t WHERE c.organisation_id = $1 AND c.batch_id = t.batch_id AND c.chunk_no = t.chunk_no),
         given AS (
           UPDATE order_balance ob SET committed_minor = ob.committed_minor - b.minor
             FROM (SELECT y.order_id, sum(y.amount_minor)::bigint AS minor FROM reply y
                     JOIN LATERAL (SELECT a.balanced FROM attempt a WHERE a.organisation_id = $1
                       AND a.batch_id = y.batch_id AND a.revision = y.revision AND a.attempt = 1
                                      AND a.from_row <= y.row_no ORDER BY a.from_row DESC LIMIT 1) a ON a.balanced
                    WHERE y.class = 'FAILED' GROUP BY 1 ORDER BY 1) b
            WHERE ob.organisation_id = $1 AND ob.order_id = b.order_id),
         counted AS (
           UPDATE batch_progress p SET queued = p.queued - s.accepted - s.failed, accepted = p.accepted + s.accepted,
             failed = p.failed + s.failed, pending = p.pending + s.pending,
                  queued_minor = p.queued_minor - s.accepted_minor - s.failed_minor,
                    accepted_minor = p.accepted_minor + s.accepted_minor,
                  failed_minor = p.failed_minor + s.failed_minor, updated_at = now()
             FROM (SELECT batch_id, sum(accepted)::int AS accepted, sum(failed)::int AS failed,
               sum(pending)::int AS pending, sum(accepted_minor)::bigint AS accepted_minor,
                          sum(failed_minor)::bigint AS failed_minor FROM tally WHERE accepted + failed > 0
                            GROUP BY batch_id ORDER BY batch_id) s
            WHERE p.organisation_id = $1 AND p.batch_id = s.batch_id)
         SELECT run FROM fence",
    )
    .bind(organisation.0)
    .bind(runs.iter().map(|run| run.hold.batch).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.hold.chunk).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.hold.epoch).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.evidence).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.rows().min().unwrap_or(0)).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.rows().max().unwrap_or(0)).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.replies.clone()).collect::<Vec<_>>())
    .bind(flat.iter().map(|(number, _, _)| *number).collect::<Vec<_>>())
    .bind(flat.iter().map(|(_, row, _)| *row).collect::<Vec<_>>())
    .bind(flat.iter().map(|(_, _, answer)| answer.verdict.code()).collect::<Vec<_>>())
    .bind(flat.iter().map(|(_, _, answer)| answer.http).collect::<Vec<_>>())
    .bind(flat.iter().map(|(_, _, answer)| answer.reference.clone()).collect::<Vec<_>>())
    .bind(flat.iter().map(|(_, _, answer)| answer.gateway_status.clone()).collect::<Vec<_>>())
    .bind(flat.iter().map(|(_, _, answer)| answer.gateway_kind.clone()).collect::<Vec<_>>())
    .bind(flat.iter().map(|(_, _, answer)| answer.code.clone()).collect::<Vec<_>>())
    .bind(flat.iter().map(|(_, _, answer)| answer.message.clone()).collect::<Vec<_>>())
    .bind(flat.iter().map(|(_, _, answer)| answer.confirmed_minor).collect::<Vec<_>>())
    .bind(flat.iter().map(|(_, _, answer)| answer.wait.as_secs_f64()).collect::<Vec<_>>())
    .fetch_all(tx.conn())
    .await?;
    Ok(unfenced.into_iter().filter_map(|(run,)| usize::try_from(run - 1).ok()).collect())
}

/// Keeps replies as evidence and moves nothing: the last resort when a group cannot be settled.
pub async fn keep_evidence(tx: &mut Tx, runs: &[Settled]) -> sqlx::Result<()> {
    let organisation = tx.organisation();
    sqlx::query(
        "INSERT INTO evidence (organisation_id, batch_id, id, from_row, to_row, chunk_no, epoch, source, fenced,
         replies)
         SELECT $1, u.batch_id, u.id, u.from_row, u.to_row, u.chunk_no, u.epoch, 'SEND', true, u.replies
           FROM unnest($2::uuid[], $3::int[], $4::bigint[], $5::uuid[], $6::int[], $7::int[], $8::text[]) AS u(batch_id,
             chunk_no, epoch, id, from_row, to_row, replies)
         ON CONFLICT DO NOTHING",
    )
    .bind(organisation.0)
    .bind(runs.iter().map(|run| run.hold.batch).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.hold.chunk).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.hold.epoch).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.evidence).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.rows().min().unwrap_or(0)).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.rows().max().unwrap_or(0)).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.replies.clone()).collect::<Vec<_>>())
    .execute(tx.conn())
    .await
    .map(|_| ())
}
