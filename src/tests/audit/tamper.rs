//! Whoever owns the database changes the trail: every kind of change, many times, and the check sees each.

use super::*;

/// Numbers that are the same in every run of a seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `from` to `to`.
    fn roll(&mut self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.next() % u64::try_from(to - from + 1).unwrap()).unwrap()
    }
}

/// What is done to the trail. `Rechained`: every later link is computed anew, so that the chain alone looks sound;
/// `Rehashed`: the entry's own link is, and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Edit,
    EditRechained,
    EditRehashed,
    EditLink,
    Delete,
    DeleteWithLink,
    DeleteRechained,
    Swap,
    InsertLoose,
    InsertLink,
    InsertRechained,
    CutOff,
    CutOffAndInvented,
    CutOffAndQueued,
    Emptied,
    LinkRemoved,
    LinkTwice,
    QueueRowRemoved,
    QueuedEntryRemoved,
    QueuedAgain,
}

const KINDS: [Kind; 20] = [
    Kind::Edit,
    Kind::EditRechained,
    Kind::EditRehashed,
    Kind::EditLink,
    Kind::Delete,
    Kind::DeleteWithLink,
    Kind::DeleteRechained,
    Kind::Swap,
    Kind::InsertLoose,
    Kind::InsertLink,
    Kind::InsertRechained,
    Kind::CutOff,
    Kind::CutOffAndInvented,
    Kind::CutOffAndQueued,
    Kind::Emptied,
    Kind::LinkRemoved,
    Kind::LinkTwice,
    Kind::QueueRowRemoved,
    Kind::QueuedEntryRemoved,
    Kind::QueuedAgain,
];

impl Kind {
    /// SQL on a trail of `end` chained entries.
    fn sql(self, dice: &mut Dice, end: i64) -> String {
        let at = dice.roll(1, end);
        let entry = format!("id = (SELECT audit_id FROM audit_seal WHERE organisation_id = org AND sequence = {at})");
        let invented = |id: &str| {
            format!(
                "INSERT INTO audit (organisation_id, id, at, actor, action, detail)
                 VALUES (org, {id}, now(), 'nobody@acme.test', 'test.act', '{{}}');"
            )
        };
        let edit = match dice.roll(1, 7) {
            1 => "at = at + interval '1 microsecond'",
            2 => "actor = actor || ' '",
            3 => "action = upper(action)",
            4 => "detail = replace(detail, '}', ' }')",
            5 => "person_id = gen_random_uuid()",
            6 => "at = 'infinity'",
            _ => "object_id = CASE WHEN object_id IS NULL THEN gen_random_uuid() END",
        };
        match self {
            Self::Edit => format!("UPDATE audit SET {edit} WHERE organisation_id = org AND {entry};"),
            Self::EditRechained => {
                format!(
                    "UPDATE audit SET actor = 'nobody' WHERE organisation_id = org
                         AND {entry}; PERFORM rechain(org);"
                )
            }
            Self::EditRehashed => {
                let at = dice.roll(1, end - 1);
                format!(
                    "UPDATE audit SET actor = 'nobody' WHERE organisation_id = org
                     AND id = (SELECT audit_id FROM audit_seal WHERE organisation_id = org AND sequence = {at});
                     UPDATE audit_seal k SET hash = audit_hash(k.previous, k.sequence, a) FROM audit a
                      WHERE k.organisation_id = org AND k.sequence = {at} AND a.organisation_id = org
                        AND a.id = k.audit_id;"
                )
            }
            Self::EditLink => {
                let what = if dice.roll(0, 1) == 0 { "hash" } else { "previous" };
                format!("UPDATE audit_seal SET {what} = sha256('x') WHERE organisation_id = org AND sequence = {at};")
            }
            Self::Delete => format!("DELETE FROM audit WHERE organisation_id = org AND {entry};"),
            Self::DeleteWithLink => {
                let at = dice.roll(1, end - 1);
                format!(
                    "DELETE FROM audit WHERE organisation_id = org
                     AND id = (SELECT audit_id FROM audit_seal WHERE organisation_id = org AND sequence = {at});
                     DELETE FROM audit_seal WHERE organisation_id = org AND sequence = {at};"
                )
            }
            Self::DeleteRechained => format!(
                "DELETE FROM audit WHERE organisation_id = org AND {entry}; DELETE FROM audit_seal
                 WHERE organisation_id = org AND sequence = {at};
                 PERFORM rechain(org);"
            ),
            Self::Swap => {
                let other = 1 + (at + dice.roll(0, end - 2)) % end;
                format!(
                    "UPDATE audit_seal k SET audit_id = o.audit_id FROM audit_seal o WHERE k.organisation_id = org
                     AND o.organisation_id = org
                        AND (k.sequence, o.sequence) IN (({at}, {other}), ({other}, {at}));"
                )
            }
            Self::InsertLoose => invented("gen_random_uuid()"),
            Self::InsertLink => format!(
                "{} UPDATE audit_seal SET sequence = -sequence - 1 WHERE organisation_id = org AND sequence >= {at};
                 UPDATE audit_seal SET sequence = -sequence WHERE organisation_id = org AND sequence < 0;
                 INSERT INTO audit_seal SELECT org, {at}, '00000000-0000-0000-0000-000000000001', k.previous, k.hash
                   FROM audit_seal k
                  WHERE k.organisation_id = org AND k.sequence = {at} + 1;",
                invented("'00000000-0000-0000-0000-000000000001'")
            ),
            Self::InsertRechained => format!(
                "{} INSERT INTO audit_seal VALUES (org, {end} + 1, '00000000-0000-0000-0000-000000000001', '', '');
                 UPDATE audit_seal SET audit_id = CASE sequence WHEN {at}
                   THEN '00000000-0000-0000-0000-000000000001'::uuid
                    ELSE (SELECT audit_id FROM audit_seal WHERE organisation_id = org AND sequence = {at}) END
                  WHERE organisation_id = org AND sequence IN ({at}, {end} + 1);
                 PERFORM rechain(org);",
                invented("'00000000-0000-0000-0000-000000000001'")
            ),
            Self::CutOff => format!(
                "DELETE FROM audit WHERE organisation_id = org
                 AND id IN (SELECT audit_id FROM audit_seal WHERE organisation_id = org AND sequence >= {at});
                 DELETE FROM audit_seal WHERE organisation_id = org AND sequence >= {at};"
            ),
            Self::CutOffAndInvented => format!(
                "UPDATE audit SET id = gen_random_uuid(), actor = 'nobody' WHERE organisation_id = org AND {entry};
                 DELETE FROM audit_seal k WHERE k.organisation_id = org AND k.sequence = {at};
                 INSERT INTO audit_seal SELECT org, {at}, a.id, '', '' FROM audit a WHERE a.organisation_id = org
                   AND a.actor = 'nobody';
                 PERFORM rechain(org);"
            ),
            Self::CutOffAndQueued => format!(
                "INSERT INTO audit_waiting SELECT org, audit_id FROM audit_seal WHERE organisation_id = org
                 AND sequence >= {at};
                 DELETE FROM audit_seal WHERE organisation_id = org AND sequence >= {at};"
            ),
            Self::Emptied => {
                let entries = if dice.roll(0, 1) == 0 { "DELETE FROM audit WHERE organisation_id = org;" } else { "" };
                format!(
                    "{entries} DELETE FROM audit_seal WHERE organisation_id = org; DELETE FROM audit_waiting
                         WHERE organisation_id = org;"
                )
            }
            Self::LinkRemoved => format!("DELETE FROM audit_seal WHERE organisation_id = org AND sequence = {at};"),
            Self::LinkTwice => format!(
                "INSERT INTO audit_seal SELECT * FROM audit_seal WHERE organisation_id = org
                                        AND sequence = {at};"
            ),
            Self::QueueRowRemoved => "DELETE FROM audit_waiting WHERE organisation_id = org
                                      AND audit_id = (SELECT audit_id FROM audit_waiting WHERE organisation_id = org
                                      ORDER BY md5(audit_id::text) LIMIT 1);"
                .to_owned(),
            Self::QueuedEntryRemoved => "DELETE FROM audit WHERE organisation_id = org
                                         AND id = (SELECT audit_id FROM audit_waiting WHERE organisation_id = org
                                         ORDER BY md5(audit_id::text) LIMIT 1);"
                .to_owned(),
            Self::QueuedAgain => {
                format!(
                    "INSERT INTO audit_waiting SELECT org, audit_id FROM audit_seal WHERE organisation_id = org
                         AND sequence = {at};"
                )
            }
        }
    }

    /// Whether a finding is one that this change must bring.
    fn is_named_by(self, finding: &Finding) -> bool {
        match self {
            Self::Edit => matches!(finding, Finding::Changed(_)),
            Self::EditRehashed => matches!(finding, Finding::Unlinked(_)),
            Self::EditLink => matches!(finding, Finding::Changed(_)),
            Self::Delete => matches!(finding, Finding::Gone(_)),
            Self::DeleteWithLink => matches!(finding, Finding::Missing(..)),
            Self::Swap | Self::InsertLink => matches!(finding, Finding::Changed(_)),
            Self::InsertLoose | Self::QueueRowRemoved => matches!(finding, Finding::Loose(_)),
            Self::EditRechained | Self::InsertRechained | Self::CutOffAndInvented => {
                matches!(finding, Finding::Contradicted(_))
            }
            Self::DeleteRechained | Self::CutOff | Self::CutOffAndQueued => matches!(finding, Finding::CutOff { .. }),
            Self::Emptied => matches!(finding, Finding::Empty | Finding::Loose(_)),
            Self::LinkRemoved => matches!(finding, Finding::Loose(_)),
            Self::LinkTwice => matches!(finding, Finding::Twice(_)),
            Self::QueuedEntryRemoved => matches!(finding, Finding::WaitingForNothing(_)),
            Self::QueuedAgain => matches!(finding, Finding::ChainedAndWaiting(_)),
        }
    }
}

/// Keeps the trail as it is, and gives whoever owns the database what they need.
const PREPARE: &str = "
CREATE TABLE kept_audit AS TABLE audit; CREATE TABLE kept_seal AS TABLE audit_seal; CREATE TABLE kept_waiting AS TABLE
  audit_waiting;
ALTER TABLE audit_seal DROP CONSTRAINT audit_seal_organisation_id_audit_id_key, DROP CONSTRAINT audit_seal_pkey;
CREATE FUNCTION rechain(org uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE k record; place bigint := 0; last bytea := sha256(convert_to(org::text, 'UTF8'));
BEGIN
  FOR k IN SELECT s.ctid AS tid, a.* FROM audit_seal s JOIN audit a ON a.organisation_id = org AND a.id = s.audit_id
            WHERE s.organisation_id = org ORDER BY s.sequence LOOP
    place := place + 1;
    UPDATE audit_seal SET sequence = place, previous = last,
           hash = audit_hash(last, place, ROW(k.organisation_id, k.id, k.at, k.person_id, k.actor, k.action,
             k.object_id, k.detail)::audit)
     WHERE ctid = k.tid RETURNING hash INTO last;
  END LOOP;
END $$";

const PUT_BACK: &str = "
TRUNCATE audit, audit_seal, audit_waiting;
INSERT INTO audit TABLE kept_audit; INSERT INTO audit_seal TABLE kept_seal; INSERT INTO audit_waiting TABLE
  kept_waiting";

/// Changes of each kind: 1,000 in all in the long form.
fn rounds() -> u64 {
    if std::env::var("BATCHDESK_TORTURE").is_ok_and(|form| form == "long") { 53 } else { 6 }
}

/// A trail of 60 entries that are chained and signed, and some that wait.
async fn trail(test: &TestState) -> (OrganisationId, i64) {
    let organisation = acme(test).await;
    test.upload("maker@acme.test", &refunds(&[("ORD_1", "1")])).await;
    audit::seal_all(&test.state).await.unwrap();
    let chained = heads_of(&test.state).newest(organisation).unwrap().sequence;
    write(&test.state, organisation, usize::try_from(60 - chained).unwrap()).await;
    audit::seal_all(&test.state).await.unwrap();
    write(&test.state, organisation, 4).await;
    (organisation, 60)
}

async fn change(admin: &mut PgConnection, organisation: OrganisationId, sql: &str) {
    let block = format!("DO $change$ DECLARE org uuid := '{organisation}'; BEGIN {sql} END $change$");
    admin.execute(AssertSqlSafe(block.clone())).await.unwrap_or_else(|error| panic!("{error}: {block}"));
}

#[tokio::test]
async fn every_change_of_the_trail_is_seen() {
    let test = TestState::new().await;
    let (organisation, end) = trail(&test).await;
    let mut admin = superuser(&test).await;
    admin.execute(PREPARE).await.unwrap();
    let mut unseen = Vec::new();
    for seed in 0..rounds() {
        for (number, kind) in KINDS.into_iter().enumerate() {
            let sql = kind.sql(&mut Dice(seed * 1_000 + number as u64), end);
            change(&mut admin, organisation, &sql).await;
            let report = of_acme(&test.state, &[]).await;
            if !report.findings.iter().any(|finding| kind.is_named_by(finding)) {
                unseen.push(format!("{kind:?}, seed {seed}: {}\n{sql}", sentences(&report)));
            }
            admin.execute(PUT_BACK).await.unwrap();
            if number == 0 {
                let untouched = of_acme(&test.state, &[]).await;
                assert!(untouched.is_sound(), "put back: {}", sentences(&untouched));
            }
        }
    }
    assert!(unseen.is_empty(), "{}", unseen.join("\n"));
}

#[tokio::test]
async fn an_end_that_was_cut_off_is_seen_with_a_head_that_was_kept_elsewhere() {
    let test = TestState::new().await;
    let (organisation, end) = trail(&test).await;
    let exported = [kept(&test.state)];
    // Whoever cuts it off has the data folder, too.
    std::fs::remove_file(test.state.config.data_dir.join(heads::FILE)).unwrap();
    let mut admin = superuser(&test).await;
    admin.execute(PREPARE).await.unwrap();
    let mut dice = Dice(41);
    let mut seen = 0;
    for _ in 0..100 {
        let first = dice.roll(2, end);
        let cut = format!(
            "DELETE FROM audit WHERE organisation_id = org
             AND id IN (SELECT audit_id FROM audit_seal WHERE organisation_id = org AND sequence >= {first});
             DELETE FROM audit_seal WHERE organisation_id = org
               AND sequence >= {first}; DELETE FROM batch_progress; DELETE FROM batch;"
        );
        change(&mut admin, organisation, &cut).await;
        let alone = of_acme(&test.state, &[]).await;
        assert!(alone.is_sound() && alone.notes.iter().any(|note| note.contains("no signed head")), "{alone:?}");
        let text = sentences(&of_acme(&test.state, &exported).await);
        seen += usize::from(
            text.starts_with(&format!("cut off after entry {}: the signed head names entry {end}", first - 1)),
        );
        admin.execute(PUT_BACK).await.unwrap();
    }
    assert_eq!(seen, 100);
}

#[tokio::test]
async fn all_that_is_wrong_is_told_and_not_the_first_of_it() {
    let test = TestState::new().await;
    let (organisation, _) = trail(&test).await;
    let mut admin = superuser(&test).await;
    let id =
        |place: i64| format!("(SELECT audit_id FROM audit_seal WHERE organisation_id = org AND sequence = {place})");
    let wrong = format!(
        "UPDATE audit SET actor = 'x' WHERE id = {}; UPDATE audit SET actor = 'x' WHERE id = {}; DELETE FROM audit
         WHERE id = {};
         DELETE FROM audit_seal WHERE organisation_id = org AND sequence IN (30, 31);
         DELETE FROM audit WHERE organisation_id = org AND action = 'batch.created'",
        id(15),
        id(20),
        id(25)
    );
    change(&mut admin, organisation, &format!("{wrong};")).await;
    let report = of_acme(&test.state, &[]).await;
    let said = sentences(&report);
    for part in [
        "entry 15 was changed after it was chained",
        "entry 20 was changed after it was chained",
        "entry 25 was removed",
        "entries 30 to 31 are not in the chain",
        "neither chained nor waits for it",
        "no entry tells of the batch",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[tokio::test]
async fn an_organisation_with_batches_and_no_entry_is_broken_without_any_head() {
    let test = TestState::new().await;
    let (organisation, _) = trail(&test).await;
    std::fs::remove_file(test.state.config.data_dir.join(heads::FILE)).unwrap();
    let mut admin = superuser(&test).await;
    let tables = ["audit", "audit_seal", "audit_waiting"];
    let emptied: String =
        tables.iter().map(|table| format!("DELETE FROM {table} WHERE organisation_id = org;")).collect();
    change(&mut admin, organisation, &emptied).await;
    let report = of_acme(&test.state, &[]).await;
    assert!(report.findings.contains(&Finding::Empty), "{report:?}");
    assert!(report.findings.iter().any(|finding| matches!(finding, Finding::UnrecordedBatch(_))), "{report:?}");
}
