//! The list of which test proves which sentence of the specifications (`end2end/tests/README.md`) names tests that are
//! there.

use std::path::Path;

const LIST: &str = "end2end/tests/README.md";

/// The tests that a line of the list names: file and title.
fn named(line: &str) -> Result<Vec<(&str, &str)>, String> {
    let proofs = line.trim().trim_matches('|').split(" | ").nth(1).ok_or("no second column")?;
    proofs
        .split("; `")
        .map(|proof| {
            let proof = proof.trim().trim_start_matches('`');
            let (file, rest) = proof.split_once('`').ok_or(format!("no file in {proof:?}"))?;
            let title = rest.trim().strip_prefix('“').and_then(|title| title.strip_suffix('”'));
            Ok((file, title.ok_or(format!("no title in {proof:?}"))?))
        })
        .collect()
}

/// Whether a file has a test of this title; `…` stands for what is put in.
fn has(source: &str, file: &str, title: &str) -> bool {
    if file.ends_with(".rs") {
        return source.contains(&format!("fn {title}("));
    }
    let mut lines = source.lines().map(str::trim).filter(|line| line.starts_with("test("));
    lines.any(|line| {
        let mut rest = line;
        let parts: Vec<&str> = title.split('…').collect();
        let whole = parts.len() > 1 || line.contains(&format!("\"{title}\""));
        whole
            && parts.iter().all(|part| match rest.split_once(part) {
                Some((_, after)) => {
                    rest = after;
                    true
                }
                None => false,
            })
    })
}

/// What is wrong with the list; the sentences that it has.
fn check(list: &str, read: impl Fn(&str) -> Option<String>) -> (Vec<String>, usize) {
    let (mut wrong, mut sentences) = (Vec::new(), 0);
    let lines = list.lines().enumerate().filter(|(_, line)| line.starts_with("| ") && line.contains('`'));
    for (at, line) in lines {
        sentences += 1;
        match named(line) {
            Err(why) => wrong.push(format!("{LIST}:{}: {why}", at + 1)),
            Ok(tests) => {
                for (file, title) in tests {
                    match read(file) {
                        None => wrong.push(format!("{LIST}:{}: there is no file {file}", at + 1)),
                        Some(source) if !has(&source, file, title) => {
                            wrong.push(format!("{LIST}:{}: {file} has no test {title:?}", at + 1));
                        }
                        Some(_) => {}
                    }
                }
            }
        }
    }
    (wrong, sentences)
}

#[test]
fn every_test_that_proves_a_sentence_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(root.join(LIST)).unwrap();
    let (wrong, sentences) = check(&list, |file| std::fs::read_to_string(root.join(file)).ok());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(sentences >= 60, "{sentences} sentences: the list has lost some");
    for line in list.lines().filter(|line| line.starts_with("| ") && !line.contains('`')) {
        let head = ["| Sentence | Proved by |", "| What | Proved by |"];
        assert!(head.contains(&line), "a sentence without a test: {line}");
    }
}

#[test]
fn what_is_missing_is_seen() {
    let read = |file: &str| match file {
        "a.spec.ts" => {
            Some("test(\"it works\", async () => {});\n  test(`${kind} is shown: ${list}`, () => {});".to_owned())
        }
        "b.rs" => Some("async fn it_works() {}".to_owned()),
        _ => None,
    };
    let found = |proof: &str| check(&format!("| A sentence | {proof} |"), read).0.len();
    assert_eq!(found("`a.spec.ts` “it works”; `b.rs` “it_works”"), 0);
    assert_eq!(found("`a.spec.ts` “… is shown: …”"), 0);
    for missing in [
        "`a.spec.ts` “it work”",
        "`a.spec.ts` “it works not”",
        "`a.spec.ts` “… is hidden: …”",
        "`b.rs` “it_work”",
        "`c.rs` “it_works”",
        "`b.rs`",
    ] {
        assert_eq!(found(missing), 1, "{missing}");
    }
}
