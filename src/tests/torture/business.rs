//! G11: the same file again, the same unique id in two batches at once, more refunded than was captured.

use super::{
    checker::{self, Verdict},
    client::{self, Client, GLOBEX},
    deployment::{Deployment, Out, Setup, size, size_of_three},
    file::{End, RefundFile, minor},
    report::Report,
    run::settled,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Barrier,
    thread,
};

/// What the simulator says that every order captured.
const CAPTURED: i64 = 10_000_000;

#[test]
fn g11_the_same_file_needs_an_explicit_word() {
    let setup = Setup { scenario: "G11 same file again", knobs: &["--forget-keys"], out: Out::Nothing, cut: false };
    let mut deployment = Deployment::begin(&setup);
    deployment.serve(&[], &[]);
    let tag = deployment.tag();
    let rows = (0..20).map(|at| (format!("ORD_{tag}x{at}"), 1_000 + at, None));
    let file = RefundFile::plain(&tag, rows);
    deployment.submit(&GLOBEX, file.clone());
    let again = size(3, 10);
    for _ in 0..again {
        let (status, text) = deployment.client.upload(&GLOBEX, &file.name, &file.text(), false).unwrap();
        if status != 422 {
            deployment.breaches.push(format!("the same file was taken again: {status} {text}"));
        }
    }
    if deployment.number("SELECT count(*) FROM batchdesk.batch") != 1 {
        deployment.breaches.push("there is more than one batch".to_owned());
    }
    deployment.finish(format!("{again} uploads of the same file"), settled).expect_clean();
}

/// Two people upload the same unique ids for different orders, at the same moment.
pub(super) fn racing_ids(out: Out) -> Report {
    let mut deployment = Deployment::begin(&Setup {
        scenario: "G11 unique id in two batches",
        knobs: &["--forget-keys"],
        out,
        cut: false,
    });
    deployment.serve(&[], &[]);
    let (races, base) = (size(6, 50), deployment.client.base().to_owned());
    for race in 0..races {
        let tag = deployment.tag();
        let file = |side: &str| {
            let rows =
                (0..10).map(|at| (format!("ORD_{tag}{side}x{at}"), 1_000 + at, Some(format!("R{tag}N{race}U{at}"))));
            RefundFile::plain(&format!("{tag}{side}"), rows)
        };
        let (files, start) = ([file("a"), file("b")], Barrier::new(2));
        let answers: Vec<_> = thread::scope(|scope| {
            let upload = |file: &RefundFile| {
                let client = Client::new(base.clone());
                start.wait();
                client.upload(&GLOBEX, &file.name, &file.text(), true).unwrap()
            };
            let both = files.each_ref().map(|file| scope.spawn(move || upload(file)));
            both.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let taken: Vec<_> = answers
            .iter()
            .zip(&files)
            .filter_map(|((status, text), file)| Some((client::batch_of(*status, text)?, file)))
            .collect();
        if taken.len() != 1 {
            let told: Vec<_> = answers.iter().map(|(status, _)| *status).collect();
            deployment
                .breaches
                .push(format!("the same unique ids in two batches: {} of 2 were taken ({told:?})", taken.len()));
        }
        for (id, file) in taken {
            deployment.observed(&GLOBEX, file.clone(), id);
        }
    }
    deployment.finish(format!("{races} races"), settled)
}

#[test]
fn g11_a_unique_id_is_taken_once() {
    racing_ids(Out::Nothing).expect_clean();
}

/// Many refunds of few orders, in several batches and by two workers: together more than was captured.
pub(super) fn over_refunds(out: Out) -> Report {
    let mut deployment = Deployment::begin(&Setup {
        scenario: "G11 partial refunds over the captured amount",
        knobs: &["--forget-keys", "--latency-ms", "1..20"],
        out,
        cut: false,
    });
    deployment.serve(&[], &[]);
    deployment.serve(&["--no-web"], &[]);
    let (batches, orders, each) = size_of_three((3, 4, 20), (8, 20, 40), (13, 20, 40));
    let first = deployment.tag();
    for number in 0..batches {
        let mut rows: Vec<_> = (0..orders * each)
            .map(|at| {
                // Amounts of an order never repeat: alike ones are kept apart in time.
                let amount =
                    deployment.random.within(1_000..=CAPTURED as u64 / each as u64).cast_signed() * 10 + number;
                (format!("ORD_{first}o{}", at % orders), amount, None)
            })
            .collect();
        deployment.random.shuffle(&mut rows);
        let mut seen = std::collections::HashSet::new();
        rows.retain(|(order, amount, _)| seen.insert((order.clone(), *amount)));
        let file = RefundFile::plain(&format!("{first}n{number}"), rows);
        let (status, text) = deployment.client.upload(&GLOBEX, &file.name, &file.text(), true).unwrap();
        let id = client::batch_of(status, &text).unwrap_or_else(|| panic!("{status} {text}"));
        deployment.observed(&GLOBEX, file, id);
    }
    for batch in 0..deployment.batches.len() {
        deployment.wait(batch, settled);
    }
    let mut verdict = Verdict::default();
    let ledger = deployment.ledger();
    let (mut effects, mut refunded) = (HashMap::<(&str, &str), Vec<i64>>::new(), BTreeMap::<&str, i64>::new());
    for line in ledger.iter().filter(|line| line.effect) {
        let amount = minor(&line.amount).unwrap();
        effects.entry((&line.order, &line.key)).or_default().push(amount);
        *refunded.entry(&line.order).or_default() += amount;
    }
    for (order, sum) in &refunded {
        if *sum > CAPTURED {
            verdict.breaches.push(format!("{order}: {sum} refunded of {CAPTURED} captured"));
        }
    }
    for batch in &deployment.batches {
        let results = checker::read(&deployment.client.results(batch.organisation, &batch.id), &mut verdict.breaches);
        if results.len() != batch.file.rows.len() {
            verdict.breaches.push(format!("{}: {} rows of {}", batch.file.name, results.len(), batch.file.rows.len()));
        }
        for (row, [_, order, amount, _, key, _, status]) in batch.file.rows.iter().zip(&results) {
            let done = effects.get(&(order.as_str(), key.as_str())).map_or(&[][..], Vec::as_slice);
            let (left, due) = (CAPTURED - refunded.get(order.as_str()).copied().unwrap_or(0), row.amount);
            if *order != row.order || minor(amount) != Some(due) {
                verdict.breaches.push(format!("{}: {order} {amount} in place of {}", batch.file.name, row.order));
            }
            match (status.as_str(), done) {
                ("ACCEPTED", [one]) if *one == due => verdict.accepted += 1,
                ("ACCEPTED", []) => verdict.lost += 1,
                ("ACCEPTED", [_]) => verdict.wrong += 1,
                ("ACCEPTED", _) => verdict.doubled += 1,
                // Refused rightly: even at the end there is no room for it.
                ("FAILED", []) if due > left => verdict.failed += 1,
                ("FAILED", []) => verdict.breaches.push(format!("{order}: {due} refused, {left} left")),
                ("FAILED", _) => verdict.failed_with_effect += 1,
                _ => verdict.breaches.push(format!("{order}: {due} is {status}")),
            }
        }
    }
    let Verdict { lost, wrong, doubled, failed_with_effect, accepted, failed, .. } = verdict;
    if lost + wrong + doubled + failed_with_effect > 0 {
        verdict
            .breaches
            .push(format!("{lost} lost, {wrong} wrong, {doubled} doubled, {failed_with_effect} failed with effect"));
    }
    if failed == 0 {
        verdict.breaches.push("nothing was refused: nothing was tried".to_owned());
    }
    deployment.report(format!("{orders} orders, {batches} batches: {accepted} refunded, {failed} refused"), verdict)
}

#[test]
fn g11_never_more_than_was_captured() {
    over_refunds(Out::Nothing).expect_clean();
}

/// Declined and missing orders, to see counters of failed rows move.
pub(super) fn declined(out: Out) -> Report {
    let mut deployment =
        Deployment::begin(&Setup { scenario: "declined rows", knobs: &["--forget-keys"], out, cut: false });
    deployment.serve(&[], &[]);
    let file = deployment.file(&[("ORD_DECLINE_", End::Failed, 3), ("ORD_", End::Accepted, 7)]);
    deployment.submit(&GLOBEX, file);
    deployment.finish("3 declined rows".to_owned(), settled)
}
