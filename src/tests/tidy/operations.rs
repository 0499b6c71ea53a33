//! Nobody asks which operation it is: code branches on the kind of work, or asks a registry.

use super::{
    tokens::{Token, text},
    within,
};

/// Where operations are told apart.
const REGISTRIES: [&str; 3] = ["domain::operation", "formats::registry", "server::operations"];
/// Features of one operation, which name it and make batches of it.
const FEATURES: [&str; 5] = ["app", "http::orders", "server::demo", "server::ops::orders", "ui::pages::orders::refund"];

const BRANCHES: &str = "operations are told apart in their descriptors and registries: ask for the kind of work";
const NAMES: &str = "this names an operation: take it from the batch, the descriptor or a registry";

/// Lines of a module that branch on an operation, or name one where none is meant.
pub(super) fn named(module: &str, tokens: &[Token]) -> Vec<(usize, &'static str)> {
    if REGISTRIES.iter().any(|registry| within(module, registry)) {
        return Vec::new();
    }
    let may_name = FEATURES.iter().any(|feature| within(module, feature));
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token.text != "Operation" || text(tokens, at + 1) != "::" {
            continue;
        }
        let name = text(tokens, at + 2);
        let variant = name.chars().nth(1).is_some_and(char::is_lowercase) && name.starts_with(char::is_uppercase);
        if variant && is_branch(tokens, at) {
            found.push((token.line, BRANCHES));
        } else if (variant || matches!(name, "{" | "*")) && !may_name {
            found.push((token.line, NAMES));
        }
    }
    found
}

/// Whether the variant that begins at `at` is a pattern, or is compared.
fn is_branch(tokens: &[Token], at: usize) -> bool {
    let is = |at: usize, signs: [&str; 2]| text(tokens, at) == signs[0] && text(tokens, at + 1) == signs[1];
    let mut before = at;
    while before > 1 && text(tokens, before - 1) == "::" {
        before -= 2;
    }
    let mut after = at + 3;
    while text(tokens, after) == ")" {
        after += 1;
    }
    let compared = before > 1 && [["=", "="], ["!", "="]].into_iter().any(|signs| is(before - 2, signs));
    let chosen = before > 0 && text(tokens, before - 1) == "|";
    let matched = before > 3 && (1..=before.min(8)).any(|back| is(before - back, ["matches", "!"]));
    compared || chosen || matched || ["|", "="].contains(&text(tokens, after)) || is(after, ["!", "="])
}
