//! The words and signs of a source file, without its tests, and the paths that it mentions.

use super::{PACKAGES, within};

/// A word or sign of the source and the line it stands on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) line: usize,
}

/// The source without comments, and with every string as `""`.
pub(super) fn tokens(source: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (source, 1);
    while let Some(first) = rest.chars().next() {
        let length = piece(rest, first);
        let (text, after) = rest.split_at(length);
        let shown = match first {
            _ if text.starts_with("//") || text.starts_with("/*") || first.is_whitespace() => None,
            _ if text.len() > 1 && text.ends_with(['"', '#']) => Some("\"\""),
            _ => Some(text),
        };
        found.extend(shown.map(|text| Token { text: text.to_owned(), line }));
        line += text.matches('\n').count();
        rest = after;
    }
    found
}

/// How many bytes the next comment, string, word or sign takes.
fn piece(rest: &str, first: char) -> usize {
    let word = |text: &str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return rest.find("*/").map_or(rest.len(), |at| at + 2);
    }
    if rest.starts_with("::") {
        return 2;
    }
    let opening = rest.trim_start_matches(['b', 'c']).strip_prefix('r').filter(|text| text.starts_with(['"', '#']));
    if let Some(raw) = opening {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if let Some(text) = raw.trim_start_matches('#').strip_prefix('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let before = rest.len() - text.len();
            return text.find(&end).map_or(rest.len(), |at| before + at + end.len());
        }
    }
    if first == '"' {
        let mut escaped = false;
        for (at, c) in rest.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => return at + 1,
                _ => {}
            }
        }
        return rest.len();
    }
    if first == '\'' {
        // A character in quotes, or the tick of a lifetime.
        let inside: String = rest.chars().skip(1).take(12).collect();
        let escape =
            inside.starts_with('\\').then(|| inside.char_indices().skip(2).find(|(_, c)| *c == '\'')).flatten();
        let plain = inside.char_indices().nth(1).filter(|(_, c)| *c == '\'' && !inside.starts_with('\\'));
        return 1 + escape.or(plain).map_or(0, |(at, _)| at + 1);
    }
    if first.is_alphanumeric() || first == '_' { word(rest).max(1) } else { first.len_utf8() }
}

/// The tokens without what is compiled for tests only: `#[cfg(test)]` and the item after it.
pub(super) fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let marks = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if !marks.iter().enumerate().all(|(offset, mark)| text(tokens, at + offset) == *mark) {
            kept.push(token.clone());
            at += 1;
            continue;
        }
        at += marks.len();
        let mut depth = 0usize;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token.text.as_str() {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && matches!(token.text.as_str(), ";" | "}") {
                break;
            }
        }
    }
    kept
}

pub(super) fn text(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}

/// Every path of ours that a file names, from `src`, with its line.
pub(super) fn mentions(module: &[String], tokens: &[Token]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    // What `crate` is.
    let root = &module[..usize::from(module.first().is_some_and(|room| room == "server"))];
    let mut here = module.to_vec();
    let mut inner: Vec<usize> = Vec::new();
    let mut depth = 0usize;
    for at in 0..tokens.len() {
        match text(tokens, at) {
            "{" => {
                depth += 1;
                if at >= 2 && text(tokens, at - 2) == "mod" {
                    inner.push(depth);
                    here.push(text(tokens, at - 1).to_owned());
                }
            }
            "}" => {
                if inner.last() == Some(&depth) {
                    inner.pop();
                    here.pop();
                }
                depth = depth.saturating_sub(1);
            }
            word if text(tokens, at + 1) == "::" && (at == 0 || text(tokens, at - 1) != "::") => {
                if PACKAGES.contains(&word) {
                    tree(tokens, at, root, &[], &mut found);
                } else if matches!(word, "crate" | "super" | "self" | "batchdesk") {
                    tree(tokens, at, root, &here, &mut found);
                }
            }
            _ => {}
        }
    }
    for (path, _) in &mut found {
        // The server names other packages as its own modules.
        if let Some(package) =
            path.strip_prefix("server::").filter(|rest| PACKAGES.iter().any(|name| within(rest, name)))
        {
            *path = package.to_owned();
        }
    }
    found
}

/// Reads one path, or a tree of them in braces, from `at` on; returns where it ends.
fn tree(tokens: &[Token], mut at: usize, root: &[String], base: &[String], found: &mut Vec<(String, usize)>) -> usize {
    let mut path = base.to_vec();
    let line = tokens.get(at).map_or(0, |token| token.line);
    loop {
        match text(tokens, at) {
            "crate" => path = root.to_vec(),
            "batchdesk" => path.clear(),
            "self" => {}
            "super" => drop(path.pop()),
            "{" => {
                at += 1;
                while !matches!(text(tokens, at), "}" | "") {
                    at = tree(tokens, at, root, &path, found);
                    while !matches!(text(tokens, at), "," | "}" | "") {
                        at += 1;
                    }
                    at += usize::from(text(tokens, at) == ",");
                }
                return at + 1;
            }
            name => path.push(name.to_owned()),
        }
        at += 1;
        if text(tokens, at) != "::" {
            found.push((path.join("::"), line));
            return at;
        }
        at += 1;
    }
}
