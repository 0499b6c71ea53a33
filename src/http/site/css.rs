//! Joins the style sheets and makes them small. The build script uses this file as it stands; the server does not.
//!
//! It takes away what no browser reads (comments, blanks that part nothing) and rewrites nothing: nesting,
//! `light-dark()`, layers and container queries reach the browser as they were written.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The sheet at `path` with every `@import` of a local sheet in its place, minified.
pub(super) fn bundle(path: &Path) -> Result<String, String> {
    let mut open = Vec::new();
    Ok(minify(&inline(path, &mut open)?))
}

fn inline(path: &Path, open: &mut Vec<PathBuf>) -> Result<String, String> {
    if open.iter().any(|outer| outer == path) {
        return Err(format!("{} imports itself", path.display()));
    }
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    open.push(path.to_owned());
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((start, end)) = next_import(rest) {
        out.push_str(rest.get(..start).unwrap_or_default());
        let rule = rest.get(start..end).unwrap_or_default();
        let (file, layer, media) =
            read_import(rule).ok_or_else(|| format!("{}: cannot read {rule}", path.display()))?;
        let target = path.parent().unwrap_or(Path::new("")).join(file);
        let mut inner = inline(&target, open)?;
        if let Some(layer) = layer {
            inner = format!("@layer {layer}{{{inner}}}");
        }
        if !media.is_empty() {
            inner = format!("@media {media}{{{inner}}}");
        }
        out.push_str(&inner);
        rest = rest.get(end..).unwrap_or_default();
    }
    out.push_str(rest);
    open.pop();
    Ok(out)
}

/// Where the next `@import … ;` that is not inside a comment begins and ends.
fn next_import(text: &str) -> Option<(usize, usize)> {
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        let import = rest.find("@import")?;
        match rest.find("/*") {
            Some(comment) if comment < import => at += comment + 2 + rest.get(comment + 2..)?.find("*/")? + 2,
            _ => return Some((at + import, at + import + rest.get(import..)?.find(';')? + 1)),
        }
    }
}

/// File, layer and media condition of an `@import` rule; none when it is of a kind that is not used here.
fn read_import(rule: &str) -> Option<(&str, Option<&str>, &str)> {
    let body = rule.strip_prefix("@import")?.strip_suffix(';')?.trim();
    let body = body.strip_prefix("url(").map_or(body, str::trim_start);
    let quote = body.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (file, rest) = body.get(1..)?.split_once(quote)?;
    let rest = rest.trim_start();
    let rest = rest.strip_prefix(')').unwrap_or(rest).trim();
    if file.contains("://") || rest.contains("supports(") {
        return None;
    }
    match rest.strip_prefix("layer(").and_then(|rest| rest.split_once(')')) {
        Some((layer, media)) => Some((file, Some(layer.trim()), media.trim())),
        None => Some((file, None, rest)),
    }
}

/// The same sheet without comments and without blanks that part nothing.
pub(super) fn minify(css: &str) -> String {
    let mut out = String::with_capacity(css.len());
    let mut blank = false;
    let mut comment = false;
    let mut rest = css;
    while let Some(c) = rest.chars().next() {
        if c.is_ascii_whitespace() {
            blank = true;
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        if let Some(inside) = rest.strip_prefix("/*") {
            comment = true;
            rest = inside.split_once("*/").map_or("", |(_, after)| after);
            continue;
        }
        let before = out.chars().next_back().unwrap_or('{');
        if c == '}' && before == ';' {
            out.pop();
        }
        let parted = matches!(before, '{' | '}' | ';' | ',' | '(' | ':') || matches!(c, '{' | '}' | ';' | ',' | ')');
        if !parted {
            match (blank, comment) {
                (true, _) => out.push(' '),
                // A comment between two words parts them without being a blank.
                (false, true) => out.push_str("/**/"),
                (false, false) => {}
            }
        }
        (blank, comment) = (false, false);
        let length = verbatim(rest);
        let (piece, after) = rest.split_at(length);
        out.push_str(piece);
        rest = after;
    }
    out
}

/// Bytes at the start of `rest` that must be copied as they are: a string, an unquoted address, an escape, or one
/// character.
fn verbatim(rest: &str) -> usize {
    let first = rest.chars().next().map_or(0, char::len_utf8);
    match rest.as_bytes().first() {
        Some(quote @ (b'"' | b'\'')) => {
            let mut escaped = false;
            for (at, byte) in rest.bytes().enumerate().skip(1) {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    _ if byte == *quote => return at + 1,
                    _ => {}
                }
            }
            rest.len()
        }
        Some(b'\\') => first + rest.get(first..).and_then(|after| after.chars().next()).map_or(0, char::len_utf8),
        Some(b'u') if rest.starts_with("url(") && !rest.starts_with("url(\"") && !rest.starts_with("url('") => {
            rest.find(')').map_or(rest.len(), |at| at + 1)
        }
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_away_only_what_parts_nothing() {
        for (from, to) in [
            ("/* a */\n.a {\n  color : red ;\n  margin: 0 1px;\n}\n", ".a{color :red;margin:0 1px}"),
            (".a :hover, .b > .c { x: y }", ".a :hover,.b > .c{x:y}"),
            ("a/**/.b{x:1px/* */2px}", "a/**/.b{x:1px/**/2px}"),
            (".a { &:hover { x: y; } & b { z: calc( 1px + 2px ) } }", ".a{&:hover{x:y}& b{z:calc(1px + 2px)}}"),
            (
                "@media (width > 10px) and (x) { a { color: light-dark(#fff, #000) } }",
                "@media (width > 10px) and (x){a{color:light-dark(#fff,#000)}}",
            ),
            (".a::before { content: \"/* ; }  \\\" \" }", ".a::before{content:\"/* ; }  \\\" \"}"),
            ("a { background: url( data:image/svg+xml;a;b ) }", "a{background:url( data:image/svg+xml;a;b )}"),
            (".a\\:b { content: '\\201C  ' }", ".a\\:b{content:'\\201C  '}"),
            ("a{--x: ;b:c;}", "a{--x:;b:c}"),
            (".é { x: 'ü' }", ".é{x:'ü'}"),
        ] {
            assert_eq!(minify(from), to);
            assert_eq!(minify(to), to, "a second time changes nothing");
        }
    }

    #[test]
    fn puts_imports_in_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(
            "main.css",
            "@layer base, kit;\n/* @import \"no.css\"; */\n@import \"a.css\" layer(base);\n@import url('b.css') \
             print;\nq{r:s}",
        );
        write("a.css", "a { b: c }");
        write("b.css", "@import './a.css';");
        let main = folder.path().join("main.css");
        assert_eq!(bundle(&main).unwrap(), "@layer base,kit;@layer base{a{b:c}}@media print{a{b:c}}q{r:s}");
        write("a.css", "@import 'b.css';");
        assert!(bundle(&main).unwrap_err().contains("imports itself"));
        write("a.css", "@import url(https://elsewhere.test/x.css);");
        assert!(bundle(&main).unwrap_err().contains("cannot read"));
    }
}
